"""``chatloom backup``."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from chatloom.cli.shared import (
    AsJSON,
    Database,
    err,
    escape,
    existing_database,
    failing_clearly,
    out,
    print_json,
)
from chatloom.wire.chatloom import Backup


def backup(
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="The file to be made.")],
    force: Annotated[bool, typer.Option("--force", help="Replace it, if it is there.")] = False,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Copy the database, also while a server writes it, and check the copy.

    DEST is a database like the one it was made of; it is whole, or not there.
    """
    if destination in (Path(), Path("-")):
        raise typer.BadParameter(f"{str(destination)!r} names no file to be made")
    target = destination.absolute()
    with failing_clearly():
        made = _make(existing_database(db), target, replace=force)
    if as_json:
        print_json(made)
        return
    if not made.checked:
        counted = "that it is whole; hashes and money were not, as an older chatloom wrote it"
    else:
        counted = ", ".join(f"{count:,} {what}" for what, count in made.checked.items())
    out.print(f"[bold green]saved[/] {escape(str(target))} ({made.bytes / 1e6:,.1f} MB)")
    out.print(f"  checked in the copy: {counted}")


def _make(database: Path, target: Path, *, replace: bool) -> Backup:
    from chatloom.server.store.sqlite.backup import back_up

    with _shown() as progress:
        health = back_up(database, target, replace=replace, progress=progress)
    return Backup(
        database=str(database),
        backup=str(target),
        bytes=target.stat().st_size,
        checked=health.checked,
        open_turns=health.open_turns,
    )


@contextmanager
def _shown() -> Generator[Callable[[int, int], None], None, None]:
    """A bar for people; nothing where nobody looks."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("copying", total=None)

        def tell(done: int, total: int) -> None:
            whole = done >= total
            text = "checking" if whole else "copying"
            bar.update(task, completed=min(done, total), total=total, description=text)

        yield tell
