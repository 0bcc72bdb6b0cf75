"""``chatloom accounts``: list them, put one into a tier."""

from __future__ import annotations

from typing import Annotated

import typer

from chatloom.cli.shared import (
    AsJSON,
    Config,
    Database,
    at_desk,
    escape,
    out,
    print_json,
    print_rows,
    read_settings,
)

commands = typer.Typer(help="List accounts, and put them into tiers.", no_args_is_help=True)


@commands.command("list")
def list_accounts(db: Database = None, config: Config = None, as_json: AsJSON = False) -> None:
    """List every account, newest first."""
    with at_desk(db) as desk:
        found = desk.accounts(read_settings(config))
    if as_json:
        print_json(found)
        return
    columns = ("name", "id", "tier", "made")
    rows = [
        (escape(one.name), escape(one.id), escape(one.tier), one.created_at[:10])
        for one in found.accounts
    ]
    print_rows(columns, rows)


@commands.command("tier")
def set_tier(
    id: Annotated[str, typer.Argument(metavar="ID", help="The account's id.")],
    tier: Annotated[
        str | None, typer.Argument(metavar="[TIER]", help="A tier; none is the default one.")
    ] = None,
    db: Database = None,
    config: Config = None,
    as_json: AsJSON = False,
) -> None:
    """Put an account into a tier of the configuration."""
    with at_desk(db) as desk:
        changed = desk.set_tier(id, tier, read_settings(config))
    if as_json:
        print_json(changed)
    else:
        out.print(f"[bold]{escape(changed.name)}[/] ({escape(changed.id)}) is in {changed.tier}")
