"""The line a user types on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style

from chatloom.cli.chat.commands import COMMANDS

_MARK = "> "

_STYLE = Style.from_dict(
    {
        "mark": "ansicyan bold",
        "bottom-toolbar": "noreverse",
        "bottom-toolbar.text": "ansibrightblack",
        "completion-menu.completion": "bg:default fg:default",
        "completion-menu.completion.current": "reverse",
        "completion-menu.meta.completion": "bg:default fg:ansibrightblack",
        "completion-menu.meta.completion.current": "bg:default fg:ansibrightblack",
    }
)


class Names(Protocol):
    """Knows what a command may name."""

    def models(self) -> Sequence[str]: ...
    def branches(self) -> Sequence[str]: ...


class Prompt:
    """Reads what the user types; a line, or several."""

    def __init__(
        self,
        history: Path | None,
        names: Names,
        status: Callable[[], Sequence[str]],
        *,
        input: Input | None = None,
        output: Output | None = None,
    ) -> None:
        self._status = status
        self._wants_to_leave = False
        self._session: PromptSession[str] = PromptSession(
            [("class:mark", _MARK)],
            multiline=True,
            prompt_continuation=" " * len(_MARK),
            history=_history(history),
            completer=Completing(names),
            complete_while_typing=Condition(self._is_command),
            complete_in_thread=True,
            bottom_toolbar=self._toolbar,
            key_bindings=self._keys(),
            style=_STYLE,
            search_ignore_case=True,
            enable_open_in_editor=True,
            input=input,
            output=output,
        )
        self._session.default_buffer.on_text_changed += self._stays

    def read(self) -> str:
        """Read what is typed next. Raises `EOFError` when there will be no more."""
        self._wants_to_leave = False
        return self._session.prompt()

    def _is_command(self) -> bool:
        return self._session.default_buffer.text.startswith("/")

    def _stays(self, _: object) -> None:
        self._wants_to_leave = False

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter", filter=~Condition(self._searches))
        def send(event: KeyPressEvent) -> None:
            if event.current_buffer.text.strip():
                event.current_buffer.validate_and_handle()

        @keys.add("escape", "enter")
        def new_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("c-c", filter=~Condition(self._searches))
        def clear(event: KeyPressEvent) -> None:
            if self._wants_to_leave:
                event.app.exit(exception=EOFError)
            event.current_buffer.reset()
            self._wants_to_leave = True

        del send, new_line, clear
        return keys

    def _searches(self) -> bool:
        return self._session.app.layout.is_searching

    def _toolbar(self) -> StyleAndTextTuples:
        if self._wants_to_leave:
            return [("", " Ctrl-C again leaves")]
        return [("", " " + fitting(self._status(), self._session.output.get_size().columns - 2))]


def fitting(parts: Sequence[str], width: int) -> str:
    """Join as many of *parts* as fit into *width*; the first ones matter most."""
    line = ""
    for part in filter(None, parts):
        longer = f"{line} · {part}" if line else part
        if len(longer) > width:
            break
        line = longer
    return line


class Completing(Completer):
    """Completes commands, and what they take."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._paths = PathCompleter(expanduser=True)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        name, space, argument = text[1:].partition(" ")
        if not space:
            for command, known in COMMANDS.items():
                if command.startswith(name):
                    yield Completion(f"/{command}", -len(text), display_meta=known.about)
        elif name == "model":
            yield from _containing(argument, self._names.models())
        elif name in {"switch", "merge", "diff"}:
            yield from _containing(argument, self._names.branches())
        elif name.startswith("save"):
            yield from self._paths.get_completions(Document(argument), complete_event)


def _containing(part: str, names: Sequence[str]) -> Iterable[Completion]:
    for name in names:
        if part.lower() in name.lower():
            yield Completion(name, -len(part))


def _history(path: Path | None) -> History:
    """What was typed before; nobody else may read it."""
    if path is not None:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            path.chmod(0o600)
            return FileHistory(path)
    return InMemoryHistory()
