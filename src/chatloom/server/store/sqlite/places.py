"""Where a database lies, and who reads and writes there."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from chatloom.server.store.sqlite.balances import Balances
from chatloom.server.store.sqlite.connect import connect, connect_in_memory, prepare
from chatloom.server.store.sqlite.outbox import Outbox
from chatloom.server.store.sqlite.writer import Kind, Writer, each, roll_back, settle

T = TypeVar("T")
V = TypeVar("V")


class Place(Protocol):
    """A database, open."""

    @property
    def outbox(self) -> Outbox:
        """Where writes put down what webhooks are told."""
        ...

    @property
    def reader(self) -> sqlite3.Connection:
        """The connection to read from, here and now."""
        ...

    def write(
        self, write: Callable[[sqlite3.Connection], T], *, durable: bool = False
    ) -> asyncio.Future[T]:
        """Commit *write*; the future holds its result, or raises what undid it."""
        ...

    def write_with_others(
        self, kind: Kind[V, T], value: V, *, durable: bool = False
    ) -> asyncio.Future[T]:
        """Commit a write of this *kind*, together with others of its kind that wait."""
        ...

    async def apart(self, read: Callable[[], T]) -> T:
        """Read something long, so that as little as possible waits for it."""
        ...

    async def close(self) -> None: ...


class File:
    """A file: one thread writes, every other reads beside it."""

    def __init__(self, path: Path, balances: Balances, outbox: Outbox) -> None:
        prepare(path)
        self.outbox = outbox
        self._path = path
        self._readers = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._apart = 0
        self._calm = threading.Condition()
        self._closed = False
        self._writer = Writer(partial(connect, path), balances, outbox)

    @property
    def reader(self) -> sqlite3.Connection:
        reader: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if reader is None:
            reader = self._readers.connection = connect(self._path, read_only=True)
            self._opened.append(reader)
        return reader

    def write(
        self, write: Callable[[sqlite3.Connection], T], *, durable: bool = False
    ) -> asyncio.Future[T]:
        return self._writer.write(write, durable=durable)

    def write_with_others(
        self, kind: Kind[V, T], value: V, *, durable: bool = False
    ) -> asyncio.Future[T]:
        return self._writer.write_with_others(kind, value, durable=durable)

    async def apart(self, read: Callable[[], T]) -> T:
        return await asyncio.to_thread(self._counted, read)

    def _counted(self, read: Callable[[], T]) -> T:
        with self._calm:
            if self._closed:
                raise RuntimeError("the store is closed")
            self._apart += 1
        try:
            return read()
        finally:
            with self._calm:
                self._apart -= 1
                self._calm.notify_all()

    async def close(self) -> None:
        # Not in a thread: a program that ends begins none, and may have left this to its end.
        try:
            await self._writer.flush()
        finally:
            self._writer.close()
            self._close_readers()

    def _close_readers(self) -> None:
        """Close what was read from, once nobody is in the middle of it."""
        with self._calm:
            self._closed = True
            self._calm.wait_for(lambda: not self._apart)
        for reader in self._opened:
            reader.close()
        self._opened.clear()


class Memory:
    """One connection that does everything, in the event loop's own thread.

    A second connection would meet the first one's locks, as there is no WAL in
    memory; and a commit costs less than changing threads.
    """

    def __init__(self, balances: Balances, outbox: Outbox) -> None:
        self.outbox = outbox
        self._balances = balances
        self._connection = connect_in_memory()
        self._closed = False

    @property
    def reader(self) -> sqlite3.Connection:
        return self._connection

    def write(
        self, write: Callable[[sqlite3.Connection], T], *, durable: bool = False
    ) -> asyncio.Future[T]:
        return self.write_with_others(each, write, durable=durable)

    def write_with_others(
        self, kind: Kind[V, T], value: V, *, durable: bool = False
    ) -> asyncio.Future[T]:
        if self._closed:
            raise RuntimeError("the store is closed")
        loop = asyncio.get_running_loop()
        written: asyncio.Future[T] = loop.create_future()
        try:
            result = self._commit(kind, value)
        except Exception as error:
            result = error
        # Who writes again and again lets others have their turn.
        loop.call_soon(settle, written, result)
        return written

    async def apart(self, read: Callable[[], T]) -> T:
        return read()

    async def close(self) -> None:
        self._closed = True
        self._connection.close()

    def _commit(self, kind: Kind[V, T], value: V) -> T | Exception:
        self._balances.begin()
        self.outbox.begin()
        try:
            self._connection.execute("BEGIN")
            (result,) = kind(self._connection, [value])
            self._balances.finish(self._connection)
            self._connection.execute("COMMIT")
        except Exception:
            roll_back(self._connection)
            raise
        self.outbox.committed()
        return result
