"""Infinity Assistant's memory: what is remembered of a user, under keys.

Whose it is follows from the API key: its own end user, else the one that the request names,
else the account's without a name.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.powers import end_user_of
from chatloom.server.ids import milliseconds
from chatloom.server.moments import iso
from chatloom.server.protocols.cursors import cursor_of, read_cursor
from chatloom.server.refusal import Refusal, invalid
from chatloom.server.routes import Route
from chatloom.server.store.memory import LARGEST_VALUE, Memory, MemoryFull
from chatloom.wire import infinity as wire


class _BehindKey(msgspec.Struct, tag="k", array_like=True, forbid_unknown_fields=True):
    """Where a list of memories goes on."""

    key: str


async def store_memory(call: Call) -> Reply:
    """Answer ``POST /api/memory/store``."""
    wanted = await call.read(wire.MemoryToStore)
    if wanted.value is UNSET:
        raise invalid("value: is required; null is one too", param="value")
    size = len(msgspec.json.encode(wanted.value))
    if size > LARGEST_VALUE:
        message = f"value: it has {size:,} bytes as JSON, and {LARGEST_VALUE:,} is the most"
        raise Refusal("too_large", message, code="value_too_large", param="value")
    now = milliseconds()
    expires_at = None if wanted.ttl is None else now + wanted.ttl * 1000
    end_user = end_user_of(call.key, wanted.user_id)
    try:
        await call.services.store.remember(
            call.key.account_id,
            end_user,
            wanted.key,
            wanted.value,
            now=now,
            expires_at=expires_at,
        )
    except MemoryFull as full:
        raise Refusal("conflict", str(full), code="memory_full", repeatable=False) from full
    return json_reply(wire.Stored(key=wanted.key, expires_at=iso(expires_at)))


async def retrieve_memory(call: Call) -> Reply:
    """Answer ``GET /api/memory/retrieve``."""
    asked = call.read_query(wire.MemoryQuery)
    found = await call.services.store.recall(
        call.key.account_id, end_user_of(call.key, asked.user_id), asked.key, now=milliseconds()
    )
    told = wire.Retrieved(
        value=None if found is None else found.value,
        found=found is not None,
        key=asked.key,
        created_at=None if found is None else iso(found.created_at),
        updated_at=None if found is None else iso(found.updated_at),
        expires_at=None if found is None else iso(found.expires_at),
    )
    return json_reply(told)


async def list_memories(call: Call) -> Reply:
    """Answer ``GET /api/memory/list``."""
    asked = call.read_query(wire.MemoryPage)
    found = await call.services.store.memories(
        call.key.account_id,
        end_user_of(call.key, asked.user_id),
        prefix=asked.prefix or "",
        after=None if asked.cursor is None else read_cursor(asked.cursor, _BehindKey).key,
        limit=asked.limit + 1,
        now=milliseconds(),
    )
    some, goes_on = found[: asked.limit], len(found) > asked.limit
    told = wire.Memories(
        memories=[_told(one) for one in some],
        has_next=goes_on,
        next_cursor=cursor_of(_BehindKey(some[-1].key)) if goes_on else None,
    )
    return json_reply(told)


async def forget_memory(call: Call) -> Reply:
    """Answer ``DELETE /api/memory``."""
    asked = call.read_query(wire.MemoryQuery)
    deleted = await call.services.store.forget(
        call.key.account_id, end_user_of(call.key, asked.user_id), asked.key, now=milliseconds()
    )
    return json_reply(wire.Forgotten(deleted=deleted))


def _told(memory: Memory) -> wire.Memory:
    return wire.Memory(
        key=memory.key,
        value=memory.value,
        size=memory.size,
        created_at=iso(memory.created_at),
        updated_at=iso(memory.updated_at),
        expires_at=iso(memory.expires_at),
    )


ROUTES = (
    Route(
        method="POST",
        path="/api/memory/store",
        owner="infinity",
        summary="Remember something of a user, for ever or for some seconds",
        endpoint=store_memory,
        scope="chat",
        request=wire.MemoryToStore,
        answer=wire.Stored,
        errors=("invalid", "conflict", "too_large"),
    ),
    Route(
        method="GET",
        path="/api/memory/retrieve",
        owner="infinity",
        summary="Say what is remembered under a key",
        endpoint=retrieve_memory,
        scope="chat",
        query=wire.MemoryQuery,
        answer=wire.Retrieved,
        errors=("invalid",),
    ),
    Route(
        method="GET",
        path="/api/memory/list",
        owner="infinity",
        summary="List what is remembered of a user, by its keys",
        endpoint=list_memories,
        scope="chat",
        query=wire.MemoryPage,
        answer=wire.Memories,
        errors=("invalid",),
    ),
    Route(
        method="DELETE",
        path="/api/memory",
        owner="infinity",
        summary="Forget what is remembered under a key",
        endpoint=forget_memory,
        scope="chat",
        query=wire.MemoryQuery,
        answer=wire.Forgotten,
        errors=("invalid",),
    ),
)
