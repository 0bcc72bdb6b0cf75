"""A file that keeps answers: what `chatloom.policies.cache` wants of a store, on SQLite.

Any number of threads and processes may share it. It is never what a call fails
for: a file that is damaged is made anew, one that disappears too, and what
cannot be written is not kept.

A file that is not ours is never touched. It is ours if it says so in its head,
which it does from the moment it is there, or if we have had it open since.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar
from zlib import crc32

from chatloom.core.errors import SettingsError

T = TypeVar("T")

_APPLICATION_ID = 0x4C4F4F43  # "LOOC", so that `file` and we can tell whose it is
_VERSION = 1
_SCHEMA = f"""
    DROP TABLE IF EXISTS kept;
    CREATE TABLE kept (
        key TEXT PRIMARY KEY, value BLOB NOT NULL, checksum INTEGER NOT NULL,
        expires REAL NOT NULL, used REAL NOT NULL
    );
    CREATE INDEX kept_expires ON kept (expires);
    CREATE INDEX kept_used ON kept (used);
    PRAGMA application_id = {_APPLICATION_ID};
    PRAGMA user_version = {_VERSION};
"""
_LEAST_ROOM = 256 * 1024
"""Bytes; an empty file takes a tenth of it."""
_OVERHEAD = 16 * 1024
"""Bytes that an entry takes beside its value, at most."""
_PATIENCE = 2.0
"""Seconds to wait for another thread or process."""
_COARSE = 60.0
"""Seconds within which uses count as one; each that counts is a write."""
_MOST_DOUBTED = 10_000
_left_alone: list[sqlite3.Connection] = []
"""Those of a parent process, which a forked child must not even close."""


class FileStore:
    """Keeps answers in a file, readable by its owner alone.

    Those not asked for longest make way for new ones when *max_bytes* are full,
    and go when nobody has asked for them for *max_age* seconds.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 256 * 1024 * 1024,
        max_age: float = 30 * 86400.0,
    ) -> None:
        """Raises `SettingsError` for a file that is no such cache, or that cannot be made."""
        if not (max_bytes >= _LEAST_ROOM and max_age > 0):
            raise SettingsError(f"a cache needs room: max_bytes of at least {_LEAST_ROOM}")
        self.path = Path(os.path.realpath(path))
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened = (0, 0)  # by which process, and which file
        self._doubted: set[str] = set()
        try:
            self._open_or_mend()
        except OSError as error:
            raise SettingsError(f"{self.path} cannot be made: {error.strerror}") from error
        except sqlite3.Error as error:
            raise SettingsError(f"{self.path} cannot be used: {error}") from error

    def get(self, key: str, now: float) -> bytes | None:
        """Find what is kept under *key*, unless it has expired by *now*."""
        if key in self._doubted:
            return None
        return self._done(lambda connection: _found(connection, key, now))

    def put(self, key: str, value: bytes, expires: float, now: float) -> None:
        """Keep *value* under *key* until *expires*, in place of what was there."""

        def keep(connection: sqlite3.Connection) -> bool:
            connection.execute("BEGIN IMMEDIATE")
            try:
                _drop_old(connection, key, now, self._max_age)
                if _has_room(connection, len(value) + _OVERHEAD, self._max_bytes):
                    row = (key, value, crc32(value), expires, now)
                    connection.execute("INSERT INTO kept VALUES (?, ?, ?, ?, ?)", row)
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            return True

        if self._done(keep):
            self._doubted.discard(key)
        elif len(self._doubted) < _MOST_DOUBTED:
            # What the file still holds under this key is what should have been replaced.
            self._doubted.add(key)

    def close(self) -> None:
        """Close the file; it is opened again when it is next used."""
        with self._lock:
            self._shut()

    def _done(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do *work*, in its turn; `None` where it cannot be done."""
        # Not for ever: a stream that is collected may come by while its thread holds the lock.
        if len(self._doubted) >= _MOST_DOUBTED or not self._lock.acquire(timeout=_PATIENCE):
            return None
        try:
            try:
                return work(self._opened_here())
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    return None
            self._mend()
            return work(self._opened_here())
        except (sqlite3.Error, OSError, SettingsError):
            return None
        finally:
            self._lock.release()

    def _opened_here(self) -> sqlite3.Connection:
        """The connection, if it is this process's and the file still the one it was."""
        if self._connection is None or self._opened != (os.getpid(), _number(self.path)):
            self._shut()
            return self._open_or_mend()
        return self._connection

    def _open_or_mend(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
        self._mend()
        return self._open()

    def _open(self) -> sqlite3.Connection:
        if not self.path.exists():
            _make(self.path)
        self._opened = (os.getpid(), _number(self.path))  # what takes its place was not checked
        _check(self.path)
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=_PATIENCE
        )
        try:
            _prepare(connection, self.path)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _shut(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._opened[0] == os.getpid():
                connection.close()
            else:
                _left_alone.append(connection)

    def _mend(self) -> None:
        """Drop the damaged file, unless it is no longer the one that was found to be ours."""
        is_ours = self._opened[1] == _number(self.path)  # told while it is open, if it is
        self._shut()
        if is_ours:
            self.path.unlink(missing_ok=True)
            _drop_journals(self.path)

    def __del__(self) -> None:
        if getattr(self, "_connection", None) is not None:
            self._shut()


def _found(connection: sqlite3.Connection, key: str, now: float) -> bytes | None:
    query = "SELECT value, checksum, used FROM kept WHERE key = ? AND expires > ?"
    row: tuple[bytes, int, float] | None = connection.execute(query, (key, now)).fetchone()
    if row is None or crc32(row[0]) != row[1]:
        return None
    if now - row[2] > _COARSE:
        with suppress(sqlite3.OperationalError):  # another is writing
            connection.execute("UPDATE kept SET used = ? WHERE key = ?", (now, key))
    return row[0]


def _drop_old(connection: sqlite3.Connection, key: str, now: float, max_age: float) -> None:
    connection.execute("DELETE FROM kept WHERE key = ?", (key,))
    connection.execute("DELETE FROM kept WHERE expires <= ?", (now,))
    connection.execute("DELETE FROM kept WHERE used <= ?", (now - max_age,))


def _has_room(connection: sqlite3.Connection, needed: int, max_bytes: int) -> bool:
    """Make room for *needed* bytes; whether there can be so much."""
    while _size(connection) + needed > max_bytes:
        oldest = "DELETE FROM kept WHERE key IN (SELECT key FROM kept ORDER BY used LIMIT 1)"
        if needed > max_bytes or not connection.execute(oldest).rowcount:
            return False
    return True


def _size(connection: sqlite3.Connection) -> int:
    """Bytes of the file that are in use; the rest of it is for what comes next."""
    pages, free, bytes_each = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * bytes_each


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    owner, version = _signs(connection)
    if owner != _APPLICATION_ID:  # replaced a moment ago
        raise _not_ours(path)
    with suppress(sqlite3.OperationalError):  # another process is doing so, or the disk cannot
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 4194304")
    if (owner, version) != (_APPLICATION_ID, _VERSION):
        connection.execute("BEGIN IMMEDIATE")
        if _signs(connection) != (_APPLICATION_ID, _VERSION):  # nobody was faster
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
        connection.execute("COMMIT")


def _signs(connection: sqlite3.Connection) -> tuple[int, int]:
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return owner, version


def _check(path: Path) -> None:
    """See that the file is ours, and its owner's alone."""
    if not _is_ours(path):
        raise _not_ours(path)
    path.chmod(0o600)


def _make(path: Path) -> None:
    """Have an empty cache appear, unless another process is faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.urandom(4).hex()}.new")
    try:
        new.touch(mode=0o600, exist_ok=False)
        with closing(sqlite3.connect(new)) as connection:
            connection.executescript(_SCHEMA)
        if not path.exists():
            _drop_journals(path)  # they would be taken for those of the new file
            _give_name(new, path)
    finally:
        new.unlink(missing_ok=True)


def _give_name(new: Path, path: Path) -> None:
    """Have *new* appear as *path*, all at once, and never in another file's place."""
    with suppress(FileExistsError):
        try:
            path.hardlink_to(new)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            with path.open("xb") as file:
                file.write(new.read_bytes())


def _drop_journals(path: Path) -> None:
    for end in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _number(path: Path) -> int:
    """What tells a file from another that takes its name; 0 where there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _is_ours(path: Path) -> bool:
    """Whether a file says that it is ours; only looks at it."""
    if not path.is_file():  # a pipe would be waited for
        return False
    # Not opened beside SQLite: closing it would drop the locks that this process has on it.
    try:
        only_look = f"{path.as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(only_look, uri=True)) as connection:
            return _signs(connection)[0] == _APPLICATION_ID
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
    return _was_ours(path)


def _was_ours(path: Path) -> bool:
    """Whether a file that SQLite cannot read says that it was ours (its format, 1.3)."""
    with path.open("rb") as file:
        head = file.read(72)
    return head[:16] == b"SQLite format 3\0" and head[68:] == _APPLICATION_ID.to_bytes(4, "big")


def _not_ours(path: Path) -> SettingsError:
    return SettingsError(f"{path} is something else than a cache of chatloom; it is left alone")
