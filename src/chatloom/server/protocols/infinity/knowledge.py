"""Infinity Assistant's knowledge: an account's entries, and searching in them.

All keys of an account read what it knows; one that belongs to an end user changes nothing there,
as everybody else's answers would be made of it too.
"""

from __future__ import annotations

from collections.abc import Mapping

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.protocols.infinity.entries import (
    entry_cut,
    entry_named,
    page_of,
    results_of,
    results_told,
    rewriting_of,
    writing_of,
)
from chatloom.server.protocols.repeats import repeatable_making
from chatloom.server.refusal import Refusal, key_reused, not_found
from chatloom.server.routes import Route
from chatloom.server.store.knowledge import EntryFilter, EntryType
from chatloom.server.store.trees import KeyReused
from chatloom.wire import infinity as wire


async def add_knowledge(call: Call) -> Reply:
    """Answer ``POST /api/knowledge``."""
    _check_may_write(call)
    wanted = await call.read(wire.NewEntry)
    account, services = call.key.account_id, call.services
    try:
        by = repeatable_making(call, wanted)
        id = await services.knowledge.add(account, writing_of(wanted), by)
    except KeyReused:
        raise key_reused() from None
    entry = await entry_named(services.store, account, id)
    return json_reply(wire.HoldingEntry(entry=await entry_cut(services.store, entry)))


async def list_knowledge(call: Call) -> Reply:
    """Answer ``GET /api/knowledge``."""
    asked = call.read_query(wire.EntryPage)
    return json_reply(await page_of(call.services.store, call.key.account_id, asked))


async def change_knowledge(call: Call) -> Reply:
    """Answer ``PATCH /api/knowledge``; the query says which entry."""
    _check_may_write(call)
    id = call.read_query(wire.EntryQuery).id
    wanted = rewriting_of(await call.read(wire.EntryChange))
    entry = await call.services.knowledge.change(call.key.account_id, id, wanted)
    if entry is None:
        raise not_found("entry")
    return json_reply(wire.HoldingEntry(entry=await entry_cut(call.services.store, entry)))


async def remove_knowledge(call: Call) -> Reply:
    """Answer ``DELETE /api/knowledge``; the query says which entry."""
    _check_may_write(call)
    id = call.read_query(wire.EntryQuery).id
    if not await call.services.store.remove_entry(call.key.account_id, id):
        raise not_found("entry")
    return json_reply(wire.Deleted(message="The entry is deleted."))


async def search_knowledge(call: Call) -> Reply:
    """Answer ``POST /api/knowledge/search``."""
    asked = await call.read(wire.KnowledgeQuery)
    found = await results_of(call.services.knowledge, call.key.account_id, asked)
    return json_reply(found)


async def search(call: Call) -> Reply:
    """Answer ``POST /api/search``: the same in the words of the service's own pages."""
    asked = await call.read(wire.NativeSearch)
    filter = EntryFilter(
        types=_TYPES[asked.type],
        domains=None if asked.domain is None else [asked.domain],
        tags=asked.tags or [],
    )
    findings = await call.services.knowledge.findings(
        call.key.account_id, asked.query, limit=asked.limit, filter=filter
    )
    results = results_told(findings.found, asked.query)
    sorted_out: dict[EntryType, list[wire.Result]] = {
        kind: [one for one in results if one.type == kind] for kind in _TYPES["all"]
    }
    told = wire.NativeResults(
        wisdom=sorted_out["wisdom"], patterns=sorted_out["pattern"], gotchas=sorted_out["gotcha"]
    )
    counts = {
        "wisdom": len(told.wisdom),
        "patterns": len(told.patterns),
        "gotchas": len(told.gotchas),
        "total": len(results),
    }
    answer = wire.NativeAnswer(
        query=asked.query, results=told, counts=counts, metadata={"matching": findings.total}
    )
    return json_reply(answer)


_TYPES: Mapping[str, tuple[EntryType, ...]] = {
    "all": ("wisdom", "pattern", "gotcha"),
    "wisdom": ("wisdom",),
    "patterns": ("pattern",),
    "gotchas": ("gotcha",),
}


def _check_may_write(call: Call) -> None:
    if call.key.owner is not None:
        raise Refusal(
            "forbidden",
            "this API key belongs to an end user: it reads what its account knows, and changes"
            " nothing there",
            code="account_knowledge",
        )


ROUTES = (
    Route(
        method="POST",
        path="/api/knowledge",
        owner="infinity",
        summary="Know something more: a text, or a document that is read and split into passages",
        endpoint=add_knowledge,
        scope="chat",
        request=wire.NewEntry,
        answer=wire.HoldingEntry,
        errors=("invalid", "conflict", "too_large", "unprocessable", "unavailable"),
        heeds_key=True,
    ),
    Route(
        method="GET",
        path="/api/knowledge",
        owner="infinity",
        summary="List what is known, the newest first; by its `id`, read one entry whole",
        endpoint=list_knowledge,
        scope="chat",
        query=wire.EntryPage,
        answer=wire.Entries,
        errors=("invalid", "not_found"),
    ),
    Route(
        method="PATCH",
        path="/api/knowledge",
        owner="infinity",
        summary="Change an entry",
        endpoint=change_knowledge,
        scope="chat",
        query=wire.EntryQuery,
        request=wire.EntryChange,
        answer=wire.HoldingEntry,
        errors=("invalid", "not_found", "conflict", "too_large", "unavailable"),
    ),
    Route(
        method="DELETE",
        path="/api/knowledge",
        owner="infinity",
        summary="Delete an entry",
        endpoint=remove_knowledge,
        scope="chat",
        query=wire.EntryQuery,
        answer=wire.Deleted,
        errors=("invalid", "not_found"),
    ),
    Route(
        method="POST",
        path="/api/knowledge/search",
        owner="infinity",
        summary="Find what bears on a query, the best passage of each entry",
        endpoint=search_knowledge,
        scope="chat",
        request=wire.KnowledgeQuery,
        answer=wire.Results,
        errors=("invalid", "too_large"),
    ),
    Route(
        method="POST",
        path="/api/search",
        owner="infinity",
        summary="Find wisdom, patterns and gotchas, each by itself",
        endpoint=search,
        scope="chat",
        request=wire.NativeSearch,
        answer=wire.NativeAnswer,
        errors=("invalid", "too_large"),
    ),
)
