"""One thread writes; whatever waits goes into one transaction (group commit).

A tick starts when the last commit ended, without a timer. Ticks that hold a
durable write are synced to disk, others only survive the process's death.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeAlias, TypeVar

from chatloom.server.store.sqlite.balances import Balances

T = TypeVar("T")

_log = logging.getLogger("chatloom.store")


class _Job(Generic[T]):
    __slots__ = ("durable", "error", "future", "loop", "result", "write")

    result: T

    def __init__(self, write: Callable[[sqlite3.Connection], T], durable: bool) -> None:
        self.write = write
        self.durable = durable
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self.error: Exception | None = None


_AnyJob: TypeAlias = _Job[Any]


class Writer:
    """Runs writes on a connection of its own, in the order they came."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], balances: Balances | None = None
    ) -> None:
        self._balances = balances or Balances()
        self._jobs: SimpleQueue[_AnyJob | None] = SimpleQueue()
        self._connect = connect
        self._durable = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="chatloom-writer", daemon=True)
        self._thread.start()

    def write(
        self, write: Callable[[sqlite3.Connection], T], *, durable: bool = False
    ) -> asyncio.Future[T]:
        """Queue *write*; the future holds its result once it is committed.

        What *write* raises is raised by the future, and undoes that write alone.
        """
        if self._closed:
            raise RuntimeError("the store is closed")
        job = _Job(write, durable)
        self._jobs.put(job)
        return job.future

    async def flush(self) -> None:
        """Wait until everything that waits now is written; nothing where it is closed."""
        if not self._closed:
            await self.write(lambda _: None)

    def close(self) -> None:
        """Write what waits, then stop."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        connection = self._connect()
        running = True
        while running:
            jobs = self._waiting()
            running = jobs[-1] is not None
            batch = [job for job in jobs if job is not None]
            if batch:
                connection = self._commit_or_reopen(connection, batch)
                _deliver(batch)
        connection.close()

    def _commit_or_reopen(
        self, connection: sqlite3.Connection, batch: list[_AnyJob]
    ) -> sqlite3.Connection:
        """Commit; a connection that cannot even undo its transaction is replaced."""
        try:
            self._commit(connection, batch)
        except Exception as error:
            for job in batch:
                job.error = job.error or error
            connection.close()
            self._durable = False
            connection = self._connect()
        return connection

    def _waiting(self) -> list[_AnyJob | None]:
        jobs = [self._jobs.get()]
        while jobs[-1] is not None and not self._jobs.empty():
            jobs.append(self._jobs.get())
        return jobs

    def _commit(self, connection: sqlite3.Connection, batch: list[_AnyJob]) -> None:
        self._balances.begin()
        try:
            self._sync(connection, any(job.durable for job in batch))
            connection.execute("BEGIN IMMEDIATE")
            for job in batch:
                job.result = job.write(connection)
            self._balances.finish(connection)
            connection.execute("COMMIT")
        except Exception as error:
            roll_back(connection)
            if len(batch) == 1:
                batch[0].error = error
                return
            for job in batch:  # one of them failed; alone, each fares as it deserves
                self._commit(connection, [job])

    def _sync(self, connection: sqlite3.Connection, durable: bool) -> None:
        if durable != self._durable:
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._durable = durable


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo the transaction, where there still is one."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _deliver(batch: list[_AnyJob]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[_AnyJob]] = {}
    for job in batch:
        loops.setdefault(job.loop, []).append(job)
    for loop, jobs in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, jobs)
        except RuntimeError:
            _log.warning("%d writes were committed after their event loop had ended", len(jobs))


def _resolve(jobs: list[_AnyJob]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
