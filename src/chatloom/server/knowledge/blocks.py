"""A text in blocks: paragraphs, items of lists, code, headings; each knows where it stands.

Blocks follow each other without gaps; the blank lines behind one belong to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["paragraph", "item", "code", "heading"]


class Block(NamedTuple):
    """Some lines of a text that belong together."""

    start: int
    end: int
    kind: Kind


def blocks(text: str, *, marked: bool) -> Iterator[Block]:
    """The blocks of *text*; where it is *marked* up, headings and code are told apart."""
    start, at = 0, 0
    kind: Kind | None = None
    fence, was_blank = "", False
    for line in text.splitlines(keepends=True):
        told = line.strip()
        begins = None if fence else _begun(line, told, kind, was_blank=was_blank, marked=marked)
        if begins is not None:
            if kind is not None:
                yield Block(start, at, kind)
                start = at
            kind = begins
        if marked and kind == "code":
            fence = _fence(told, fence)
        was_blank = not told
        at += len(line)
    if text:
        yield Block(start, len(text), kind or "paragraph")


def _begun(
    line: str, told: str, kind: Kind | None, *, was_blank: bool, marked: bool
) -> Kind | None:
    """The kind of block that a line begins; `None` where it goes on with the last one."""
    if not told:
        return None
    if marked and told.startswith(("```", "~~~")):
        # A fence that is open is closed elsewhere; one within an item belongs to it.
        return None if kind == "item" and line[0].isspace() and not was_blank else "code"
    if marked and _HEADING.match(line):
        return "heading"
    if _ITEM.match(line):
        return None if kind == "item" and line.startswith(("  ", "\t")) else "item"
    if kind == "item":
        goes_on = line[0].isspace() if was_blank else True
        return None if goes_on else "paragraph"
    if kind == "paragraph" and not was_blank:
        return None
    return "paragraph"


def _fence(told: str, fence: str) -> str:
    """The mark that ends the code that is open behind this line; nothing where none is."""
    if not fence:
        return told[:3]
    return "" if told.startswith(fence) and not told.strip(fence[0]) else fence


_HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)")
_ITEM = re.compile(r"\s{0,12}(?:[-*+•‣]|\d{1,3}[.)]|[a-z]\))\s")
