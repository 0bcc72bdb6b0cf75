"""The store's contract, kept by SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from chatloom.server.store.contract import (
    ApiSecret,
    Branch,
    Budget,
    Concern,
    Conversation,
    Health,
    Key,
    Node,
    Opening,
    Settlement,
    Turn,
    Unfinished,
)
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.balances import Balances
from chatloom.server.store.sqlite.check import check
from chatloom.server.store.sqlite.places import File, Memory, Place
from chatloom.server.store.sqlite.statements import statements
from chatloom.server.store.sqlite.turns import Turns


class SQLiteStore:
    """Everything in the file at *path*; where that is `None`, in memory, until it is closed.

    Short reads happen on the spot, as they cost less than changing threads;
    long ones in a thread of their own, where there is a file.
    """

    def __init__(self, path: Path | None) -> None:
        self._sql = statements()
        balances = Balances()
        self._turns = Turns(balances)
        self._place: Place = File(path, balances) if path else Memory(balances)

    @property
    def _reader(self) -> sqlite3.Connection:
        return self._place.reader

    def _one(self, statement: str, *values: object) -> rows.Row | None:
        return rows.one(self._reader, self._sql[statement], *values)

    async def close(self) -> None:
        await self._place.close()

    async def account(self, id: str, name: str, *, dev: bool, now: int) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(self._sql["add_account"], (id, name, dev, now))

        await self._place.write(write)

    async def add_key(self, key: Key, secret: ApiSecret) -> None:
        scopes = msgspec.json.encode(sorted(key.scopes)).decode()
        models = None if key.models is None else msgspec.json.encode(key.models).decode()

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                self._sql["add_key"],
                (
                    key.id,
                    key.account_id,
                    key.parent_id,
                    key.name,
                    scopes,
                    models,
                    key.created_at,
                    key.expires_at,
                    key.unread,
                ),
            )
            self._add_secret(connection, secret)

        await self._place.write(write, durable=True)

    def _add_secret(self, connection: sqlite3.Connection, secret: ApiSecret) -> None:
        connection.execute(
            self._sql["add_secret"],
            (secret.digest, secret.key_id, secret.hint, secret.created_at, secret.expires_at),
        )

    async def find_key(self, digest: bytes) -> Key | None:
        row = self._one("find_key", digest)
        return None if row is None else rows.key(row)

    async def key(self, id: str) -> Key | None:
        row = self._one("key", id)
        return None if row is None else rows.key(row)

    async def keys(self, account_id: str | None = None) -> list[Key]:
        return [rows.key(row) for row in self._reader.execute(self._sql["keys"], (account_id,))]

    async def revoke_key(self, id: str, now: int) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            return connection.execute(self._sql["revoke_key"], (now, id)).rowcount > 0

        return await self._place.write(write, durable=True)

    async def rotate_key(self, secret: ApiSecret, old_expire_at: int) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(self._sql["expire_secrets"], (old_expire_at, secret.key_id))
            self._add_secret(connection, secret)

        await self._place.write(write, durable=True)

    async def touch_keys(self, used: Sequence[tuple[str, int]]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(self._sql["touch_key"], [(at, id) for id, at in used])

        await self._place.write(write)

    async def open_turn(self, opening: Opening) -> int | None:
        return await self._place.write_with_others(self._turns.open, opening)

    async def append(self, turn_id: str, last: int, deltas: bytes) -> None:
        await self._place.write_with_others(self._turns.append, (turn_id, last, deltas))

    async def settle(self, settlement: Settlement) -> bool:
        return await self._place.write_with_others(self._turns.settle, settlement, durable=True)

    async def turn(self, account_id: str, id: str) -> Turn | None:
        row = self._one("turn", account_id, id, None)
        return None if row is None else rows.turn(row)

    async def turn_of_key(self, account_id: str, key_digest: bytes) -> Turn | None:
        row = self._one("turn", account_id, None, key_digest)
        return None if row is None else rows.turn(row)

    async def replay(self, turn_id: str) -> bytes | None:
        row = self._one("replay", turn_id)
        return None if row is None else row[0]

    async def open_turns(self) -> list[Unfinished]:
        def read() -> list[Unfinished]:
            return [
                rows.unfinished(row, self._journal(row[0]))
                for row in self._reader.execute(self._sql["open_turns"]).fetchall()
            ]

        return await self._place.apart(read)

    def _journal(self, turn_id: str) -> list[bytes]:
        return [deltas for (deltas,) in self._reader.execute(self._sql["journal"], (turn_id,))]

    async def set_budget(self, concern: Concern, subject: str, amount: int | None) -> None:
        def write(connection: sqlite3.Connection) -> None:
            if amount is None:
                connection.execute(self._sql["lift_budget"], (concern, subject))
            else:
                connection.execute(self._sql["set_budget"], (concern, subject, amount))

        await self._place.write(write, durable=True)

    async def budgets(self) -> list[Budget]:
        return [rows.budget(row) for row in self._reader.execute(self._sql["budgets"])]

    async def budget(self, concern: Concern, subject: str) -> Budget | None:
        row = self._one("budget", concern, subject)
        return None if row is None else rows.budget(row)

    async def conversation(self, account_id: str, id: str) -> Conversation | None:
        row = self._one("conversation", id, account_id)
        row = row or self._one("conversation_to_be", id, account_id)
        return None if row is None else rows.conversation(row)

    async def branches(self, conversation_id: str) -> list[Branch]:
        found = self._reader.execute(self._sql["branches"], (conversation_id,)).fetchall()
        if not found:
            found = self._reader.execute(self._sql["branch_to_be"], (conversation_id,)).fetchall()
        return [rows.branch(row) for row in found]

    async def branch_at(self, conversation_id: str, head_id: str | None) -> Branch | None:
        row = self._one("branch_at", conversation_id, head_id)
        if row is None and head_id is None:
            row = self._one("branch_to_be", conversation_id)
        return None if row is None else rows.branch(row)

    async def node(self, account_id: str, id: str) -> Node | None:
        row = self._one("node", id, account_id)
        return None if row is None else rows.node(row)

    async def path(self, head_id: str) -> list[Node]:
        depth = self._reader.execute(
            "SELECT depth FROM message WHERE id = ?", (head_id,)
        ).fetchone()
        if depth is None:
            return []
        if depth[0] <= _SHORT:
            return self._path_now(head_id)
        return await self._place.apart(lambda: self._path_now(head_id))

    def _path_now(self, head_id: str) -> list[Node]:
        return [rows.node(row) for row in self._reader.execute(self._sql["path"], (head_id,))]

    async def find_node(
        self, account_id: str, conversation_id: str | None, end_user: str | None, hash: bytes
    ) -> Node | None:
        row = self._one("find_node", account_id, hash, conversation_id, end_user)
        return None if row is None else rows.node(row)

    async def forget_replays(self, now: int) -> int:
        def write(connection: sqlite3.Connection) -> int:
            connection.execute(self._sql["free_old_keys"], (now, _FORGOTTEN))
            return connection.execute(self._sql["forget_replays"], (now, _FORGOTTEN)).rowcount

        forgotten = 0
        while some := await self._place.write(write):
            forgotten += some
        return forgotten

    async def check(self) -> Health:
        return await self._place.apart(lambda: check(self._reader))


_SHORT = 500
"""Messages of a path that may be read on the event loop, about a millisecond's worth."""

_FORGOTTEN = 500
"""Replays to forget in one go, so that turns need not wait for all of them."""
