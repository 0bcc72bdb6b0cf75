"""A text in passages of some 800 to 1,200 characters, as it is searched and cited.

Passages follow each other in the text's order, without what is blank between them, and leave
nothing else out. They end with a block (see `blocks`) where they can, within a long one
with a sentence, a line or a word. A heading stands with what follows it; code and items of lists
are kept whole up to 1,600 characters.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chatloom.server.knowledge.blocks import Block, Kind, blocks

LEAST = 800
"""Characters from which a passage may end, where it need not before."""
MOST = 1_200
"""Characters of a passage that can be cut anywhere."""
MOST_WHOLE = 1_600
"""Characters of a passage that is one piece of code, or one item."""
_SECTION = 300
"""Characters from which a passage ends at the next heading."""

_HEADINGS = 7
"""Pieces that may be kept together for their headings: there are six levels of those."""


class Passage(NamedTuple):
    """A part of a text: characters from *start* up to and without *end*."""

    start: int
    end: int


def split(text: str, *, marked: bool) -> list[Passage]:
    """The passages of *text*; headings and code are looked for where it is *marked* up."""
    pieces = [piece for block in blocks(text, marked=marked) for piece in _pieces(text, block)]
    trimmed = [_trimmed(text, start, end) for start, end in _together(pieces)]
    return [passage for passage in trimmed if passage.start < passage.end]


def _together(pieces: Sequence[Block]) -> Iterator[tuple[int, int]]:
    """Join pieces into passages."""
    start = 0
    end = 0
    for number, piece in enumerate(pieces):
        length = end - start
        if length and _ends(length, _reach(pieces, number) - start, piece.kind):
            yield start, end
            start = piece.start
        end = piece.end
    if end > start:
        yield start, end


def _ends(length: int, joined: int, kind: Kind) -> bool:
    """Whether a passage of this length ends before a piece that would make it *joined* long."""
    return joined > MOST or length >= LEAST or (kind == "heading" and length >= _SECTION)


def _reach(pieces: Sequence[Block], number: int) -> int:
    """Where a piece ends that is to stand in one passage: headings with what they are over."""
    run = pieces[number : number + _HEADINGS]
    start, end = run[0].start, run[0].end
    for over, under in itertools.pairwise(run):
        if over.kind != "heading" or under.end - start > MOST:
            break
        end = under.end
    return end


def _pieces(text: str, block: Block) -> Iterator[Block]:
    """A block in pieces that a passage can hold."""
    most = MOST_WHOLE if block.kind in {"code", "item"} else MOST
    start, kind = block.start, block.kind
    while block.end - start > most:
        end = _cut(text, start, start + MOST, block.kind)
        yield Block(start, end, kind)
        start = end
        kind = "paragraph" if kind == "heading" else kind
    yield Block(start, block.end, kind)


def _cut(text: str, start: int, end: int, kind: Kind) -> int:
    """Where to cut before *end*: not before half of what could stand there."""
    half = start + (end - start) // 2
    marks = _CODE_BORDERS if kind == "code" else _BORDERS
    for mark in marks:
        if ends := [found.end() for found in mark.finditer(text, half, end)]:
            return ends[-1]
    return end


_BORDERS = (
    re.compile(r"\n[ \t]*\n"),
    re.compile(r"[.!?…][\"'”’)\]]{0,3}\s|[。！？]"),  # noqa: RUF001
    re.compile(r"\n"),
    re.compile(r"\s"),
)
_CODE_BORDERS = (re.compile(r"\n[ \t]*\n"), re.compile(r"\n"), re.compile(r"\s"))


def _trimmed(text: str, start: int, end: int) -> Passage:
    told = text[start:end]
    blank = len(told) - len(told.lstrip())
    return Passage(start + blank, start + blank + len(told.strip()))
