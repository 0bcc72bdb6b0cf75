"""A text in pieces: its lines, and the sentences in them; each knows where it stands.

All patterns here and beside have bounds to every repetition, so that no text,
however it is made, takes more than a constant of work for each of its characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Passage(NamedTuple):
    """Some of a text."""

    start: int
    end: int
    words: str

    def part(self, start: int, end: int) -> Passage:
        """What of it stands from *start* to *end*, counted from its own beginning."""
        return Passage(self.start + start, self.start + end, self.words[start:end])


def lines(text: str) -> Iterator[Passage]:
    """Every line, without its end; what stands in fenced code is nobody's to branch from."""
    start, fence = 0, ""
    for line in text.split("\n"):
        mark = line.strip()[:3]
        if fence:
            fence = "" if mark == fence else fence
        elif mark in _FENCES:
            fence = mark
        else:
            yield Passage(start, start + len(line), line)
        start += len(line) + 1


_FENCES = frozenset({"```", "~~~"})


def sentences(line: Passage) -> Iterator[Passage]:
    """The sentences of a line, with their ends."""
    start = 0
    for found in _END.finditer(line.words):
        if _ends(line.words, start, found):
            yield _without_indent(line, start, found.end())
            start = found.end()
    if line.words[start:].strip():
        yield _without_indent(line, start, len(line.words))


def _without_indent(line: Passage, start: int, end: int) -> Passage:
    return line.part(end - len(line.words[start:end].lstrip()), end)


_END = re.compile(r"[.!?…。\uff01\uff1f؟][\"'”\u2019)\]»]{0,3}(?=\s|$)|[。\uff01\uff1f]")
_ABBREVIATIONS = frozenset(
    ("vs", "e.g", "i.e", "cf", "mr", "mrs", "ms", "dr", "prof", "st", "no", "approx", "ca", "z.b")
)


def _ends(words: str, start: int, found: re.Match[str]) -> bool:
    """Whether a mark that could end a sentence does."""
    if words[found.start()] != ".":
        return True
    before = words[max(start, found.start() - 12) : found.start()].split()
    last = before[-1].lower().lstrip("(\"'") if before else ""
    return bool(last) and last not in _ABBREVIATIONS and not _NUMBER.fullmatch(last)


_NUMBER = re.compile(r"\(?(?:\d{1,3}|[a-z])")
"""What a full stop makes an item of a list of, not a sentence."""
