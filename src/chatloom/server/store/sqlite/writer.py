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
from contextlib import suppress
from itertools import chain
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from chatloom.server.store.sqlite.balances import Balances
from chatloom.server.store.sqlite.outbox import Outbox

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


_Job: TypeAlias = tuple[Kind[Any, Any], Any, bool, "asyncio.Future[Any]"]
"""What to write, whether it must be durable, and who waits; a tuple is made fastest."""

_Told: TypeAlias = list[tuple["asyncio.Future[Any]", Any]]
"""What became of each write, for who waits for it."""


class Writer:
    """Runs writes on a connection of its own.

    Those of one kind are made in the order they came, the durable ones after the others.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        balances: Balances | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        self._balances = balances or Balances()
        self._outbox = outbox or Outbox()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
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
        written: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((kind, value, durable, written))
        return written

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
        running = True
        while running:
            jobs = self._waiting()
            running = jobs[-1] is not None
            batch = [job for job in jobs if job is not None]
            if batch:
                self._commit_or_fail(batch)
        self._disconnect()

    def _commit_or_fail(self, batch: list[_Job]) -> None:
        """Commit, and tell everybody. The thread outlives whatever happens: others will wait."""
        told: _Told = []
        try:
            self._commit(self._connected(), batch, told)
        except Exception as error:
            told += [(written, error) for *_, written in batch[len(told) :]]
            self._disconnect()  # it could not even undo its transaction
        finally:
            _deliver(told)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection, self._durable = self._connection, None, False
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _waiting(self) -> list[_Job | None]:
        jobs = [self._jobs.get()]
        while jobs[-1] is not None and not self._jobs.empty():
            jobs.append(self._jobs.get())
        return jobs

    def _commit(self, connection: sqlite3.Connection, batch: list[_Job], told: _Told) -> None:
        self._balances.begin()
        self._outbox.begin()
        try:
            self._sync(connection, any(durable for _, _, durable, _ in batch))
            connection.execute("BEGIN IMMEDIATE")
            results = _write(connection, batch)
            self._balances.finish(connection)
            connection.execute("COMMIT")
        except Exception as error:
            roll_back(connection)
            if len(batch) == 1:
                told.append((batch[0][3], error))
                return
            for job in batch:  # one of them failed; alone, each fares as it deserves
                self._commit(connection, [job], told)
        else:
            self._outbox.committed()
            told += results

    def _sync(self, connection: sqlite3.Connection, durable: bool) -> None:
        if durable != self._durable:
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._durable = durable


def _write(connection: sqlite3.Connection, batch: list[_Job]) -> _Told:
    early: dict[Kind[Any, Any], list[_Job]] = {}
    late: dict[Kind[Any, Any], list[_Job]] = {}
    for job in batch:
        kinds = late if job[2] else early
        if job[0] in kinds:
            kinds[job[0]].append(job)
        else:
            kinds[job[0]] = [job]
    told: _Told = []
    for kind, jobs in chain(early.items(), late.items()):
        results = kind(connection, [value for _, value, _, _ in jobs])
        told += [(job[3], result) for job, result in zip(jobs, results, strict=True)]
    return told


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo the transaction, where there still is one."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _deliver(told: _Told) -> None:
    loops: dict[asyncio.AbstractEventLoop, _Told] = {}
    for one in told:
        loops.setdefault(one[0].get_loop(), []).append(one)
    for loop, some in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, some)
        except RuntimeError:
            _log.warning("%d writes were committed after their event loop had ended", len(some))


def _resolve(told: _Told) -> None:
    for written, result in told:
        settle(written, result)


def settle(written: asyncio.Future[T], result: T | Exception) -> None:
    """Tell who waits."""
    if written.done():
        return
    if isinstance(result, Exception):
        written.set_exception(result)
    else:
        written.set_result(result)
