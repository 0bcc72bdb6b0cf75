"""One thread writes; whatever waits goes into one transaction (group commit).

A tick starts when the last commit ended, without a timer. Its writes are made
kind by kind, those of one kind together; the kinds that must be durable come
last, as what ends something may wait beside what began it. Ticks that hold a
durable write are synced to disk, others only survive the process's death.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from chatloom.server.store.sqlite.balances import Balances

T = TypeVar("T")
V = TypeVar("V")

_log = logging.getLogger("chatloom.store")


Kind: TypeAlias = Callable[[sqlite3.Connection, Sequence[V]], Sequence[T | Exception]]
"""Makes many writes of one kind; its results are in the order of their values.

An exception among the results concerns one that wrote nothing. One that is
raised undoes all, and then each is tried alone.
"""


def each(
    connection: sqlite3.Connection, writes: Sequence[Callable[[sqlite3.Connection], T]]
) -> list[T]:
    """Make writes that have nothing in common."""
    return [write(connection) for write in writes]


class _Job:
    __slots__ = ("durable", "future", "kind", "loop", "result", "value")

    result: Any

    def __init__(self, kind: Kind[Any, Any], value: object, durable: bool) -> None:
        self.kind = kind
        self.value = value
        self.durable = durable
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()


class Writer:
    """Runs writes on a connection of its own, in the order they came."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], balances: Balances | None = None
    ) -> None:
        self._balances = balances or Balances()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
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
        return self.write_with_others(each, write, durable=durable)

    def write_with_others(
        self, kind: Kind[V, T], value: V, *, durable: bool = False
    ) -> asyncio.Future[T]:
        """Queue a write of this *kind*, which is made together with others of its kind."""
        if self._closed:
            raise RuntimeError("the store is closed")
        job = _Job(kind, value, durable)
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
        self, connection: sqlite3.Connection, batch: list[_Job]
    ) -> sqlite3.Connection:
        """Commit; a connection that cannot even undo its transaction is replaced."""
        try:
            self._commit(connection, batch)
        except Exception as error:
            for job in batch:
                job.result = error
            connection.close()
            self._durable = False
            connection = self._connect()
        return connection

    def _waiting(self) -> list[_Job | None]:
        jobs = [self._jobs.get()]
        while jobs[-1] is not None and not self._jobs.empty():
            jobs.append(self._jobs.get())
        return jobs

    def _commit(self, connection: sqlite3.Connection, batch: list[_Job]) -> None:
        self._balances.begin()
        try:
            self._sync(connection, any(job.durable for job in batch))
            connection.execute("BEGIN IMMEDIATE")
            _write(connection, batch)
            self._balances.finish(connection)
            connection.execute("COMMIT")
        except Exception as error:
            roll_back(connection)
            if len(batch) == 1:
                batch[0].result = error
                return
            for job in batch:  # one of them failed; alone, each fares as it deserves
                self._commit(connection, [job])

    def _sync(self, connection: sqlite3.Connection, durable: bool) -> None:
        if durable != self._durable:
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._durable = durable


def _write(connection: sqlite3.Connection, batch: list[_Job]) -> None:
    kinds: dict[tuple[bool, Kind[Any, Any]], list[_Job]] = {}
    for job in batch:
        kinds.setdefault((job.durable, job.kind), []).append(job)
    for (_, kind), jobs in sorted(kinds.items(), key=_is_durable):
        for job, result in zip(jobs, kind(connection, [job.value for job in jobs]), strict=True):
            job.result = result


def _is_durable(kind: tuple[tuple[bool, Kind[Any, Any]], list[_Job]]) -> bool:
    return kind[0][0]


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo the transaction, where there still is one."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _deliver(batch: list[_Job]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in batch:
        loops.setdefault(job.loop, []).append(job)
    for loop, jobs in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, jobs)
        except RuntimeError:
            _log.warning("%d writes were committed after their event loop had ended", len(jobs))


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        settle(job.future, job.result)


def settle(future: asyncio.Future[T], result: T | Exception) -> None:
    """Tell who waits."""
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
