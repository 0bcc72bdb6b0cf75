"""Versions of entries: begun, written a few passages at a time, finished, removed the same way.

Each function is, or is for, one transaction; `knowledge.Knowledge` has them follow each other.
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
    KnowledgeFull,
    Part,
)
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.audit import record
from chatloom.server.store.sqlite.indexing import Index, facets_of
from chatloom.server.store.sqlite.made import made_before, note_made
from chatloom.server.store.sqlite.searching import entry_of
from chatloom.server.store.sqlite.statements import statements
from chatloom.server.store.trees import Repeatable

_SQL = "knowledge.sql"
AT_ONCE = 64
"""Passages that are written or removed in one go, so that turns need not wait for all of them."""


def find_entry(connection: sqlite3.Connection, account_id: str, id: str) -> Entry | None:
    """The entry with this id, where there is one."""
    row = rows.one(connection, statements(_SQL)["entry"], account_id, id)
    return None if row is None else entry_of(row)


def begin(connection: sqlite3.Connection, draft: Draft) -> int:
    """Write the beginning of a draft; its number."""
    entry = draft.entry
    values = (
        entry.id,
        entry.account_id,
        milliseconds(),
        entry.type,
        entry.title,
        entry.format,
        entry.domain,
        written(entry.tags),
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


def adding(draft: Draft, number: int, first: int) -> Callable[[sqlite3.Connection], None]:
    """Write some passages, from the one in this place on."""
    entry, last = draft.entry, min(draft.entry.passages, first + AT_ONCE)
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


def finish(
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
        replaced = find_entry(connection, draft.entry.account_id, draft.entry.id)
        if replaced is None or replaced.version != draft.replaces:
            raise EntryChanged
        doom(connection, replaced)
    set_state(connection, number, "ready")
    _count(connection, draft.entry, 1)
    _check_room(connection, draft.entry.account_id)
    note_made(connection, by, draft.entry.id)
    tell(connection, deed)
    return draft.entry.id


def tell(connection: sqlite3.Connection, deed: Deed | None) -> None:
    """Tell the audit log, where there is something to be told."""
    if deed is not None:
        record(connection, deed)


def doom(connection: sqlite3.Connection, entry: Entry) -> None:
    """Take an entry out of what is known; its passages are removed later."""
    set_state(connection, entry.version, "doomed")
    _count(connection, entry, -1)


def set_state(connection: sqlite3.Connection, number: int, state: str) -> None:
    """Say how far a version is."""
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


def remove_some(connection: sqlite3.Connection, before: int) -> bool | None:
    """Remove passages of what is doomed: whether that was its last ones; `None` for nothing."""
    sql = statements(_SQL)
    found = connection.execute(sql["forgotten_drafts"], (before,)).fetchone()
    if found is None:
        return None
    (number,) = found
    first, last = range_of(number)
    (end,) = connection.execute(sql["last_passage"], (first, last)).fetchone()
    start = first if end is None else max(first, end - AT_ONCE + 1)
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


def range_of(version: int) -> tuple[int, int]:
    """The numbers that the passages of a version have."""
    return version << 20, (version << 20) + (1 << 20) - 1


def written(value: object) -> str:
    """A value as it is written."""
    return msgspec.json.encode(value).decode()
