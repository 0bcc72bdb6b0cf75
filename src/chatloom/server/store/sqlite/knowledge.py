"""What accounts know: entries and their passages, written a few hundred passages at a time.

A version of an entry is a `draft` until all of it is written, and `doomed` until all of it is
removed. Both ends are one transaction, with what the account has in all; so nobody sees a part.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from chatloom.server.events.reports import of_entry
from chatloom.server.store.administration import Deed
from chatloom.server.store.knowledge import Draft, Entry, EntryFilter, Findings
from chatloom.server.store.sqlite.drafts import (
    AT_ONCE,
    adding,
    begin,
    doom,
    find_entry,
    finish,
    range_of,
    remove_some,
    set_state,
    tell,
    written,
)
from chatloom.server.store.sqlite.indexing import of_domain, of_tag
from chatloom.server.store.sqlite.made import made_before
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.searching import entry_of, search
from chatloom.server.store.sqlite.statements import statements
from chatloom.server.store.trees import Repeatable

_SQL = "knowledge.sql"
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
            number = begin(connection, draft)
            adding(draft, number, 0)(connection)
            return self._finish(connection, draft, number, by, deed)

        if draft.entry.passages <= AT_ONCE:
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
        number = await self._place.write(lambda it: begin(it, draft))
        kept = ""
        try:
            for first in range(0, draft.entry.passages, AT_ONCE):
                await self._place.write(adding(draft, number, first))
            kept = await self._place.write(
                lambda it: self._finish(it, draft, number, by, deed), durable=True
            )
        finally:
            if kept != draft.entry.id:
                await self._place.write(lambda it: set_state(it, number, "doomed"))
                await self._sweep()
        return kept

    def _finish(
        self,
        connection: sqlite3.Connection,
        draft: Draft,
        number: int,
        by: Repeatable | None,
        deed: Deed | None,
    ) -> str:
        kept = finish(connection, draft, number, by, deed)
        if kept == draft.entry.id and draft.replaces is None:
            self._outbox.report(connection, [of_entry(draft.entry)])
        return kept

    async def entry(self, account_id: str, id: str) -> Entry | None:
        return find_entry(self._reader, account_id, id)

    async def entry_text(self, entry: Entry, first: int | None = None) -> str:
        def read() -> str:
            told: list[str] = []
            size = 0
            bounds = range_of(entry.version)
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
            None if filter.types is None else written(filter.types),
            None if domains is None else written([of_domain(one) for one in domains]),
            written([of_tag(one) for one in filter.tags]),
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
            found = find_entry(connection, account_id, id)
            if found is not None:
                doom(connection, found)
                tell(connection, deed)
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
            return remove_some(connection, before)

        swept = 0
        while (done := await self._place.write(write)) is not None:
            swept += done
        return swept
