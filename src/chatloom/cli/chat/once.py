"""One question, one answer."""

from __future__ import annotations

from rich.markup import escape

from chatloom.cli.chat.answering import show, stoppable
from chatloom.cli.chat.display.pages import Page, harmless
from chatloom.cli.chat.talk import Talk
from chatloom.cli.shared import err

_STOPPED = 130
"""As shells know a program that Ctrl-C has ended."""


def ask_once(talk: Talk, question: str, page: Page) -> int:
    """Ask, show the answer, and return the exit code: 0, 1 for one that failed, 130 for stopped."""
    with stoppable() as stop:
        shown = show(talk.ask(question), page, stop)
    if shown.problem is not None:
        colour = "bold red" if shown.failed else "bold yellow"
        err.print(f"[{colour}]chatloom:[/] {escape(harmless(shown.problem))}")
    return _STOPPED if shown.stopped else int(shown.failed)
