"""One server per database file, and how commands find the one that runs.

The lock lies beside the database and tells its holder's address and a token
that lives as long as the holder. Whoever may read it could read the database.
"""

from __future__ import annotations

import os
import sys
import weakref
from pathlib import Path
from typing import Self

import msgspec

from chatloom.core.errors import SettingsError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_FAR = 1 << 30
"""Windows keeps others from reading a locked byte, so one far behind the text is locked."""


class Holder(msgspec.Struct, frozen=True):
    """The server that holds a lock."""

    url: str | None
    """`None` for one that is embedded in another program, and has no address."""
    token: str
    pid: int


class Locked(SettingsError):
    """Another server has this database open."""

    def __init__(self, path: Path, holder: Holder | None) -> None:
        super().__init__(f"{path} is in use by {_described(holder)}")
        self.holder = holder


def _described(holder: Holder | None) -> str:
    if holder is None:
        return "a running server"
    if holder.url is None:
        return f"another program, which has it embedded (process {holder.pid})"
    return f"a running server (at {holder.url}, process {holder.pid})"


class DatabaseLock:
    """Held while a process may write the database."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._file: int | None = None

    def acquire(self) -> Self:
        """Take the lock. Raises `Locked`, which names the holder."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SettingsError(f"{self._path} cannot be made: {error.strerror}") from error
        try:
            _lock(file)
        except OSError:
            os.close(file)
            raise Locked(self._database, self._holder()) from None
        self._file = file
        _held.add(self)
        os.truncate(file, 0)
        return self

    def tell(self, holder: Holder) -> None:
        """Write down where the holder can be reached."""
        assert self._file is not None
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, msgspec.json.encode(holder))

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            os.truncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def disown(self) -> None:
        """In a forked child, let go of what is its parent's; else it would outlast the parent."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _holder(self) -> Holder | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Holder)
        except (OSError, msgspec.MsgspecError):
            return None


def _lock(file: int) -> None:
    if sys.platform == "win32":
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


_held: weakref.WeakSet[DatabaseLock] = weakref.WeakSet()


def _disown_all() -> None:
    for lock in tuple(_held):
        lock.disown()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_disown_all)
