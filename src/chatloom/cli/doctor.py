"""``chatloom doctor``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from chatloom.cli.shared import (
    AsJSON,
    Database,
    escape,
    existing_database,
    failing_clearly,
    out,
    print_json,
)
from chatloom.wire import chatloom as wire

if TYPE_CHECKING:
    from pathlib import Path

    from chatloom.server.store.contract import Problem


def doctor(db: Database = None, as_json: AsJSON = False) -> None:
    """Check the database: every hash, every turn's money, loose ends. Exits with 1 for problems."""
    with failing_clearly():
        found = _check(existing_database(db))
    if as_json:
        print_json(found)
    else:
        _show(found)
    if found.status != "ok":
        raise typer.Exit(1)


def _check(path: Path) -> wire.Checkup:
    from chatloom.server.lock import is_held
    from chatloom.server.store.sqlite import check_file
    from chatloom.server.store.sqlite.statements import migrations

    running = is_held(path)
    health = check_file(path)
    return wire.Checkup(
        status="problems" if health.problems else "ok",
        schema=migrations()[-1][0],  # another one is refused
        checked=health.checked,
        running=running,
        open_turns=health.open_turns,
        notes=_tell(health.notes),
        problems=_tell(health.problems),
    )


def _tell(problems: Sequence[Problem]) -> list[wire.Problem]:
    return [wire.Problem(one.check, one.subject, one.detail) for one in problems]


def _show(found: wire.Checkup) -> None:
    counted = ", ".join(f"{count:,} {what}" for what, count in found.checked.items())
    out.print(f"checked {counted}")
    if count := len(found.open_turns):
        fate = "running" if found.running else "left by a crash, settled at the next start"
        out.print(f"[yellow]open turns: {count:,}[/] ({fate})")
    for colour, told in (("yellow", found.notes), ("red", found.problems)):
        for one in told:
            out.print(f"[{colour}]{one.check}[/] {escape(f'{one.subject}: {one.detail}')}")
    if not found.problems:
        out.print("[green]all is well[/]")
