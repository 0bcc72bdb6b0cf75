"""Copying a database that is in use into one file, whole and checked, or not at all."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeAlias

from chatloom.core.errors import SettingsError
from chatloom.server.store.contract import Health
from chatloom.server.store.sqlite.check import check_copy
from chatloom.server.store.sqlite.connect import open_for_reading, schema_of
from chatloom.server.store.sqlite.statements import migrations
from chatloom.server.store.sqlite.words import purge_words

if sys.platform == "darwin":
    import fcntl

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many bytes were copied, of about how many."""

_STEPS_BETWEEN_WORDS = 50_000
"""Of SQLite's virtual machine: some ten times a second."""


class Damaged(SettingsError):
    """The copy did not pass its check, and was thrown away."""

    def __init__(self, database: Path, health: Health) -> None:
        super().__init__(
            f"the copy of {database} did not pass its check ({len(health.problems)} problems),"
            " so it was not kept; `chatloom doctor` tells more of them"
        )
        self.health = health


def back_up(database: Path, target: Path, *, replace: bool, progress: Progress) -> Health:
    """Copy *database*, which a server may have open, to *target*, and check the copy.

    *target* is there whole or, after any failure, as it was before. Raises
    `SettingsError` for a target that may not be written, and `Damaged`.
    """
    _check_target(database, target, replace)
    copy = _new_file_beside(target)
    try:
        _copy(database, copy, progress)
        _purge(copy)
        health = check_copy(copy)
        if health.problems:
            raise Damaged(database, health)
        _sync(copy)
        copy.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise SettingsError(f"{target} cannot be made: {error.strerror}") from error
    finally:
        with suppress(FileNotFoundError):
            copy.unlink()
    return health


def _check_target(database: Path, target: Path, replace: bool) -> None:
    folder = target.parent
    if not folder.is_dir():
        raise SettingsError(f"{target} cannot be made: there is no folder {folder}")
    if target.is_dir():
        raise SettingsError(f"{target} is a folder; name the file to be made")
    own = [_beside(database.resolve(), ending) for ending in ("", *_LOGS, "-shm", ".lock")]
    if folder.resolve() / target.name in own or (target.exists() and target.samefile(database)):
        raise SettingsError(f"{target} is the database itself, or belongs to it")
    for log in (_beside(target, ending) for ending in _LOGS):
        if log.exists():  # SQLite would take it for the copy's own, and mix both
            raise SettingsError(f"{target} is a database in use: {log.name} lies beside it")
    if target.exists() and not replace:
        raise SettingsError(f"{target} is there already; --force replaces it")


_LOGS = ("-wal", "-journal")


def _new_file_beside(target: Path) -> Path:
    """An empty file that only its owner may read."""
    try:
        opened, name = tempfile.mkstemp(".partial", f".{target.name}.", target.parent)
    except OSError as error:
        raise SettingsError(f"{target} cannot be made: {error.strerror}") from error
    os.close(opened)
    return Path(name)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _copy(database: Path, copy: Path, progress: Progress) -> None:
    """Write one consistent view of *database*, without what was deleted from it.

    SQLite's backup API takes half the time, and copies the remains of deleted rows too.
    """
    with closing(open_for_reading(database, older=True)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()

        def tell() -> None:
            progress(copy.stat().st_size, pages * size)

        connection.set_progress_handler(tell, _STEPS_BETWEEN_WORDS)
        connection.execute("PRAGMA query_only=OFF")  # it counts the copy, too
        try:
            connection.execute("VACUUM INTO ?", (str(copy),))
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise KeyboardInterrupt from None  # it came while progress was told
            raise SettingsError(f"{database} cannot be copied: {error}") from error
    progress(pages * size, pages * size)


def _purge(copy: Path) -> None:
    """Take out the words of deleted messages, which an index of words only marks as such."""
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        if schema_of(connection) == migrations()[-1][0]:
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("BEGIN")
            purge_words(connection)
            connection.execute("COMMIT")


def _sync(path: Path) -> None:
    """Have the disk itself keep a file, or a folder's names."""
    if path.is_dir() and sys.platform == "win32":
        return  # it keeps names by itself, and opens no folders
    opened = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        if sys.platform == "darwin":
            fcntl.fcntl(opened, fcntl.F_FULLFSYNC)
        else:
            os.fsync(opened)
    finally:
        os.close(opened)
