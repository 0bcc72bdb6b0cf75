"""``chatloom import``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import IO, Annotated

import typer

from chatloom.cli.shared import AsJSON, Database, at_desk, escape, fail, out, print_json
from chatloom.wire.chatloom import Imported, NewImport

_NAMED = 5
"""Conversations whose new ids are told."""


def import_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `chatloom export` wrote; - to read it.")
    ],
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="The account it goes to; else the only one.")
    ] = None,
    as_new: Annotated[
        bool, typer.Option("--as-new", help="Give everything new ids; hashes stay the same.")
    ] = False,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Import conversations, also into a running server: all of a file, or nothing.

    Every hash, parent and branch is checked first. Ids are kept, and a conversation that is here
    already is refused. What was imported cost nothing here: what it took elsewhere is kept in its
    metadata, as chatloom.imported.
    """
    with _opened(file) as opened, at_desk(db) as desk:
        done = desk.import_archive(opened, NewImport(account_id=account, as_new=as_new))
    if as_json:
        print_json(done)
    else:
        _tell(done, as_new=as_new)


def _opened(file: Path) -> IO[bytes]:
    """A file to be read more than once."""
    if file != Path("-"):
        try:
            return file.open("rb")
        except OSError as error:
            fail(f"{file} cannot be read: {error.strerror}")
    spooled = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who takes it
    shutil.copyfileobj(sys.stdin.buffer, spooled)
    return spooled


def _tell(done: Imported, *, as_new: bool) -> None:
    figures = (
        (len(done.conversations), "conversation", "conversations"),
        (done.branches, "branch", "branches"),
        (done.messages, "message", "messages"),
        (done.checkpoints, "checkpoint", "checkpoints"),
    )
    counted = [f"{count:,} {one if count == 1 else many}" for count, one, many in figures if count]
    what = ", ".join(counted) or "nothing: there is no conversation in it"
    out.print(f"[bold green]imported[/] {what}")
    out.print(f"  into the account {escape(done.account_id)}")
    for id in done.conversations[:_NAMED] if as_new else ():
        out.print(f"  as {id}")
    if as_new and len(done.conversations) > _NAMED:
        out.print("  …")
