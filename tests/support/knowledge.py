"""Entries as a store keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatloom.server.ids import milliseconds, new_id
from chatloom.server.knowledge.library import parts_of
from chatloom.server.knowledge.words import forms, sought
from chatloom.server.store.contract import Store
from chatloom.server.store.knowledge import Draft, Entry, EntryFilter, EntryType, Findings
from support.books import Books

LONG = "\n\n".join(f"## Part {number}\n\n{'Threads and shuttles. ' * 40}" for number in range(300))
"""A text of 300 passages and more."""


def draft(
    account_id: str,
    content: str = "A loom weaves threads.",
    *,
    title: str = "Weaving",
    type: EntryType = "wisdom",
    domain: str | None = None,
    tags: Sequence[str] = (),
    confidence: float = 1.0,
    replaces: Entry | None = None,
) -> Draft:
    """An entry to be kept, in the place of another one if so wished."""
    parts = parts_of(content, "markdown")
    now = milliseconds()
    entry = Entry(
        id=new_id() if replaces is None else replaces.id,
        account_id=account_id,
        type=type,
        title=title,
        format="markdown",
        domain=domain,
        tags=list(tags),
        confidence=confidence,
        source=None,
        passages=len(parts),
        characters=len(content),
        created_at=now if replaces is None else replaces.created_at,
        updated_at=now,
    )
    return Draft(
        entry=entry,
        title=forms(title),
        tags=[form for tag in tags for form in forms(tag)],
        parts=parts,
        replaces=None if replaces is None else replaces.version,
    )


async def find(
    store: Store, account_id: str, query: str, limit: int = 10, filter: EntryFilter | None = None
) -> Findings:
    """Search as the server does."""
    return await store.search_entries(
        account_id, sought(query), filter or EntryFilter(), limit=limit
    )


async def keep(own: Books, *arguments: Any, **fields: Any) -> Entry:
    """Keep an entry, described as for `draft`."""
    made = draft(own.account_id, *arguments, **fields)
    id = await own.store.keep_entry(made)
    found = await own.store.entry(own.account_id, id)
    assert found is not None
    return found


async def is_well(store: Store) -> bool:
    """Whether a check finds nothing to be said."""
    health = await store.check()
    return health.problems == [] and health.notes == []
