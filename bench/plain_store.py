"""The least that storing a chat turn takes with SQLite: no ledger, no journal, no tree.

One thread takes whatever waits into one durable transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

from chatloom.server.store.contract import Opening, Settlement

_Row: TypeAlias = "tuple[str, str, str | None, str, str]"
_Job: TypeAlias = "tuple[list[_Row], str, int, asyncio.Future[None]]"
_SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
CREATE TABLE conversation (id TEXT PRIMARY KEY, updated_at INTEGER) WITHOUT ROWID;
CREATE TABLE message (id TEXT PRIMARY KEY, conversation TEXT, parent TEXT, role TEXT, text TEXT)
    WITHOUT ROWID;
"""
_TOUCH = """
INSERT INTO conversation VALUES (?, ?)
ON CONFLICT DO UPDATE SET updated_at = excluded.updated_at
"""
_ADD = "INSERT INTO message VALUES (?, ?, ?, ?, ?)"


class PlainStore:
    """Stores a turn as two messages and a conversation."""

    def __init__(self, path: Path) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=[path])
        self._thread.start()

    def store(self, opening: Opening, settlement: Settlement) -> Awaitable[object]:
        """Store one turn; durable once that is over."""
        rows = [
            (node.id, node.conversation_id, node.parent_id, node.message.role, node.message.text)
            for node in settlement.nodes
        ]
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs.put((rows, opening.conversation_id, settlement.ended_at, stored))
        return stored

    def close(self) -> None:
        """Store what waits, then stop."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self, path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.executescript(_SCHEMA)
        jobs: list[_Job | None] = []
        while None not in jobs:
            jobs = [self._jobs.get()]
            while not self._jobs.empty():
                jobs.append(self._jobs.get())
            _commit(connection, [job for job in jobs if job is not None])
        connection.close()


def _commit(connection: sqlite3.Connection, jobs: Sequence[_Job]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for rows, conversation, now, _ in jobs:
        connection.execute(_TOUCH, (conversation, now))
        connection.executemany(_ADD, rows)
    connection.execute("COMMIT")
    if jobs:
        stored = [job[-1] for job in jobs]
        stored[0].get_loop().call_soon_threadsafe(_resolve, stored)


def _resolve(stored: Sequence[asyncio.Future[None]]) -> None:
    for one in stored:
        one.set_result(None)
