"""What accounts know, kept by whoever administers the server."""

from __future__ import annotations

import msgspec

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.knowledge.library import Knowledge
from chatloom.server.protocols.chatloom.accounts import account_meant
from chatloom.server.protocols.deeds import deed
from chatloom.server.protocols.infinity.entries import (
    entry_cut,
    entry_named,
    page_of,
    results_of,
    writing_of,
)
from chatloom.server.routes import Route
from chatloom.server.store.administration import Deed
from chatloom.server.store.contract import Store
from chatloom.wire import infinity as wire
from chatloom.wire.knowledge import AccountQuery, EntriesOfAccount, EntryOfAccount


async def add_entry(call: Call) -> Reply:
    """Answer ``POST /admin/knowledge``."""
    account = call.read_query(AccountQuery).account_id
    wanted = await call.read(wire.NewEntry)
    services = call.services
    added = await add_to(services.store, services.knowledge, account, wanted, by=call)
    return json_reply(added, 201)


async def list_entries(call: Call) -> Reply:
    """Answer ``GET /admin/knowledge``."""
    asked = call.read_query(EntriesOfAccount)
    return json_reply(await list_of(call.services.store, asked))


async def remove_entry(call: Call) -> Reply:
    """Answer ``DELETE /admin/knowledge``."""
    asked = call.read_query(EntryOfAccount)
    return json_reply(await remove_from(call.services.store, asked, by=call))


async def search_entries(call: Call) -> Reply:
    """Answer ``POST /admin/knowledge/search``."""
    account = call.read_query(AccountQuery).account_id
    asked = await call.read(wire.KnowledgeQuery)
    return json_reply(await search_in(call.services.store, call.services.knowledge, account, asked))


async def add_to(
    store: Store,
    knowledge: Knowledge,
    account: str | None,
    wanted: wire.NewEntry,
    *,
    by: Call | str,
) -> wire.HoldingEntry:
    """Let an account know something more. Raises `Refusal`."""
    account = await account_meant(store, account)

    def done(id: str) -> Deed:
        return deed(by, "knowledge.added", id, account=account, title=wanted.title)

    id = await knowledge.add(account, writing_of(wanted), deed=done)
    entry = await entry_named(store, account, id)
    return wire.HoldingEntry(entry=await entry_cut(store, entry))


async def list_of(store: Store, asked: EntriesOfAccount) -> wire.Entries:
    """A page of what an account knows. Raises `Refusal`."""
    account = await account_meant(store, asked.account_id)
    return await page_of(
        store, account, msgspec.convert(asked, wire.EntryPage, from_attributes=True)
    )


async def search_in(
    store: Store, knowledge: Knowledge, account: str | None, asked: wire.KnowledgeQuery
) -> wire.Results:
    """What is found of what an account knows. Raises `Refusal`."""
    return await results_of(knowledge, await account_meant(store, account), asked)


async def remove_from(store: Store, asked: EntryOfAccount, *, by: Call | str) -> wire.HoldingEntry:
    """Let an account forget something; what that was. Raises `Refusal`."""
    account = await account_meant(store, asked.account_id)
    entry = await entry_named(store, account, asked.id)
    told = wire.HoldingEntry(entry=await entry_cut(store, entry))
    done = deed(by, "knowledge.removed", entry.id, account=account, title=entry.title)
    await store.remove_entry(account, entry.id, done)
    return told


ROUTES = (
    Route(
        method="POST",
        path="/admin/knowledge",
        owner="chatloom",
        summary="Let an account know something more",
        endpoint=add_entry,
        scope="admin",
        query=AccountQuery,
        request=wire.NewEntry,
        answer=wire.HoldingEntry,
        status=201,
        errors=("invalid", "not_found", "conflict", "too_large", "unavailable"),
    ),
    Route(
        method="GET",
        path="/admin/knowledge",
        owner="chatloom",
        summary="List what an account knows, the newest first; by its `id`, read one entry whole",
        endpoint=list_entries,
        scope="admin",
        query=EntriesOfAccount,
        answer=wire.Entries,
        errors=("invalid", "not_found"),
    ),
    Route(
        method="DELETE",
        path="/admin/knowledge",
        owner="chatloom",
        summary="Let an account forget an entry",
        endpoint=remove_entry,
        scope="admin",
        query=EntryOfAccount,
        answer=wire.HoldingEntry,
        errors=("invalid", "not_found"),
    ),
    Route(
        method="POST",
        path="/admin/knowledge/search",
        owner="chatloom",
        summary="Find what an account knows that bears on a query",
        endpoint=search_entries,
        scope="admin",
        query=AccountQuery,
        request=wire.KnowledgeQuery,
        answer=wire.Results,
        errors=("invalid", "not_found", "too_large"),
    ),
)
