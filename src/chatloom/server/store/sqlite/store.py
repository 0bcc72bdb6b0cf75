"""The store's contract, kept by SQLite."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from chatloom.core.http import JSON
from chatloom.server.store.contract import (
    Branch,
    Conversation,
    Health,
    Node,
    Opening,
    Settlement,
    Turn,
    Unfinished,
)
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.administration import Administration
from chatloom.server.store.sqlite.archive import Archive
from chatloom.server.store.sqlite.balances import Balances
from chatloom.server.store.sqlite.check import check
from chatloom.server.store.sqlite.deliveries import Deliveries
from chatloom.server.store.sqlite.keys import Keys
from chatloom.server.store.sqlite.knowledge import Knowledge
from chatloom.server.store.sqlite.memory import Memories
from chatloom.server.store.sqlite.outbox import Outbox
from chatloom.server.store.sqlite.people import People
from chatloom.server.store.sqlite.places import File, Memory
from chatloom.server.store.sqlite.spending import Spending
from chatloom.server.store.sqlite.trees import Trees
from chatloom.server.store.sqlite.turns import Turns


class SQLiteStore(
    Keys, People, Spending, Administration, Trees, Archive, Knowledge, Memories, Deliveries
):
    """Everything in the file at *path*; where that is `None`, in memory, until it is closed.

    Short reads happen on the spot, as they cost less than changing threads;
    long ones in a thread of their own, where there is a file.
    """

    def __init__(self, path: Path | None) -> None:
        balances, outbox = Balances(), Outbox()
        super().__init__(File(path, balances, outbox) if path else Memory(balances, outbox))
        self._turns = Turns(balances, outbox)

    async def close(self) -> None:
        await self._place.close()

    async def open_turn(self, opening: Opening) -> int | None:
        return await self._place.write_with_others(self._turns.open, opening)

    async def append(self, turn_id: str, last: int, deltas: bytes) -> None:
        await self._place.write_with_others(self._turns.append, (turn_id, last, deltas))

    async def settle(self, settlement: Settlement) -> str | None:
        return await self._place.write_with_others(self._turns.settle, settlement, durable=True)

    async def turn(self, account_id: str, id: str) -> Turn | None:
        row = self._one("turn", account_id, id, None)
        return None if row is None else rows.turn(row)

    async def turn_of_key(self, account_id: str, key_digest: bytes) -> Turn | None:
        row = self._one("turn", account_id, None, key_digest)
        return None if row is None else rows.turn(row)

    async def replay(self, turn_id: str) -> bytes | None:
        row = self._one("replay", turn_id)
        # A deleted answer's is empty: its idempotency key stands, and nobody is told again.
        return row[0] or None if row is not None else None

    async def open_turns(self) -> list[Unfinished]:
        def read() -> list[Unfinished]:
            return [
                rows.unfinished(row, self._journal(row[0]))
                for row in self._reader.execute(self._sql["open_turns"]).fetchall()
            ]

        return await self._place.apart(read)

    def _journal(self, turn_id: str) -> list[bytes]:
        return [deltas for (deltas,) in self._reader.execute(self._sql["journal"], (turn_id,))]

    async def conversation(self, account_id: str, id: str) -> Conversation | None:
        row = self._one("conversation", id, account_id)
        row = row or self._one("conversation_to_be", id, account_id)
        return None if row is None else rows.conversation(row)

    async def sessions(
        self, account_id: str, end_user: str, *, archived: bool, limit: int, offset: int
    ) -> tuple[list[Conversation], int]:
        whose = (account_id, end_user, archived)

        def read() -> tuple[list[Conversation], int]:
            found = self._reader.execute(self._sql["sessions"], (*whose, limit, offset))
            listed = [rows.conversation(row) for row in found]
            (count,) = self._reader.execute(self._sql["count_sessions"], whose).fetchone()
            return listed, count

        return await self._place.apart(read)

    async def change_conversation(
        self,
        account_id: str,
        id: str,
        *,
        archived: bool | None,
        title: str | None,
        metadata: dict[str, JSON] | None,
        now: int,
    ) -> None:
        told = None if metadata is None else msgspec.json.encode(metadata).decode()

        def write(connection: sqlite3.Connection) -> None:
            self._keep(connection, account_id, id)
            values = (account_id, id, archived, title, told, now)
            connection.execute(self._sql["change_conversation"], values)

        await self._place.write(write, durable=True)

    async def branches(self, conversation_id: str) -> list[Branch]:
        found = self._reader.execute(self._sql["branches"], (conversation_id,)).fetchall()
        if not found:
            found = self._reader.execute(self._sql["branch_to_be"], (conversation_id,)).fetchall()
        return [rows.branch(row) for row in found]

    async def branch_at(self, conversation_id: str, head_id: str | None) -> Branch | None:
        main = await self.main_branch(conversation_id)
        if main is not None and main.head_id == head_id:
            return main
        row = self._one("branch_at", conversation_id, head_id)
        return None if row is None else rows.branch(row)

    async def node(self, account_id: str, id: str) -> Node | None:
        row = self._one("node", id, account_id)
        return None if row is None else rows.node(row)

    async def find_node(
        self, account_id: str, conversation_id: str | None, end_user: str | None, hash: bytes
    ) -> Node | None:
        row = self._one("find_node", account_id, hash, conversation_id, end_user)
        return None if row is None else rows.node(row)

    async def forget_replays(self, now: int) -> int:
        def write(connection: sqlite3.Connection) -> int:
            connection.execute(self._sql["free_old_keys"], (now, _FORGOTTEN))
            return connection.execute(self._sql["forget_replays"], (now, _FORGOTTEN)).rowcount

        await self.forget_made(now)
        forgotten = 0
        while some := await self._place.write(write):
            forgotten += some
        return forgotten

    async def check(self) -> Health:
        return await self._place.apart(lambda: check(self._reader))


_FORGOTTEN = 500
"""Replays to forget in one go, so that turns need not wait for all of them."""
