"""``chatloom keys``: create, list, rotate, revoke."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from chatloom.cli.shared import (
    AsJSON,
    Database,
    at_desk,
    database_path,
    escape,
    out,
    print_json,
    print_rows,
    read_amount,
    read_name,
)
from chatloom.server.identity.powers import SCOPES, USER_SCOPES
from chatloom.wire.chatloom import Key, NewKey, Rotation

_KNOWN = ", ".join(sorted(SCOPES))
_DEFAULT = ", ".join(sorted(USER_SCOPES))

commands = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True)

Id = Annotated[
    str, typer.Argument(metavar="ID", help="The key's id, not its name; see `chatloom keys list`.")
]


@commands.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", parser=read_name, help="What it is for.")],
    account: Annotated[
        str | None, typer.Option(help="An account's id; by default a new account.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"Of {_KNOWN}; may be repeated. By default {_DEFAULT}."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Only these models; * is allowed; may be repeated.")
    ] = None,
    route: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these addresses: '/v1/chat/*', 'GET /v1/turns/*'; may be repeated."
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="The end user it belongs to: it sees only what is theirs.")
    ] = None,
    organization: Annotated[
        str | None, typer.Option(help="The organization that all it does counts for.")
    ] = None,
    per_minute: Annotated[
        int | None, typer.Option(help="Requests a minute; more are refused.")
    ] = None,
    days: Annotated[float | None, typer.Option(help="Days until it expires.")] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="USD", parser=read_amount, help="The most it may spend, in all."),
    ] = None,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="Its turns run on when nobody reads them.")
    ] = False,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Make a key. It is shown once."""
    wanted = {
        "name": name,
        "account_id": account,
        "scopes": scope or None,
        "models": model or None,
        "routes": route or None,
        "user": user,
        "organization": organization,
        "requests_per_minute": per_minute,
        "expires_in_days": days,
        "budget": budget,
        "unread": "run" if keep_running else "cancel",
    }
    with at_desk(db, make=True) as desk:
        _show_new(desk.create(msgspec.convert(wanted, NewKey)), as_json)
    if not as_json:
        out.print(f"  in {database_path(db).absolute()}")


@commands.command("rotate")
def rotate(
    id: Id,
    overlap: Annotated[float, typer.Option(help="Seconds the old secret keeps working.")] = 3600,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Give a key a new secret. It is shown once."""
    with at_desk(db) as desk:
        wanted = msgspec.convert({"overlap_seconds": overlap}, Rotation)
        _show_new(desk.rotate(id, wanted), as_json)
    if not as_json:
        out.print(f"  the old secret works {overlap:g} seconds more")


@commands.command("revoke")
def revoke(id: Id, db: Database = None, as_json: AsJSON = False) -> None:
    """Revoke a key, at once."""
    with at_desk(db) as desk:
        key = desk.revoke(id)
    if as_json:
        print_json(key)
    else:
        out.print(f"revoked [bold]{escape(key.name)}[/] ({key.id})")


@commands.command("list")
def list_keys(db: Database = None, as_json: AsJSON = False) -> None:
    """List every key, without secrets."""
    with at_desk(db) as desk:
        found = desk.list()
    if as_json:
        print_json(found)
        return
    print_rows(_COLUMNS, [_row(key) for key in found.keys])


_COLUMNS = (
    "name",
    "id",
    "account",
    "begins with",
    "scopes",
    "state",
    "last used",
    "budget left",
    "unread turns",
)


def _row(key: Key) -> tuple[str, ...]:
    return (
        escape(key.name),
        key.id,
        escape(key.account_id),
        key.hint,
        ", ".join(key.scopes),
        _state(key),
        key.last_used_at or "-",
        _budget(key),
        "run on" if key.unread == "run" else "are cancelled",
    )


def _budget(key: Key) -> str:
    if key.budget is None or key.budget.left is None:
        return "-"
    return f"{key.budget.left} of {key.budget.amount}"


def _state(key: Key) -> str:
    if key.revoked_at:
        return "[red]revoked[/]"
    if key.expires_at and datetime.fromisoformat(key.expires_at) <= datetime.now(UTC):
        return "[red]expired[/]"
    if key.expires_at:
        return f"until {key.expires_at[:10]}"
    return "[yellow]dev[/]" if key.dev else "[green]active[/]"


def _show_new(key: Key, as_json: bool) -> None:
    if as_json:
        print_json(key)
        return
    out.print(f"[bold]{key.secret}[/]")
    out.print(f"  {escape(key.name)} ({key.id}), account {key.account_id}; shown only now")
