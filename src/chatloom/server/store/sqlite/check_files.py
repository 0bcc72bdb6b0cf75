"""What lies around a database, and what it wastes: worth knowing, and no damage."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from chatloom.server.lock import is_held, left_lock
from chatloom.server.store.contract import Problem

_LARGE_LOG = 64 * 1024 * 1024
"""Bytes beyond which a running server's log is worth a word; it is taken in at 4 MB or so."""
_MUCH_FREE = 1024 * 1024
"""Bytes of free pages worth a word, where they are also a quarter of the file."""


def list_surroundings(database: Path) -> list[Problem]:
    """What is to be said of the files; ask before opening them, as that makes some."""
    return [*_mode(database), *_lock(database), *_log(database)]


def _mode(database: Path) -> Iterator[Problem]:
    mode = stat.S_IMODE(database.stat().st_mode)
    if os.name != "nt" and mode & 0o077:
        yield Problem("file", database.name, f"others may open it (mode {mode:o}); chmod 600 it")


def _lock(database: Path) -> Iterator[Problem]:
    if (lock := left_lock(database)) is not None:
        yield Problem("file", lock.name, "a crash left it; the next server takes it over")


def _log(database: Path) -> Iterator[Problem]:
    log = database.with_name(f"{database.name}-wal")
    try:
        size = log.stat().st_size
    except FileNotFoundError:
        return
    if is_held(database):
        if size > _LARGE_LOG:
            yield Problem("file", log.name, f"the log has grown to {_megabytes(size)}")
    elif size:
        yield Problem("file", log.name, f"a crash left {_megabytes(size)} of log, read with it")


def list_waste(connection: sqlite3.Connection) -> list[Problem]:
    """Whether much of the file is free."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    if free * 4 < pages or free * size < _MUCH_FREE:
        return []
    told = f"{_megabytes(free * size)} of {_megabytes(pages * size)} are free; a backup has none"
    return [Problem("file", "free pages", told)]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
