"""What is remembered of users, and finding of it what bears on a text."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator

import msgspec

from chatloom.core.http import JSON
from chatloom.server.events.reports import of_memory
from chatloom.server.knowledge.ranking import weight
from chatloom.server.knowledge.words import forms, sought
from chatloom.server.store.memory import MOST_BYTES, MOST_MEMORIES, Memory, MemoryFull
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.statements import statements

_SQL = "memory.sql"
_FORGOTTEN = 500
"""Memories to forget in one go, so that others need not wait for all of them."""
_LONGEST_TEXT = 4_000
"""Characters of a text in which words are looked for."""


class Memories(Opened):
    """Keeps memories."""

    async def remember(
        self,
        account_id: str,
        end_user: str | None,
        key: str,
        value: JSON,
        *,
        now: int,
        expires_at: int | None = None,
    ) -> None:
        whose = (account_id, end_user or "")
        told = msgspec.json.encode(value)
        words = " ".join(form for text in (key, *_texts(value)) for form in forms(text))

        def write(connection: sqlite3.Connection) -> None:
            sql = statements(_SQL)
            _forget(connection, connection.execute(sql["expired_of_user"], (*whose, now)))
            _check_room(connection, (*whose, key), len(told))
            values = (*whose, key, len(told), now, expires_at, told.decode())
            (number,) = connection.execute(sql["set_memory"], values).fetchone()
            connection.execute(sql["set_memory_words"], (number, _scope(*whose), words))
            if self._outbox.is_heard(connection, account_id):
                events = of_memory(
                    account_id, end_user, key, size=len(told), at=now, expires_at=expires_at
                )
                self._outbox.report(connection, events)

        await self._place.write(write, durable=True)

    async def recall(
        self, account_id: str, end_user: str | None, key: str, *, now: int
    ) -> Memory | None:
        values = (account_id, end_user or "", key, now)
        row = rows.one(self._reader, statements(_SQL)["memory"], *values)
        return None if row is None else _memory(row)

    async def memories(
        self,
        account_id: str,
        end_user: str | None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int,
        now: int,
    ) -> list[Memory]:
        values = (account_id, end_user or "", prefix, after or "", _behind(prefix), now, limit)

        def read() -> list[Memory]:
            found = self._reader.execute(statements(_SQL)["memories"], values)
            return [_memory(row) for row in found]

        return await self._place.apart(read)

    async def forget(self, account_id: str, end_user: str | None, key: str, *, now: int) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            values = (account_id, end_user or "", key, now)
            found = rows.one(connection, statements(_SQL)["memory"], *values)
            if found is not None:
                _forget(connection, iter([found[6:]]))
            return found is not None

        return await self._place.write(write, durable=True)

    async def relevant_memories(
        self,
        account_id: str,
        end_user: str | None,
        text: str,
        *,
        limit: int,
        now: int,
        budget: int = 8_000,
    ) -> list[Memory]:
        words = list(dict.fromkeys(sought(text[:_LONGEST_TEXT], even_plain=False)))
        whose = (account_id, end_user or "")

        def read() -> list[Memory]:
            sql, reader = statements(_SQL), self._reader
            live = {row[0]: row[1:] for row in reader.execute(sql["live_memories"], (*whose, now))}
            scores: dict[int, float] = {}
            for word in words if live else ():
                sought_ = f'"{_scope(*whose)}" AND "{word}"'
                having = [one for (one,) in reader.execute(sql["memories_with"], (sought_,))]
                for number in having:
                    scores[number] = scores.get(number, 0.0) + weight(len(having), len(live))
            ranked = sorted(
                scores.keys() & live.keys(), key=lambda one: (-scores[one], -live[one][0], -one)
            )
            found = _within({one: live[one][1] for one in ranked}, limit, budget)
            told = [rows.one(reader, sql["memory_by_number"], one) for one in found]
            return [_memory(row) for row in told if row is not None]

        return await self._place.apart(read)

    async def forget_expired_memories(self, now: int) -> int:
        def write(connection: sqlite3.Connection) -> int:
            found = connection.execute(statements(_SQL)["expired_memories"], (now, _FORGOTTEN))
            return _forget(connection, found)

        forgotten = 0
        while some := await self._place.write(write):
            forgotten += some
        return forgotten


def _check_room(connection: sqlite3.Connection, named: tuple[str, str, str], size: int) -> None:
    count, taken = connection.execute(statements(_SQL)["memory_taken"], named).fetchone()
    if count >= MOST_MEMORIES:
        raise MemoryFull(f"there are {MOST_MEMORIES:,} memories of one user at most")
    if taken + size > MOST_BYTES:
        raise MemoryFull(f"all memories of one user have {MOST_BYTES:,} bytes at most")


def _forget(connection: sqlite3.Connection, found: Iterator[tuple[int]]) -> int:
    numbers = list(found)
    connection.executemany(statements(_SQL)["delete_memory"], numbers)
    connection.executemany(statements(_SQL)["delete_memory_words"], numbers)
    return len(numbers)


def _within(sizes: dict[int, int], limit: int, budget: int) -> list[int]:
    found: list[int] = []
    for number, size in sizes.items():
        if len(found) < limit and size <= budget:
            found.append(number)
            budget -= size
    return found


def _scope(account_id: str, end_user: str) -> str:
    """Whose memories, as one word that no text has."""
    name = hashlib.sha256(f"{account_id}\0{end_user}".encode()).hexdigest()[:32]
    return f"§{name}"


def _texts(value: JSON) -> Iterator[str]:
    """All that is told in a value, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _behind(prefix: str) -> str | None:
    """What sorts behind all that begins with *prefix*; `None` where all does."""
    for at in range(len(prefix) - 1, -1, -1):
        following = ord(prefix[at]) + 1
        if following <= 0x10FFFF:
            following = 0xE000 if 0xD800 <= following < 0xE000 else following
            return prefix[:at] + chr(following)
    return None


def _memory(row: rows.Row) -> Memory:
    return Memory(
        key=row[0],
        value=msgspec.json.decode(row[1]),
        size=row[2],
        created_at=row[3],
        updated_at=row[4],
        expires_at=row[5],
    )
