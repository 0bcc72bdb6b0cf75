"""What the server finds for a message: what it remembers of the user, what the account knows."""

from __future__ import annotations

import msgspec

from chatloom.server.call import Call
from chatloom.server.ids import milliseconds
from chatloom.server.protocols.infinity.leading import Manner, found_of
from chatloom.wire import infinity as wire

_MEMORIES = 8
"""Memories that a model is told at most."""
_SEARCHED = 8
"""Passages that a model is told at most where it is asked to search."""
_HELPFUL = 3
"""Passages that it is told besides, where they surely bear on the message."""
_SURE = 0.6
"""The score from which a passage surely bears on a message."""


class Found(msgspec.Struct, frozen=True):
    """What was found: what the model is told of it, and what that is from."""

    told: str | None = None
    memories: list[str] = []
    """Their keys."""
    knowledge: list[str] = []
    """The entries' ids."""


async def find(call: Call, end_user: str | None, asked: wire.ChatRequest, manner: Manner) -> Found:
    """Find what bears on a message."""
    store, account = call.services.store, call.key.account_id
    memories = []
    if manner.uses_memory:
        memories = await store.relevant_memories(
            account, end_user, asked.message, limit=_MEMORIES, now=milliseconds()
        )
    passages = []
    if asked.mode is not None:
        is_search = asked.mode == "search"
        limit = _SEARCHED if is_search else _HELPFUL
        results = await call.services.knowledge.search(account, asked.message[:500], limit=limit)
        passages = [one for one in results if is_search or one.score >= _SURE]
    return Found(
        found_of(
            [(one.key, one.value) for one in memories],
            [(one.title, one.text) for one in passages],
        ),
        [one.key for one in memories],
        [one.entry_id for one in passages],
    )
