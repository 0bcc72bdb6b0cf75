"""One server per database file, and how commands find the one that runs.

The lock lies beside the database and tells its holder's address and a token
that lives as long as the holder. Whoever may read it could read the database.

It is removed by who holds it, and by nobody else. So whoever locks a file asks
whether that is still the one in the folder: another one may have just removed it.
"""

from __future__ import annotations

import os
import sys
import time
import weakref
from contextlib import suppress
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


_LONGEST = 4096
"""Bytes of what a holder tells."""

_TRIES = 50
"""How often to try for a lock that nobody holds, and that others look at."""

_PAUSE = 0.002
"""Seconds between tries."""


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
        self._path = _beside(database)
        self._file: int | None = None

    def acquire(self) -> Self:
        """Take the lock. Raises `Locked`, which names the holder."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._locked_file()
        except OSError as error:
            raise SettingsError(f"{self._path} cannot be made: {error.strerror}") from error
        self._file = file
        _held.add(self)
        return self

    def _locked_file(self) -> int:
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                self._lock(file)
                if _is_at(file, self._path):
                    os.truncate(file, 0)
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)

    def _lock(self, file: int) -> None:
        if not _lock_past_askers(file):
            raise Locked(self._database, self._holder())
        if (text := os.read(file, _LONGEST)) and _read(text) is None:
            raise SettingsError(f"{self._path} is another program's, and would be overwritten")

    def tell(self, holder: Holder) -> None:
        """Write down where the holder can be reached."""
        assert self._file is not None
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, msgspec.json.encode(holder))

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            _remove(self._file, self._path)
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
            return _read(self._path.read_bytes())
        except OSError:
            return None


def _lock_past_askers(file: int) -> bool:
    """Lock *file*; False where somebody holds it, and does not merely ask who does."""
    for _ in range(_TRIES):
        try:
            _lock(file)
        except OSError:
            if _is_locked(file):
                return False
            time.sleep(_PAUSE)
        else:
            return True
    return False


def is_held(database: Path) -> bool:
    """Whether somebody has *database* open to write; nothing is changed by asking."""
    try:
        file = os.open(_beside(database), os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # who may not look cannot tell
    try:
        return _is_locked(file)
    finally:
        os.close(file)


def left_lock(database: Path) -> Path | None:
    """The lock that a crash has left beside *database*, if any; the next holder takes it over."""
    path = _beside(database)
    return path if path.exists() and not is_held(database) else None


def _beside(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def _read(text: bytes) -> Holder | None:
    try:
        return msgspec.json.decode(text, type=Holder)
    except msgspec.MsgspecError:
        return None


if sys.platform == "win32":

    def _lock(file: int) -> None:
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

    def _is_locked(file: int) -> bool:
        # There is no shared lock here: who asks has it for a moment, so one refusal says nothing.
        for _ in range(5):
            try:
                _lock(file)
            except OSError:
                time.sleep(_PAUSE)
            else:
                os.lseek(file, _FAR, os.SEEK_SET)
                msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
                return False
        return True

    def _is_at(file: int, path: Path) -> bool:
        return True  # what is open cannot be removed

    def _remove(file: int, path: Path) -> None:
        os.truncate(file, 0)
        os.close(file)
        with suppress(OSError):  # somebody else has it open by now
            path.unlink()

else:

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _is_locked(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # as many as like may ask at once
        except OSError:
            return True
        fcntl.flock(file, fcntl.LOCK_UN)
        return False

    def _is_at(file: int, path: Path) -> bool:
        try:
            return os.path.samestat(os.fstat(file), path.stat())
        except FileNotFoundError:
            return False

    def _remove(file: int, path: Path) -> None:
        if _is_at(file, path):  # else its folder is gone, or it was replaced from outside
            with suppress(OSError):
                path.unlink()
        os.close(file)


_held: weakref.WeakSet[DatabaseLock] = weakref.WeakSet()


def _disown_all() -> None:
    for lock in tuple(_held):
        lock.disown()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_disown_all)
