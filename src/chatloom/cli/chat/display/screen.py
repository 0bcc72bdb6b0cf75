"""The end of a terminal: lines that stay, and beneath them rows that are drawn again and again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.segment import Segment, Segments

from chatloom.cli.chat.display.rendering import Line

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_AT_ONCE, _DONE = "\x1b[?2026h", "\x1b[?2026l"
"""Have the terminal show what is between them at once; those that cannot, ignore it."""
_ERASE_BELOW = "\x1b[J"


class Screen:
    """Draws with one write each time, and only from the first row that has changed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: list[str] = []  # that may be drawn again
        self._cells: list[int] = []  # how wide each of them is
        self._width = console.width

    def show(self, staying: Sequence[Line], passing: Sequence[Line]) -> None:
        """Replace the rows shown last by *staying*, which is never touched again, and *passing*.

        Of *passing*, the last rows are shown where it is higher than the terminal.
        """
        width, height = self._console.size
        rows = [row for line in passing for row in _folded(line, width)][1 - height :]
        wanted = [self._written(line) for line in [*staying, *rows]]
        same = _common(self._rows, wanted) if width == self._width else 0
        up = self._height_of_rows(width) - same
        if up or wanted[same:]:
            self._write(up, wanted[same:])
        self._width = width
        self._rows = wanted[len(staying) :]
        self._cells = [Segment.get_line_length(row) for row in rows]

    def close(self) -> None:
        """Leave the terminal as it was found, below the last line."""
        self.show([], [])
        self._console.file.write(_SHOW_CURSOR)
        self._console.file.flush()

    def _height_of_rows(self, width: int) -> int:
        """How many rows of a terminal *width* wide they take, which folds what it cannot hold."""
        return sum(max(1, -(-cells // width)) for cells in self._cells)

    def _write(self, up: int, lines: Iterable[str]) -> None:
        back = f"\x1b[{up}A" if up else ""
        text = "".join(f"{line}\n" for line in lines)
        file = self._console.file
        file.write(f"{_AT_ONCE}{_HIDE_CURSOR}{back}\r{_ERASE_BELOW}{text}{_DONE}")
        file.flush()

    def _written(self, line: Line) -> str:
        with self._console.capture() as captured:
            self._console.print(Segments(line), soft_wrap=True, end="")
        return captured.get()


def _folded(line: Line, width: int) -> list[Line]:
    cells = Segment.get_line_length(line)
    if cells <= width:
        return [line]
    return [list(part) for part in Segment.divide(line, [*range(width, cells, width), cells])]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many rows *one* and *other* begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
