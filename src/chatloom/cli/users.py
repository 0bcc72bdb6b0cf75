"""``chatloom users``: create, list, disable, give another password."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from chatloom.cli.shared import (
    AsJSON,
    Database,
    at_desk,
    database_path,
    escape,
    fail,
    out,
    print_json,
    print_rows,
    read_name,
)
from chatloom.wire.people import NewPerson, Password, Person, PersonChange

if TYPE_CHECKING:
    from chatloom.cli.desk import Desk

commands = typer.Typer(
    help="Make people who log in, list and disable them. Not the end users that keys name.",
    no_args_is_help=True,
)

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", parser=read_name, help="The name they log in by."),
]


@commands.command("create")
def create(name: Name, db: Database = None, as_json: AsJSON = False) -> None:
    """Make somebody an account. Asks for the password, or reads it from a pipe."""
    password = _read_password()
    with at_desk(db, make=True) as desk:
        made = desk.add_person(msgspec.convert({"login": name, "password": password}, NewPerson))
    if as_json:
        print_json(made)
        return
    out.print(f"[bold]{escape(made.login)}[/] can log in; account {made.account_id}")
    out.print(f"  in {database_path(db).absolute()}")


@commands.command("list")
def list_people(db: Database = None, as_json: AsJSON = False) -> None:
    """List everybody who logs in."""
    with at_desk(db) as desk:
        found = desk.people()
    if as_json:
        print_json(found)
        return
    print_rows(("name", "account", "made", "state"), [_row(person) for person in found.people])


@commands.command("disable")
def disable(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let them log in again.")] = False,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Let somebody log in no more, and end their sessions at once. API keys are revoked apart."""
    with at_desk(db) as desk:
        changed = desk.change_person(_id_of(desk, name), PersonChange(disabled=not undo))
    told = "can log in again" if undo else "is disabled; their sessions have ended"
    _tell(changed, told, as_json)


@commands.command("password")
def set_password(name: Name, db: Database = None, as_json: AsJSON = False) -> None:
    """Give somebody another password, and end their sessions. Asks for it, or reads a pipe."""
    password = _read_password()
    with at_desk(db) as desk:
        wanted = PersonChange(password=password)
        changed = desk.change_person(_id_of(desk, name), wanted)
    _tell(changed, "has another password; their sessions have ended", as_json)


def _tell(changed: Person, done: str, as_json: bool) -> None:
    if as_json:
        print_json(changed)
    else:
        out.print(f"[bold]{escape(changed.login)}[/] {done}")


def _id_of(desk: Desk, name: str) -> str:
    """The id of who logs in by *name*; in an old file there may be one of ``--dev``, too."""
    from chatloom.server.identity.people import comparable

    found = [one for one in desk.people().people if one.login == comparable(name)]
    if not found:
        fail(f"nobody logs in by the name {name!r}; see `chatloom users list`")
    return min(found, key=lambda one: one.dev).id


def _read_password() -> str:
    """A password, asked for twice, or the first line of what is piped in."""
    if sys.stdin.isatty():
        told = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        told = sys.stdin.readline().rstrip("\r\n")
    try:
        return msgspec.convert(told, Password)
    except msgspec.ValidationError:
        fail("that is no password: it has 8 to 1024 characters")


def _row(person: Person) -> tuple[str, ...]:
    state = "[red]disabled[/]" if person.disabled_at else "[green]active[/]"
    if person.dev:
        state = f"{state} [yellow]dev[/]"
    return escape(person.login), person.account_id, person.created_at[:10], state
