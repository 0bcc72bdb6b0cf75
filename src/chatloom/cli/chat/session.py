"""A talk at the prompt, until the user leaves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chatloom.cli.chat.answering import show, stoppable, words_of
from chatloom.cli.chat.commands import Leave, obey
from chatloom.cli.chat.display.pages import MarkdownPage, Page, PlainPage, harmless
from chatloom.cli.chat.server import Server
from chatloom.cli.chat.talk import Talk
from chatloom.cli.shared import database_path
from chatloom.core.errors import ChatloomError

_MOST_MODELS = 40
"""Lines of a list; longer ones are asked for by a part of the name."""


class Session:
    """Takes turns with the user."""

    def __init__(self, talk: Talk, console: Console, *, plain: bool) -> None:
        self.talk = talk
        self._console = console
        self._plain = plain
        self._models: list[str] | None = None
        self._branches: list[str] | None = None

    def run(self, read: Callable[[], str]) -> None:
        """Do what each line says that *read* reads, until it raises `EOFError`."""
        while True:
            try:
                line = read()
                self._console.print()
                self._take(line)
                self._console.print()
            except KeyboardInterrupt:
                self.note("Interrupted.")
            except ChatloomError as error:
                self.complain(words_of(error))
            except (EOFError, Leave):
                return

    def ask(self, question: str) -> None:
        """Ask, and show the answer."""
        page = page_on(self._console, plain=self._plain)
        with stoppable() as stop:
            listening = self.talk.ask(question)
            shown = show(listening, page, stop)
        if shown.problem is not None:
            if shown.text:
                self._console.print()
            (self.complain if shown.failed else self.note)(shown.problem)
        self.talk.keep(listening.turn_id, shown.text, shown.problem)

    def show_last(self) -> None:
        """Show how far a talk that was resumed has come."""
        if not self.talk.said:
            return
        if self.talk.question is not None:
            self._console.print(f"[cyan bold]>[/] {escape(harmless(self.talk.question))}\n")
        if self.talk.said[-1].role != "user":
            page = page_on(self._console, plain=self._plain)
            page.add(self.talk.said[-1].content)
            page.end()
            self._console.print()

    def status(self) -> list[str]:
        """What is worth knowing all the time, the most important first."""
        talk = self.talk
        tokens = f"{talk.spent.tokens:,} tokens" if talk.spent.tokens else ""
        conversation = f"conversation …{talk.conversation_id[-8:]}" if talk.conversation_id else ""
        branch = harmless(talk.branch_name) if talk.branch_name != "main" else ""
        return [talk.model, branch, tokens, talk.spent.cost, conversation]

    def tell(self, text: str) -> None:
        """Say something."""
        self._console.print(escape(harmless(text)))

    def head(self, name: str, facts: str) -> None:
        """Say what follows is about, and what is known of it."""
        name, facts = escape(harmless(name)), escape(harmless(facts))
        self._console.print(f"[bold]{name}[/]  [chat.note]{facts}[/]")

    def quote(self, mark: str, text: str) -> None:
        """Show what somebody said, its lines beneath each other."""
        table = Table.grid(padding=(0, 1))
        table.add_column(style="cyan bold")
        table.add_column(overflow="fold")
        table.add_row(mark, escape(harmless(text)))
        self._console.print(table)

    def note(self, text: str) -> None:
        """Say something by the way."""
        self._console.print(escape(harmless(text)), style="chat.note")

    def complain(self, text: str) -> None:
        """Say what went wrong."""
        self._console.print(escape(harmless(text)), style="chat.problem")

    def models(self) -> Sequence[str]:
        """The models the server has listed; none where it does not."""
        if self._models is None:
            with suppress(ChatloomError):
                self.ask_for_models()
        return self._models or ()

    def branches(self) -> Sequence[str]:
        """The names of the conversation's branches; none where the server does not tell them."""
        if self._branches is None and self.talk.conversation_id is not None:
            with suppress(ChatloomError):
                found = self.talk.client.branches(self.talk.conversation_id)
                self._branches = [branch.title for branch in found]
        return self._branches or ()

    def ask_for_models(self) -> Sequence[str]:
        """List the models anew. Raises `ChatloomError`."""
        self._models = None
        self._models = [model.id for model in self.talk.client.models().data]
        return self._models

    def list_models(self, names: Sequence[str]) -> None:
        """Show *names*, and which of them answers."""
        answering = self.talk.model.partition("?")[0]
        for name in names[:_MOST_MODELS]:
            mark = ">" if name.partition("?")[0] == answering else " "
            self.tell(f"{mark} {name}")
        if len(names) > _MOST_MODELS:
            self.note(f"and {len(names) - _MOST_MODELS} more; /model PART finds those with a part")

    def _take(self, line: str) -> None:
        self._branches = None  # whatever it is, it may make one
        line = line.encode(errors="replace").decode().strip()
        if line.startswith("//"):
            self.ask(line[1:])
        elif line.startswith("/"):
            obey(self, line)
        else:
            self.ask(line)


def page_on(console: Console, *, plain: bool) -> Page:
    """Where the next answer is shown."""
    return PlainPage(sys.stdout) if plain else MarkdownPage(console)


def talk_at_prompt(talk: Talk, console: Console, server: Server, *, plain: bool) -> None:
    """Greet, and take turns until the user leaves."""
    from chatloom.cli.chat.prompt import Prompt

    session = Session(talk, console, plain=plain)
    console.print(f"[bold]{escape(talk.model)}[/] [chat.note]{escape(server.where)}[/]")
    if talk.model.startswith("loom/"):
        session.note("It works offline and makes things up; /model lists who else could answer.")
    session.note("/help lists the commands, Ctrl-D leaves.")
    console.print()
    session.show_last()
    prompt = Prompt(database_path(None).with_name("chat-history"), session, session.status)
    session.run(prompt.read)
    if talk.conversation_id is not None:
        hint = f"To go on: chatloom chat -c {talk.conversation_id}{server.options}"
        console.print(escape(hint), style="chat.note", soft_wrap=True)  # to be copied
