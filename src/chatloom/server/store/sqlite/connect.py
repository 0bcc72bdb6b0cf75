"""Connections to the database file, and bringing its schema up to date."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from chatloom.core.errors import SettingsError
from chatloom.server.store.sqlite.statements import migrations

APPLICATION_ID = 0x4C4F4F4D  # "LOOM", so that `file` and we can tell whose it is


MEMORY = Path(":memory:")
"""What SQLite calls a database that only its connection can see, and that ends with it."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the database for one thread at a time; transactions are left to the caller."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=10.0
    )
    try:
        _set_up(connection, read_only)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, read_only: bool) -> None:
    connection.execute("PRAGMA foreign_keys=ON")
    # What a statement of many rows would undo is kept in memory, not in a file in between.
    connection.execute("PRAGMA temp_store=MEMORY")
    # On macOS a plain fsync does not reach the drive's platter; elsewhere these do nothing.
    connection.execute("PRAGMA fullfsync=ON")
    connection.execute("PRAGMA checkpoint_fullfsync=ON")
    connection.execute("PRAGMA synchronous=NORMAL")
    if read_only:
        connection.execute("PRAGMA query_only=ON")


def open_for_reading(path: Path, *, older: bool = False) -> sqlite3.Connection:
    """Open a database without changing anything about it; what SQLite adds goes when it is closed.

    Raises `SettingsError` for a file that is not ours, or of another version; an *older* one
    may be allowed.
    """
    # Who may only read cannot remove the log that SQLite makes where there is none. One that is
    # there is a server's, or a crash's: the last to leave may write, and would empty it.
    mode = "ro" if path.with_name(f"{path.name}-wal").exists() else "rw"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None
        )
    except sqlite3.DatabaseError as error:
        raise _unusable(path, error) from error
    try:
        _check_version(connection, path, older=older)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(connection: sqlite3.Connection, path: Path, *, older: bool) -> None:
    try:
        connection.execute("PRAGMA query_only=ON")
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        version = schema_of(connection)
    except sqlite3.DatabaseError as error:
        raise _unusable(path, error) from error
    newest = migrations()[-1][0]
    readable = range(1, newest + 1) if older else (newest,)
    if owner != APPLICATION_ID or version not in readable:
        what = f"of schema {version}, not {newest}" if owner == APPLICATION_ID else "not chatloom's"
        raise SettingsError(f"{path} is {what}")


def schema_of(connection: sqlite3.Connection) -> int:
    """The number of the last migration that was applied."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _unusable(path: Path, error: sqlite3.DatabaseError) -> SettingsError:
    return SettingsError(f"{path} is not a database chatloom can use: {error}")


def prepare(path: Path) -> None:
    """Make the file if there is none, readable by its owner alone, and apply new migrations.

    Raises `SettingsError` for a file that is not ours, or newer than this program.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
        with closing(connect(path)) as connection:
            _check_owner(connection, path)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            _migrate(connection, path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be made: {error.strerror}") from error
    except sqlite3.DatabaseError as error:
        raise _unusable(path, error) from error


def connect_in_memory() -> sqlite3.Connection:
    """Open a database that is nowhere but here, its schema up to date."""
    connection = connect(MEMORY)
    _migrate(connection, MEMORY)
    return connection


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != APPLICATION_ID and tables:
        raise SettingsError(f"{path} is another program's database")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (done,) = connection.execute("PRAGMA user_version").fetchone()
    known = migrations()
    if done > known[-1][0]:
        raise SettingsError(f"{path} was written by a newer chatloom (schema {done})")
    connection.execute("PRAGMA foreign_keys=OFF")  # a table that is made anew is gone for a moment
    for number, script in known:
        if number > done:
            connection.executescript(f"BEGIN; {script}; PRAGMA user_version={number}; COMMIT;")
    connection.execute("PRAGMA foreign_keys=ON")
