"""Where an answer is shown: as Markdown on a terminal, or as it is anywhere else."""

from __future__ import annotations

import re
from typing import Protocol, TextIO

from rich.console import Console
from rich.segment import Segment

from chatloom.cli.chat.display.blocks import Block, Blocks
from chatloom.cli.chat.display.rendering import Line, changing, lines_of
from chatloom.cli.chat.display.screen import Screen

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def harmless(text: str) -> str:
    """Take out what would steer the terminal instead of being shown."""
    return _CONTROLS.sub("", text)


class Page(Protocol):
    """Shows one answer while it is written."""

    def add(self, text: str) -> None:
        """Go on with *text*."""
        ...

    def draw(self, note: str = "") -> None:
        """Bring what is shown up to date, with a passing *note* beneath."""
        ...

    def end(self) -> None:
        """Show what is left."""
        ...


class PlainPage:
    """Writes an answer as it comes."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._is_terminal = file.isatty()
        self._last = "\n"

    def add(self, text: str) -> None:
        if self._is_terminal:
            text = harmless(text)
        if text:
            self._file.write(text)
            self._file.flush()
            self._last = text

    def draw(self, note: str = "") -> None: ...

    def end(self) -> None:
        if not self._last.endswith("\n"):
            self.add("\n")


class MarkdownPage:
    """Writes whole blocks for good, and draws again only the one that grows."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._screen = Screen(console)
        self._blocks = Blocks()
        self._staying: list[Line] = []  # to be shown with the next drawing
        self._is_first = True
        self._shown = 0  # lines of the growing block that are shown for good

    def add(self, text: str) -> None:
        for block in self._blocks.feed(harmless(text)):
            self._settle(block)

    def draw(self, note: str = "") -> None:
        passing: list[Line] = []
        growing = self._blocks.growing
        if growing is not None:
            lines = lines_of(growing, self._console, self._shown)
            whole = max(0, len(lines) - changing(growing, lines))
            self._stay(growing, lines[:whole])
            passing = self._behind_gap(growing, lines[whole:])
        if note:
            passing.append([Segment(note, self._console.get_style("chat.note"))])
        self._screen.show(self._staying, passing)
        self._staying = []

    def end(self) -> None:
        for block in self._blocks.end():
            self._settle(block)
        self._screen.show(self._staying, [])
        self._screen.close()

    def _settle(self, block: Block) -> None:
        self._stay(block, lines_of(block, self._console, self._shown))
        self._is_first = self._is_first and not self._shown
        self._shown = 0

    def _stay(self, block: Block, lines: list[Line]) -> None:
        self._staying += self._behind_gap(block, lines)
        self._shown += len(lines)

    def _behind_gap(self, block: Block, lines: list[Line]) -> list[Line]:
        has_gap = block.after_gap and not self._is_first and not self._shown
        return [[], *lines] if lines and has_gap else lines
