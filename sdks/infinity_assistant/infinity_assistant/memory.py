"""Memory: what is kept of a user, by its keys."""

from __future__ import annotations

from chatloom.core.engine import Mode
from chatloom.core.operations import operation, paginated
from chatloom.core.pages import AsyncPages
from infinity_assistant import answers
from infinity_assistant.calls import PREFIX, Calls, either
from infinity_assistant.pages import Page, page
from infinity_assistant.types import (
    DeleteResponse,
    MemoryEntry,
    MemoryListResponse,
    MemoryRetrieveResponse,
    MemoryStoreResponse,
    Storable,
)

_PATH = f"{PREFIX}/memory"


class Memory(Calls[Mode]):
    """What is kept of a user.

    Each user of an account has a memory of their own, *user_id*, or as on the wire
    ``userId``; without, it is the one that belongs to nobody, or to whom the key does.
    """

    @operation
    async def store_memory(
        self,
        key: str,
        value: Storable,
        ttl: int | None = None,
        *,
        user_id: str | None = None,
        userId: str | None = None,  # noqa: N803 - the wire's own spelling, as below
    ) -> MemoryStoreResponse:
        """Keep *value* of a user in place of what was there.

        *ttl* is in seconds; `None` keeps it for good. Raises `InfinityAssistantError`,
        and `ValueError` for two spellings that differ.
        """
        told = {"key": key, "value": value, "ttl": ttl, **_whose(user_id, userId)}
        return await self._post(f"{_PATH}/store", told, answers.stored)

    @operation
    async def retrieve_memory(
        self,
        key: str,
        *,
        user_id: str | None = None,
        userId: str | None = None,  # noqa: N803
    ) -> MemoryRetrieveResponse:
        """Find what is kept of a user; ``found`` says whether it was.

        Raises `InfinityAssistantError`, and `ValueError` for two spellings that differ.
        """
        whose = _whose(user_id, userId)
        return await self._get(f"{_PATH}/retrieve", answers.retrieved, key=key, **whose)

    @operation
    async def list_memories(
        self,
        prefix: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        *,
        user_id: str | None = None,
        userId: str | None = None,  # noqa: N803
    ) -> MemoryListResponse:
        """List a page of what is kept of a user, by its keys; those that begin with *prefix*.

        *cursor* is the ``nextCursor`` of the page before. Raises `InfinityAssistantError`,
        and `ValueError` for two spellings that differ.
        """
        return await self._kept(prefix, limit, cursor, _whose(user_id, userId))

    @paginated
    def iter_memories(
        self,
        prefix: str | None = None,
        limit: int | None = None,
        *,
        user_id: str | None = None,
        userId: str | None = None,  # noqa: N803
    ) -> AsyncPages[MemoryEntry]:
        """Go through all that is kept of a user, fetching *limit* at a time.

        It comes by its keys, those that begin with *prefix*. Raises `ValueError` for two
        spellings that differ, and `InfinityAssistantError` while it is gone through.
        """
        whose = _whose(user_id, userId)

        async def fetch(cursor: str | int) -> Page[MemoryEntry]:
            found = await self._kept(prefix, limit, str(cursor) or None, whose)
            return page(found["entries"], found["nextCursor"], cursor)

        return AsyncPages(fetch, "")

    async def _kept(
        self, prefix: str | None, limit: int | None, cursor: str | None, whose: dict[str, str]
    ) -> MemoryListResponse:
        path = f"{_PATH}/list"
        return await self._get(
            path, answers.memories, prefix=prefix, limit=limit, cursor=cursor, **whose
        )

    @operation
    async def delete_memory(
        self,
        key: str,
        *,
        user_id: str | None = None,
        userId: str | None = None,  # noqa: N803
    ) -> DeleteResponse:
        """Forget what is kept of a user.

        Raises `InfinityAssistantError`, and `ValueError` for an empty *key* or *user_id*
        and for two spellings that differ.
        """
        whose = _whose(user_id, userId)
        return await self._delete(_PATH, answers.deleted, key=key, **whose)


def _whose(snake: str | None, camel: str | None) -> dict[str, str]:
    """Say whose memory is meant, where that is told."""
    user = either("user_id", snake, camel)
    return {} if user is None else {"userId": user}
