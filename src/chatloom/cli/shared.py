"""What the commands have in common: options, output, and how they fail."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import msgspec
import typer
from rich.console import Console, RenderableType
from rich.markup import escape as escape_markup
from rich.measure import Measurement
from rich.table import Table

from chatloom.core.errors import ChatloomError, SettingsError
from chatloom.server.settings import ServerSettings, load
from chatloom.transports.home import config_folder
from chatloom.wire.chatloom import USD, Name

if TYPE_CHECKING:
    from chatloom.cli.desk import Desk

T = TypeVar("T")

Database = Annotated[
    Path | None, typer.Option("--db", help="The database file.", envvar="CHATLOOM_DB")
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="chatloom.toml; by default the one in your configuration folder.",
        envvar="CHATLOOM_CONFIG",
    ),
]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


# In a pipe there is no width to fit into, and programs want tables uncut. An address may hold what
# is the name of an emoji, too.
out = Console(
    highlight=False, emoji=False, soft_wrap=True, width=None if sys.stdout.isatty() else 1000
)
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def escape(text: str) -> str:
    """Make *text*, whoever wrote it, plain: neither markup nor word to the terminal."""
    return escape_markup(printable(text))


def printable(text: str) -> str:
    """Make *text*, whoever wrote it, no word to the terminal."""
    if text.isprintable():
        return text
    shown = (one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return "".join(shown)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print *rows*, the first column being their names: as a table, else as a block for each.

    Nothing is ever cut: ids are there to be copied.
    """
    table = Table(box=None, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    if not out.is_terminal or _width(table) <= out.width:
        print_table(table)
        return
    label = max(map(len, columns))
    for name, *rest in rows:
        out.print(f"[bold]{name}[/]")
        for column, text in zip(columns[1:], rest, strict=True):
            out.print(f"  {column:{label}}  {text}")


def _width(table: Table) -> int:
    endless = out.options.update(max_width=10_000)
    return Measurement.get(out, endless, table).maximum


def print_table(table: RenderableType, *, wrap: bool = False) -> None:
    """Print *table*; in a pipe, without the blanks that fill its lines up."""
    if out.is_terminal:
        out.print(table, soft_wrap=not wrap)
        return
    with out.capture() as captured:
        out.print(table, soft_wrap=not wrap)
    out.file.writelines(f"{line.rstrip()}\n" for line in captured.get().split("\n")[:-1])
    out.file.flush()


def database_path(given: Path | None, *, dev: bool = False) -> Path:
    """The database *given*, else the user's own one.

    Raises `SettingsError` for one in a folder that is not there: more likely a
    slip than a wish for that folder.
    """
    if given is None:
        return _own_database(dev=dev)
    folder = given.absolute().parent
    if not folder.is_dir():
        raise SettingsError(f"{given} cannot be the database: there is no folder {folder}")
    return given


def existing_database(given: Path | None) -> Path:
    """The database *given*, else the user's own one; fails where there is none."""
    path = database_path(given).absolute()
    if not path.exists():
        fail(f"there is no database at {path}; --db names another one, or CHATLOOM_DB")
    return path


def _own_database(*, dev: bool) -> Path:
    return _data_folder() / ("dev.db" if dev else "chatloom.db")


def _data_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "chatloom"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "chatloom"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "chatloom"


def read_settings(given: Path | None) -> ServerSettings:
    """The configuration *given*, else the user's own, else the defaults.

    Never the one in the current folder: it could send any variable of the
    environment to any address.
    """
    own = config_folder() / "chatloom.toml"
    return load(given or (own if own.is_file() else None))


def print_json(value: object) -> None:
    """Print *value* as one JSON document."""
    told = msgspec.json.format(msgspec.json.encode(value)).decode()
    # What is no letter means the same escaped, and nothing to a terminal.
    shown = (one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in told)
    sys.stdout.write("".join(shown) + "\n")
    sys.stdout.flush()


def read_amount(text: str) -> str:
    """An amount as it may be sent; else say what one looks like."""
    try:
        return msgspec.convert(text, USD)
    except msgspec.ValidationError:
        raise typer.BadParameter(
            f"{text!r} is no amount; write dollars below a million, such as 5 or 0.25"
        ) from None


def read_name(text: str) -> str:
    """A name as it may be given; else say what one looks like."""
    try:
        return msgspec.convert(text, Name)
    except msgspec.ValidationError:
        raise typer.BadParameter(
            f"{text!r} is no name; that has 1 to 200 characters, all of them visible"
        ) from None


def fail(message: str) -> NoReturn:
    """Say why on standard error, and exit with 1."""
    lines = "\n".join(map(escape, message.split("\n")))
    err.print(f"[bold red]chatloom:[/] {lines}")
    raise typer.Exit(1)


@contextmanager
def failing_clearly() -> Generator[None, None, None]:
    """Turn chatloom's own errors, and arguments that are no text, into a line and an exit code."""
    try:
        yield
    except ChatloomError as error:
        fail(error.message)
    except UnicodeEncodeError:
        fail("what was given holds bytes that are no text")


@contextmanager
def opened(
    part: Callable[[Path], AbstractContextManager[T]], db: Path | None, *, make: bool = False
) -> Generator[T, None, None]:
    """Open a *part* of the database *db*, else of the user's own one; refusals become a line.

    Where there is none it is made only if that is wished: most commands look for what is there.
    """
    from chatloom.server.refusal import Refusal

    with failing_clearly():
        try:
            path = database_path(db).absolute() if make else existing_database(db)
            with part(path) as it:
                yield it
        except (Refusal, msgspec.ValidationError) as error:
            fail(str(error))


def at_desk(db: Path | None, *, make: bool = False) -> AbstractContextManager[Desk]:
    """Open the desk, where keys, budgets and tiers are given."""
    from chatloom.cli.desk import desk

    return opened(desk, db, make=make)
