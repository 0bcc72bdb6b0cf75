"""Markdown that is still being written, cut into blocks as they become whole.

A block of Markdown is whole as soon as the next one begins, and nothing that
follows changes it any more. That is looked at line by line, so that the blocks
are the same in whichever pieces the text arrives.

Each item of a list is a block of its own: a long list would else be long in
becoming whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Self

import msgspec
from markdown_it.token import Token

from chatloom.cli.chat.display.parsing import parse

_UNDECIDED = re.compile(r"[\s\-+*_=#>|:`~]*(\d+[.)]?\s*)?")
"""A line that may yet become anything: a rule, an item, the line beneath a heading."""
_STRONG = re.compile(r"(?<![\\*])\*\*(?!\*)")
_JUST_OPENED = re.compile(r"(?<!\S)[*_`~\[]+$")
_TICK = re.compile(r"(?<!`)`(?!`)")


class Block(msgspec.Struct, frozen=True):
    """A paragraph, a heading, an item of a list, a table …"""

    source: str
    after_gap: bool
    """Whether an empty line stands before it."""


class Code(Block, frozen=True):
    """Code between fences; *source* is the code alone."""

    language: str


class Blocks:
    """Feed it text as it arrives; it hands back the blocks that are whole."""

    def __init__(self) -> None:
        self._partial = ""  # the line that has no end yet
        self._lines: list[str] = []  # of the block that is not whole yet
        self._gap = True
        self._fence: _Fence | None = None

    def feed(self, text: str) -> list[Block]:
        """Take in the next *text*; give the blocks it completes."""
        *lines, self._partial = (self._partial + text).split("\n")
        return [block for line in lines for block in self._take(line)]

    def end(self) -> list[Block]:
        """Give the blocks that the end of the text completes."""
        blocks = self.feed("\n") if self._partial else []
        if self._lines or self._fence is not None:
            blocks.append(self._block(self._lines))
        return blocks

    @property
    def growing(self) -> Block | None:
        """What there is of the block that is not whole yet, as it will probably read."""
        lines = list(self._lines)
        if self._fence is not None:
            if self._partial and not self._fence.may_end(self._partial):
                lines.append(self._partial)
            return self._block(lines)
        if not _UNDECIDED.fullmatch(self._partial):
            lines.append(self._partial)
        return self._block([_mended("\n".join(lines))]) if lines else None

    def _take(self, line: str) -> Iterator[Block]:
        if self._fence is not None:
            if self._fence.ends(line):
                yield self._block(self._lines)
                self._lines, self._fence = [], None
            else:
                self._lines.append(line)
        elif self._lines or line.strip():
            self._lines.append(line)
            yield from self._cut()

    def _cut(self) -> Iterator[Block]:
        """Take off what is whole: all that stands before the last beginning."""
        tokens = parse("\n".join(self._lines))
        begun = list(_beginnings(tokens))
        for (start, _), (end, is_item) in pairwise(begun):
            yield self._block(self._lines[start:end])
            self._gap = not is_item or not self._lines[end - 1].strip()
        if len(begun) > 1:
            self._lines = self._lines[begun[-1][0] :]
        if tokens and tokens[-1].type == "fence" and tokens[-1].level == 0:
            self._fence, self._lines = _Fence.of(tokens[-1], self._lines[0]), []

    def _block(self, lines: list[str]) -> Block:
        if self._fence is not None:
            code = "\n".join(map(self._fence.inside, lines))
            return Code(code, self._gap, self._fence.language)
        return Block("\n".join(lines).rstrip(), self._gap)


def _beginnings(tokens: list[Token]) -> Iterator[tuple[int, bool]]:
    """The lines where blocks begin, and whether it is a further item of a list."""
    last = -1
    for token in tokens:
        is_item = token.level == 1 and token.type == "list_item_open"
        if token.map and (is_item or token.level == 0) and token.map[0] > last:
            last = token.map[0]
            yield last, is_item


class _Fence(msgspec.Struct, frozen=True):
    """What code stands between."""

    mark: str
    indent: int
    language: str

    @classmethod
    def of(cls, token: Token, line: str) -> Self:
        indent = len(line) - len(line.lstrip(" "))
        return cls(token.markup, indent, token.info.strip().partition(" ")[0])

    def ends(self, line: str) -> bool:
        return self.may_end(line) and line.strip().startswith(self.mark)

    def may_end(self, line: str) -> bool:
        """Whether *line* is the closing fence, or the beginning of one."""
        is_indented = line.startswith(" " * 4)
        return bool(line.strip()) and not is_indented and not line.strip(self.mark[0] + " \t")

    def inside(self, line: str) -> str:
        """The line without the indentation of its fence."""
        spaces = len(line) - len(line.lstrip(" "))
        return line[min(spaces, self.indent) :]


def _mended(text: str) -> str:
    """Close what is open in *text*, so that it does not look otherwise once it is closed."""
    text = _JUST_OPENED.sub("", text)
    if len(_TICK.findall(text)) % 2:
        return text + "`"
    return text.rstrip("* ") + "**" if len(_STRONG.findall(text)) % 2 else text
