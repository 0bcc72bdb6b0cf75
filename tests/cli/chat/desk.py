"""Somebody at the prompt."""

from __future__ import annotations

from collections.abc import Iterator

from chatloom.cli.chat.session import Session
from chatloom.cli.chat.talk import Talk
from cli.chat.terminal import Terminal


class Desk:
    """Somebody at a terminal."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.terminal = Terminal(60, 1000)
        self.session = Session(talk, self.terminal.console(), plain=False)

    def type(self, *lines: str) -> str:
        """Type *lines*; return what came of them."""
        before = len(self.terminal.text)
        waiting: Iterator[str] = iter(lines)

        def read() -> str:
            for line in waiting:
                return line
            raise EOFError

        self.session.run(read)
        return " ".join(self.terminal.text[before:].split())
