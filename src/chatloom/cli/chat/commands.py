"""What begins with a slash."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from chatloom.cli.chat import branching
from chatloom.cli.chat.saving import free_name, save

if TYPE_CHECKING:
    from chatloom.cli.chat.session import Session


class Leave(Exception):
    """The user has had enough."""


class Command(msgspec.Struct, frozen=True):
    """One command of the prompt."""

    takes: str
    about: str
    act: Callable[[Session, str], None]


def obey(session: Session, line: str) -> None:
    """Do what *line*, which begins with a slash, says."""
    name, _, argument = line.removeprefix("/").partition(" ")
    if "\n" in name:
        name, _, argument = line.removeprefix("/").partition("\n")
    command = COMMANDS.get(name)
    if command is not None:
        command.act(session, argument.strip())
        return
    near = get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    hint = f"did you mean /{near[0]}?" if near else "/help lists those there are."
    session.complain(f"There is no /{name[:40]}; {hint} To send it as it is, begin with //.")


def _help(session: Session, _: str) -> None:
    width = max(len(f"/{name} {command.takes}") for name, command in COMMANDS.items())
    for name, command in COMMANDS.items():
        session.tell(f"{f'/{name} {command.takes}':{width}}  {command.about}")
    session.note(
        "\nAlt-Enter (or Esc, Enter) begins a new line, Ctrl-R searches what you typed before,\n"
        "Tab completes, Ctrl-C stops an answer, Ctrl-D leaves. //text sends /text."
    )


def _model(session: Session, wanted: str) -> None:
    if not wanted:
        session.list_models(session.ask_for_models())
        return
    names = session.models()
    found = _matching(wanted, names)
    if len(found) > 1:
        session.complain(f"{wanted} could be any of these:")
        session.list_models(found)
        return
    session.talk.model = found[0] if found else wanted
    session.note(f"{session.talk.model} answers from here on.")
    if not found and names:
        session.complain(
            f"But the server does not list {wanted}: if it does not know it either, questions fail."
        )


def _matching(wanted: str, names: Iterable[str]) -> list[str]:
    """The models that *wanted* means: itself, or those that its letters are in."""
    name, mark, options = wanted.partition("?")
    if name in names:
        return [wanted]
    return [f"{one}{mark}{options}" for one in names if name.lower() in one.lower()]


def _system(session: Session, text: str) -> None:
    talk = session.talk
    if text:
        talk.system = None if text == "-" else text
    if talk.system is None:
        session.note("There is no system prompt." if not text else "The system prompt is removed.")
    else:
        session.note(f"The system prompt is: {talk.system}")


def _new(session: Session, _: str) -> None:
    session.talk.begin_again()
    session.note("A new conversation begins.")


def _retry(session: Session, _: str) -> None:
    question = session.talk.take_back()
    if question is None:
        session.complain("Nothing was asked yet.")
    else:
        session.ask(question)


def _save(session: Session, name: str, *, overwrite: bool = False) -> None:
    if not session.talk.said:
        session.complain("Nothing was said yet.")
        return
    path = Path(name).expanduser() if name else free_name(session.talk, Path())
    try:
        save(session.talk, path, overwrite=overwrite)
    except FileExistsError:
        session.complain(f"{path} is there already; /save! {path} replaces it.")
    except OSError as error:
        session.complain(f"{path} cannot be written: {error.strerror}")
    else:
        session.note(f"Saved as {path}")


def _replace(session: Session, name: str) -> None:
    _save(session, name, overwrite=bool(name))


def _exit(_: Session, __: str) -> None:
    raise Leave


COMMANDS = {
    "model": Command("[NAME]", "list the models, or let another one answer", _model),
    "system": Command("[TEXT]", "show or set the system prompt; - removes it", _system),
    "new": Command("", "begin a new conversation", _new),
    "retry": Command("", "ask the last question again", _retry),
    "fork": Command("[NAME]", "begin a branch at what was said last", branching.fork),
    "branches": Command("", "list the branches of this conversation", branching.show),
    "switch": Command("NAME", "go on on another branch, by name or number", branching.switch),
    "merge": Command("[NAME]", "merge this branch, or another, into its parent", branching.merge),
    "diff": Command("[NAME]", "what this branch and another have of their own", branching.diff),
    "save": Command("[FILE]", "save the talk as Markdown, or .json", _save),
    "save!": Command("FILE", "the same, in place of a file that is there", _replace),
    "help": Command("", "show this list", _help),
    "exit": Command("", "leave", _exit),
}
