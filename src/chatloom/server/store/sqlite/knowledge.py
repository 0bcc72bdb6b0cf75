"""What accounts know: entries and their passages, written a few hundred passages at a time.

A version of an entry is a `draft` until all of it is written, and `doomed` until all of it is
removed. Both ends are one transaction, with what the account has in all; so nobody sees a part.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from chatloom.server.ids import milliseconds
from chatloom.server.store.administration import Deed
from chatloom.server.store.knowledge import (
    MOST_CHARACTERS,
    MOST_ENTRIES,
    Draft,
    Entry,
    EntryChanged,
    EntryFilter,
    Findings,
    KnowledgeFull,
    Part,
)
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.audit import record
from chatloom.server.store.sqlite.indexing import Index, facets_of, of_domain, of_tag
from chatloom.server.store.sqlite.made import made_before, note_made
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.searching import entry_of, search
from chatloom.server.store.sqlite.statements import statements
from chatloom.server.store.trees import Repeatable

_SQL = "knowledge.sql"
_AT_ONCE = 64
"""Passages that are written or removed in one go, so that turns need not wait for all of them."""
_ABANDONED = 3600 * 1000
"""Milliseconds after which a draft belongs to nobody."""


class Knowledge(Opened):
    """Keeps what accounts know."""

    async def keep_entry(
        self, draft: Draft, by: Repeatable | None = None, deed: Deed | None = None
    ) -> str:
        def write(connection: sqlite3.Connection) -> str:
            made = made_before(connection, by)
            if made is not None:
                return made
            number = _begin(connection, draft)
            _adding(draft, number, 0)(connection)
            return _end(connection, draft, number, by, deed)

        if draft.entry.passages <= _AT_ONCE:
            id = await self._place.write(write, durable=True)
        else:
            id = await self._keep_large(draft, by, deed)
        if draft.replaces is not None:
            await self._sweep()
        return id

    async def _keep_large(self, draft: Draft, by: Repeatable | None, deed: Deed | None) -> str:
        before = await self._place.write(lambda it: made_before(it, by))
        if before is not None:
            return before
        number = await self._place.write(lambda it: _begin(it, draft))
        kept = ""
        try:
            for first in range(0, draft.entry.passages, _AT_ONCE):
                await self._place.write(_adding(draft, number, first))
            kept = await self._place.write(
                lambda it: _end(it, draft, number, by, deed), durable=True
            )
        finally:
            if kept != draft.entry.id:
                await self._place.write(lambda it: _set_state(it, number, "doomed"))
                await self._sweep()
        return kept

    async def entry(self, account_id: str, id: str) -> Entry | None:
        return _entry(self._reader, account_id, id)

    async def entry_text(self, entry: Entry, first: int | None = None) -> str:
        def read() -> str:
            told: list[str] = []
            size = 0
            bounds = _range(entry.version)
            for (text,) in self._reader.execute(statements(_SQL)["text_of"], bounds):
                told.append(text)
                size += len(text)
                if first is not None and size >= first:
                    break
            return "".join(told)

        return read() if first is not None else await self._place.apart(read)

    async def entries(
        self, account_id: str, filter: EntryFilter, *, before: str | None, limit: int
    ) -> tuple[list[Entry], int]:
        domains = filter.domains
        wanted = (
            None if filter.types is None else _json(filter.types),
            None if domains is None else _json([of_domain(one) for one in domains]),
            _json([of_tag(one) for one in filter.tags]),
            filter.min_confidence,
        )

        def read() -> tuple[list[Entry], int]:
            sql, reader = statements(_SQL), self._reader
            found = reader.execute(sql["entries"], (account_id, before, *wanted, limit))
            listed = [entry_of(row) for row in found]
            (count,) = reader.execute(sql["count_entries"], (account_id, *wanted)).fetchone()
            return listed, count

        return await self._place.apart(read)

    async def remove_entry(self, account_id: str, id: str, deed: Deed | None = None) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            found = _entry(connection, account_id, id)
            if found is not None:
                _doom(connection, found)
                _tell(connection, deed)
            return found is not None

        removed = await self._place.write(write, durable=True)
        if removed:
            await self._sweep()
        return removed

    async def search_entries(
        self, account_id: str, words: Sequence[str], filter: EntryFilter, *, limit: int
    ) -> Findings:
        return await self._place.apart(
            lambda: search(self._reader, account_id, words, filter, limit=limit)
        )

    async def forget_drafts(self, now: int) -> int:
        return await self._sweep(now - _ABANDONED)

    async def _sweep(self, before: int = 0) -> int:
        """Remove what is doomed, and drafts begun *before*. Returns how many there were."""

        def write(connection: sqlite3.Connection) -> bool | None:
            return _remove_some(connection, before)

        swept = 0
        while (done := await self._place.write(write)) is not None:
            swept += done
        return swept


def _entry(connection: sqlite3.Connection, account_id: str, id: str) -> Entry | None:
    row = rows.one(connection, statements(_SQL)["entry"], account_id, id)
    return None if row is None else entry_of(row)


def _begin(connection: sqlite3.Connection, draft: Draft) -> int:
    entry = draft.entry
    values = (
        entry.id,
        entry.account_id,
        milliseconds(),
        entry.type,
        entry.title,
        entry.format,
        entry.domain,
        _json(entry.tags),
        entry.confidence,
        entry.source,
        facets_of(entry),
        f"{' '.join(draft.title)}\n{' '.join(draft.tags)}",
        entry.passages,
        entry.characters,
        entry.created_at,
        entry.updated_at,
    )
    number = connection.execute(statements(_SQL)["add_entry"], values).lastrowid
    assert number is not None
    return number


def _adding(draft: Draft, number: int, first: int) -> Callable[[sqlite3.Connection], None]:
    """Write some passages, from the one in this place on."""
    entry, last = draft.entry, min(draft.entry.passages, first + _AT_ONCE)
    index, facets = Index(entry.account_id), facets_of(entry)
    heading = (*draft.title, *draft.tags)

    def write(connection: sqlite3.Connection) -> None:
        sql = statements(_SQL)
        for place, part in enumerate(_parts(connection, draft, first, last), first):
            passage = (number << 20) + place
            words = " ".join(part.words)
            values = (passage, part.at, part.start, part.end, part.text, words)
            connection.execute(sql["add_passage"], values)
            row = index.row(facets, heading, part.words, is_first=not place)
            connection.execute(sql["index_passage"], (passage, row))

    return write


def _parts(connection: sqlite3.Connection, draft: Draft, first: int, last: int) -> Sequence[Part]:
    """Some passages of a draft: its own, or those of the version that it replaces."""
    if draft.parts is not None:
        return draft.parts[first:last]
    assert draft.replaces is not None
    start = draft.replaces << 20
    found = connection.execute(
        statements(_SQL)["some_passages"], (start + first, start + last - 1)
    ).fetchall()
    if len(found) != last - first:
        raise EntryChanged
    return [
        Part(text=text, at=at, start=begin, end=stop, words=words.split())
        for at, begin, stop, text, words in found
    ]


def _end(
    connection: sqlite3.Connection,
    draft: Draft,
    number: int,
    by: Repeatable | None,
    deed: Deed | None,
) -> str:
    """Put a draft, all of which is written, in its place; the id of what *by* made."""
    before = made_before(connection, by)
    if before is not None:
        return before
    if draft.replaces is not None:
        replaced = _entry(connection, draft.entry.account_id, draft.entry.id)
        if replaced is None or replaced.version != draft.replaces:
            raise EntryChanged
        _doom(connection, replaced)
    _set_state(connection, number, "ready")
    _count(connection, draft.entry, 1)
    _check_room(connection, draft.entry.account_id)
    note_made(connection, by, draft.entry.id)
    _tell(connection, deed)
    return draft.entry.id


def _tell(connection: sqlite3.Connection, deed: Deed | None) -> None:
    if deed is not None:
        record(connection, deed)


def _doom(connection: sqlite3.Connection, entry: Entry) -> None:
    _set_state(connection, entry.version, "doomed")
    _count(connection, entry, -1)


def _set_state(connection: sqlite3.Connection, number: int, state: str) -> None:
    connection.execute(statements(_SQL)["set_state"], (number, state, milliseconds()))


def _count(connection: sqlite3.Connection, entry: Entry, sign: int) -> None:
    counted = (sign, sign * entry.passages, sign * entry.characters)
    connection.execute(statements(_SQL)["add_known"], (entry.account_id, *counted))


def _check_room(connection: sqlite3.Connection, account_id: str) -> None:
    known = connection.execute(statements(_SQL)["known"], (account_id,)).fetchone()
    entries, _, characters = known
    if entries > MOST_ENTRIES:
        raise KnowledgeFull(f"an account knows {MOST_ENTRIES:,} entries at most")
    if characters > MOST_CHARACTERS:
        raise KnowledgeFull(f"all that an account knows has {MOST_CHARACTERS:,} characters at most")


def _remove_some(connection: sqlite3.Connection, before: int) -> bool | None:
    """Remove passages of what is doomed: whether that was its last ones; `None` for nothing."""
    sql = statements(_SQL)
    found = connection.execute(sql["forgotten_drafts"], (before,)).fetchone()
    if found is None:
        return None
    (number,) = found
    first, last = _range(number)
    (end,) = connection.execute(sql["last_passage"], (first, last)).fetchone()
    start = first if end is None else max(first, end - _AT_ONCE + 1)
    for row in connection.execute(sql["indexed"], (start, last)).fetchall():
        connection.execute(sql["unindex_passage"], (row[0], indexed_by(row)))
    connection.execute(sql["delete_passages"], (start, last))
    if start == first:
        connection.execute(sql["delete_entry"], (number,))
    return start == first


def indexed_by(row: rows.Row) -> str:
    """What a passage is indexed by, as the statement `indexed` tells it."""
    number, words, account_id, facets, heading = row
    is_first = number == number >> 20 << 20
    return Index(account_id).row(facets, heading.split(), words.split(), is_first=is_first)


def _range(version: int) -> tuple[int, int]:
    return version << 20, (version << 20) + (1 << 20) - 1


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
