"""What an account knows, in Infinity Assistant's words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from chatloom.server.knowledge.library import Knowledge, Rewriting, Writing
from chatloom.server.knowledge.marking import marked
from chatloom.server.knowledge.words import sought
from chatloom.server.moments import iso
from chatloom.server.protocols.cursors import cursor_of, read_cursor
from chatloom.server.refusal import not_found
from chatloom.server.store.contract import Store
from chatloom.server.store.knowledge import Entry, EntryFilter, Found
from chatloom.wire import infinity as wire

_CUT = 1_000
"""Characters of a content that a list tells."""


class _BehindEntry(msgspec.Struct, tag="e", array_like=True, forbid_unknown_fields=True):
    """Where a list of entries goes on."""

    id: str


def writing_of(told: wire.NewEntry) -> Writing:
    """What is to be known."""
    return msgspec.convert(told, Writing, from_attributes=True)


def rewriting_of(told: wire.EntryChange) -> Rewriting:
    """What is to become of an entry."""
    return Rewriting(
        **{
            name: value
            for name in Rewriting.__struct_fields__
            if (value := getattr(told, name)) is not UNSET
        }
    )


async def page_of(store: Store, account_id: str, asked: wire.EntryPage) -> wire.Entries:
    """A page of entries; the one with the id that was *asked* for, whole. Raises `Refusal`."""
    if asked.id is not None:
        entry = await entry_named(store, account_id, asked.id)
        told = entry_told(entry, await store.entry_text(entry))
        return wire.Entries(entries=[told], total=1, has_next=False, next_cursor=None)
    filter = EntryFilter(
        types=None if asked.type is None else [asked.type],
        domains=None if asked.domain is None else [asked.domain],
        tags=[] if asked.tag is None else [asked.tag],
    )
    before = None if asked.cursor is None else read_cursor(asked.cursor, _BehindEntry).id
    found, total = await store.entries(account_id, filter, before=before, limit=asked.limit + 1)
    some, goes_on = found[: asked.limit], len(found) > asked.limit
    return wire.Entries(
        entries=[await entry_cut(store, one) for one in some],
        total=total,
        has_next=goes_on,
        next_cursor=cursor_of(_BehindEntry(some[-1].id)) if goes_on else None,
    )


async def entry_named(store: Store, account_id: str, id: str) -> Entry:
    """The entry with this id. Raises `Refusal`."""
    found = await store.entry(account_id, id)
    if found is None:
        raise not_found("entry")
    return found


async def entry_cut(store: Store, entry: Entry) -> wire.Entry:
    """An entry, with the beginning of its content."""
    return entry_told(entry, (await store.entry_text(entry, _CUT))[:_CUT])


def entry_told(entry: Entry, content: str) -> wire.Entry:
    """An entry."""
    return wire.Entry(
        id=entry.id,
        type=entry.type,
        title=entry.title,
        content=content,
        format=entry.format,
        domain=entry.domain,
        tags=entry.tags,
        confidence=entry.confidence,
        source=entry.source,
        passages=entry.passages,
        created_at=iso(entry.created_at),
        updated_at=iso(entry.updated_at),
    )


async def results_of(
    knowledge: Knowledge, account_id: str, asked: wire.KnowledgeQuery
) -> wire.Results:
    """What is found by a query."""
    findings = await knowledge.findings(
        account_id, asked.query, limit=asked.limit, filter=_filter_of(asked.filters)
    )
    results = results_told(findings.found, asked.query)
    return wire.Results(results=results, total=findings.total, query=asked.query)


def results_told(found: Sequence[Found], query: str) -> list[wire.Result]:
    """What was found by a query."""
    words = frozenset(sought(query))
    return [_result(one, words) for one in found]


def _result(found: Found, words: frozenset[str]) -> wire.Result:
    entry = found.entry
    return wire.Result(
        id=entry.id,
        type=entry.type,
        title=entry.title,
        content=found.text,
        domain=entry.domain,
        tags=entry.tags,
        confidence=entry.confidence,
        score=round(found.score, 4),
        highlights=marked(found.text, words),
        source=entry.source,
        passage_start=found.start,
        passage_end=found.end,
    )


def _filter_of(filters: wire.Filters | None) -> EntryFilter:
    if filters is None:
        return EntryFilter()
    types, domains = filters.type, filters.domain
    return EntryFilter(
        types=[types] if isinstance(types, str) else types,
        domains=[domains] if isinstance(domains, str) else domains,
        tags=filters.tags or [],
        min_confidence=filters.min_confidence or 0.0,
    )
