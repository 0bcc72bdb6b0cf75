"""``chatloom knowledge``: add, list, search, remove."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from chatloom.cli.papers import Skipped, content_of, files_of
from chatloom.cli.shared import (
    AsJSON,
    Database,
    err,
    escape,
    fail,
    opened,
    out,
    print_json,
    print_rows,
)
from chatloom.core.errors import StatusError
from chatloom.server.refusal import Refusal
from chatloom.wire.infinity import Entry, Filters, KnowledgeQuery, NewEntry, Result
from chatloom.wire.knowledge import AccountQuery, EntriesOfAccount, EntryOfAccount

if TYPE_CHECKING:
    from chatloom.cli.shelf import Shelf

commands = typer.Typer(help="Keep what an account knows.", no_args_is_help=True)

Account = Annotated[
    str | None, typer.Option(metavar="ID", help="The account; by default the only one.")
]
Type = Annotated[str, typer.Option(metavar="TYPE", help="document, wisdom, pattern or gotcha.")]
SomeType = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only of this type.")]
Domain = Annotated[str | None, typer.Option(metavar="NAME", help="The domain it is in.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="NAME", help="May be repeated.")]


class Added(msgspec.Struct):
    """What became of each file."""

    added: list[Entry]
    skipped: dict[str, str]


@commands.command("add")
def add(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Files, and folders with all in them.")
    ],
    account: Account = None,
    type: Type = "document",
    domain: Domain = None,
    tag: Tags = None,
    title: Annotated[
        str | None, typer.Option(help="Of the only file; by default its name.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="From 0 to 1.")] = 1.0,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Read files, and know what they say: text, Markdown, HTML, PDF.

    Files that nothing reads, or that are not what their names say, are left out and named.
    """
    said: dict[str, object] = {
        "type": type,
        "domain": domain,
        "tags": tag or [],
        "confidence": confidence,
    }
    named = AccountQuery(account_id=account)
    if absent := next((path for path in paths if not path.exists()), None):
        fail(f"there is no {absent}")
    files = list(files_of(paths))
    if title is not None and len(files) != 1:
        raise typer.BadParameter(f"one title is for one file, and there are {len(files)}")
    done = Added([], {})
    with _at_shelf(db) as shelf:
        msgspec.convert({**said, "title": "x", "content": "x"}, NewEntry)  # before any is added
        for file in _shown(files):
            try:
                done.added.append(_add(shelf, named, file, title, said))
            except Skipped as skipped:
                done.skipped[str(file)] = str(skipped)
    if as_json:
        print_json(done)
    else:
        _tell(done)
    if not done.added:
        raise typer.Exit(1)


def _add(
    shelf: Shelf, account: AccountQuery, file: Path, title: str | None, said: dict[str, object]
) -> Entry:
    """Let a file be known. Raises `Skipped` where that file is at fault."""
    content, format = content_of(file)
    told = {
        **said,
        "title": title or file.stem,
        "content": content,
        "format": format,
        "source": file.absolute().as_uri(),
    }
    try:
        return shelf.add(account, msgspec.convert(told, NewEntry)).entry
    except (Refusal, StatusError) as error:
        if error.code not in _OF_THE_FILE:
            raise
        raise Skipped(str(error).partition("content: ")[2] or str(error)) from error


_OF_THE_FILE = frozenset({"unreadable", "not_installed"})
"""Refusals that concern one file, and not the next."""


def _shown(files: list[Path]) -> Iterator[Path]:
    """The files, with a bar for people that says how many are done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("reading", total=len(files))
        for file in files:
            bar.update(task, description=escape(file.name))
            yield file
            bar.advance(task)


def _tell(done: Added) -> None:
    for path, why in done.skipped.items():
        err.print(f"[yellow]skipped[/] {escape(path)}: {escape(why)}")
    passages = sum(entry.passages for entry in done.added)
    count = len(done.added)
    files = "1 file" if count == 1 else f"{count:,} files"
    out.print(f"[bold green]added[/] {files} in {passages:,} passages")
    if done.skipped:
        out.print(f"  {len(done.skipped):,} skipped")


@commands.command("list")
def list_entries(
    account: Account = None,
    type: SomeType = None,
    domain: Domain = None,
    tag: Annotated[str | None, typer.Option(metavar="NAME", help="Only with this tag.")] = None,
    limit: Annotated[int, typer.Option(help="The most to be listed.")] = 50,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """List what an account knows, the newest first."""
    told = {"account_id": account, "type": type, "domain": domain, "tag": tag, "limit": limit}
    with _at_shelf(db) as shelf:
        page = shelf.page(msgspec.convert(told, EntriesOfAccount))
    if as_json:
        print_json(page)
        return
    if page.entries:
        print_rows(_COLUMNS, [_row(entry) for entry in page.entries])
    if page.total > len(page.entries):
        err.print(f"{page.total:,} in all")
    if not page.total:
        err.print("nothing is known")


_COLUMNS = ("title", "id", "type", "domain", "tags", "confidence", "passages", "changed")


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        escape(entry.title),
        entry.id,
        entry.type,
        escape(entry.domain or "-"),
        escape(", ".join(entry.tags) or "-"),
        f"{entry.confidence:g}",
        f"{entry.passages:,}",
        entry.updated_at[:10],
    )


@commands.command("search")
def search(
    query: Annotated[list[str], typer.Argument(metavar="WORD…", help="What is looked for.")],
    account: Account = None,
    type: SomeType = None,
    domain: Domain = None,
    tag: Tags = None,
    limit: Annotated[int, typer.Option(help="The most to be told.")] = 5,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Find what an account knows: the best passage of each entry."""
    told = {"type": type, "domain": domain, "tags": tag}
    with _at_shelf(db) as shelf:
        filters = msgspec.convert(told, Filters)
        asked = {"query": " ".join(query), "limit": limit, "filters": filters}
        found = shelf.search(
            AccountQuery(account_id=account), msgspec.convert(asked, KnowledgeQuery)
        )
    if as_json:
        print_json(found)
        return
    for result in found.results:
        _tell_result(result)
    if found.total > len(found.results):
        err.print(f"{found.total:,} entries match")
    if not found.results:
        err.print("nothing was found")


def _tell_result(result: Result) -> None:
    out.print(f"[bold]{escape(result.title)}[/] {result.score:.2f} [dim]{result.id}[/]")
    for piece in result.highlights:
        out.print(f"  {_emphasized(piece)}")


def _emphasized(piece: str) -> str:
    """What stands in ``**``, in bold."""
    parts = piece.split("**")
    told = (f"[bold]{escape(part)}[/]" if n % 2 else escape(part) for n, part in enumerate(parts))
    return "".join(told)


@commands.command("remove")
def remove(
    id: Annotated[str, typer.Argument(metavar="ID", help="See `chatloom knowledge list`.")],
    account: Account = None,
    db: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Let an account forget an entry."""
    with _at_shelf(db) as shelf:
        told = msgspec.convert({"account_id": account, "id": id}, EntryOfAccount)
        entry = shelf.remove(told).entry
    if as_json:
        print_json(entry)
    else:
        out.print(f"removed [bold]{escape(entry.title)}[/] ({entry.id})")


def _at_shelf(db: Path | None) -> AbstractContextManager[Shelf]:
    from chatloom.cli.shelf import shelf

    return opened(shelf, db)
