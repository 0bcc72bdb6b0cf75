"""``chatloom doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from chatloom.cli.shared import (
    AsJSON,
    Database,
    database_path,
    fail,
    failing_clearly,
    out,
    print_json,
)
from chatloom.wire import chatloom as wire

if TYPE_CHECKING:
    from pathlib import Path


def doctor(db: Database = None, as_json: AsJSON = False) -> None:
    """Check the database: every hash, every balance, loose ends. Exits with 1 for problems."""
    with failing_clearly():
        path = database_path(db).absolute()
        if not path.exists():
            fail(f"there is no database at {path}")
        found = _check(path)
    if as_json:
        print_json(found)
    else:
        _show(found)
    if found.status != "ok":
        raise typer.Exit(1)


def _check(path: Path) -> wire.Checkup:
    from chatloom.server.store.sqlite import check_file

    health = check_file(path)
    return wire.Checkup(
        status="problems" if health.problems else "ok",
        checked=health.checked,
        open_turns=health.open_turns,
        problems=[wire.Problem(one.check, one.subject, one.detail) for one in health.problems],
    )


def _show(found: wire.Checkup) -> None:
    counted = ", ".join(f"{count} {what}" for what, count in found.checked.items())
    out.print(f"checked {counted}")
    if found.open_turns:
        count = len(found.open_turns)
        out.print(f"[yellow]open turns: {count}[/] (running, or left by a crash)")
    for problem in found.problems:
        out.print(f"[red]{problem.check}[/] {escape(f'{problem.subject}: {problem.detail}')}")
    if not found.problems:
        out.print("[green]all is well[/]")
