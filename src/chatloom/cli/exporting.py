"""``chatloom export``."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Annotated

import msgspec
import typer

from chatloom.cli.shared import (
    Database,
    err,
    escape,
    existing_database,
    fail,
    failing_clearly,
)


def export(
    conversation: Annotated[
        str | None,
        typer.Argument(metavar="[CONVERSATION]", help="A conversation's id, or how it begins."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every conversation of an account.")] = False,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="The account, where there are several.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to be made; else it is printed.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace it, if it is there.")] = False,
    db: Database = None,
) -> None:
    """Write conversations as JSON Lines, also while a server goes on with them.

    Branches, messages, hashes, merges and checkpoints are all there; deleted messages keep their
    place and their hash. Turns and the ledger stay here: what a conversation took is told, and
    nothing of it is charged where it is imported.
    """
    if (conversation is None) != every:
        raise typer.BadParameter("name a conversation, or give --all")
    if account is not None and not every:
        raise typer.BadParameter("--account goes with --all")
    with failing_clearly():
        database = existing_database(db)
        if output is None or output == Path("-"):
            _write(database, conversation, account, None)
            return
        with _new_file(output, replace=force) as file:
            conversations, messages = _write(database, conversation, account, file)
    err.print(
        f"[bold green]exported[/] {conversations:,} conversation{_s(conversations)},"
        f" {messages:,} message{_s(messages)} to {escape(str(output))}"
    )


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _write(
    database: Path, conversation: str | None, account: str | None, file: IO[bytes] | None
) -> tuple[int, int]:
    """Write an archive, or print it; tell how many conversations and messages are in it."""
    from chatloom.server.archive.lines import Header, Message
    from chatloom.server.store.sqlite.exporting import export_file

    encode, conversations, messages = msgspec.json.Encoder().encode, 0, 0
    for line in export_file(database, conversation, account):
        if isinstance(line, Header):
            conversations = line.conversations
        messages += isinstance(line, Message)
        (file or sys.stdout.buffer).write(encode(line) + b"\n")
    (file or sys.stdout).flush()
    return conversations, messages


@contextmanager
def _new_file(target: Path, *, replace: bool) -> Generator[IO[bytes], None, None]:
    """A file that only its owner may read, and that has its name once it is whole."""
    if target.is_dir():
        fail(f"{target} is a folder; name the file to be made")
    if target.exists() and not replace:
        fail(f"{target} is there already; --force replaces it")
    try:
        opened, name = tempfile.mkstemp(".partial", f".{target.name}.", target.absolute().parent)
    except OSError as error:
        fail(f"{target} cannot be made: {error.strerror}")
    try:
        with os.fdopen(opened, "wb") as file:
            yield file
            os.fsync(file.fileno())
        Path(name).replace(target)
    except OSError as error:
        fail(f"{target} cannot be written: {error.strerror}")
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
