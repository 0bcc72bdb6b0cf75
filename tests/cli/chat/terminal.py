"""A terminal that remembers what was on it, and knows as much as `Screen` asks of one."""

from __future__ import annotations

import re
from io import StringIO

from rich.cells import get_character_cell_size
from rich.console import Console

from chatloom.cli.chat.display.rendering import THEME

_PIECE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([^\x1b])", re.DOTALL)


class Terminal(StringIO):
    """Write to it; `text` is all that was shown, what has scrolled away included."""

    def __init__(self, width: int = 80, height: int = 24) -> None:
        super().__init__()
        self.width, self.height = width, height
        self.rows: list[list[str]] = [[]]
        self._row = 0
        self._is_hidden = False

    @property
    def text(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self.rows).rstrip("\n")

    @property
    def screen(self) -> list[str]:
        """The rows that are in sight."""
        return self.text.split("\n")[-self.height :]

    @property
    def shows_cursor(self) -> bool:
        return not self._is_hidden

    def console(self) -> Console:
        """A console that writes here."""
        return Console(
            file=self, width=self.width, height=self.height, force_terminal=True, theme=THEME
        )

    def write(self, text: str, /) -> int:
        at = 0
        while at < len(text):
            found = _PIECE.match(text, at)
            assert found, f"an escape that is none: {text[at : at + 20]!r}"
            parameters, verb, letter = found.groups()
            self._steer(parameters, verb) if verb else self._put(letter)
            at = found.end()
        return len(text)

    def _steer(self, parameters: str, verb: str) -> None:
        if verb == "A":
            top = max(0, len(self.rows) - self.height)
            self._row = max(top, self._row - int(parameters or 1))
        elif verb == "J":
            assert parameters in {"", "0"}
            del self.rows[self._row + 1 :]
            self.rows[self._row] = []
        elif parameters == "?25":
            self._is_hidden = verb == "l"
        else:
            assert verb == "m" or parameters == "?2026", (parameters, verb)

    def _put(self, letter: str) -> None:
        if letter == "\n":
            self._down()
        elif letter != "\r":  # what is written after one always erases first
            assert letter >= " ", f"{letter!r} would steer a real one"
            cells = get_character_cell_size(letter)
            if self._column() + cells > self.width:
                self._down()
            self.rows[self._row].append(letter)

    def _column(self) -> int:
        return sum(map(get_character_cell_size, self.rows[self._row]))

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.rows):
            self.rows.append([])
