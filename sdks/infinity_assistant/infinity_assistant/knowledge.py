"""Knowledge, memory and research."""

from __future__ import annotations

from chatloom.core.engine import Mode
from chatloom.core.operations import operation
from infinity_assistant import answers
from infinity_assistant.calls import PREFIX, Calls, without_nones
from infinity_assistant.types import (
    DeleteResponse,
    KnowledgeEntryResponse,
    KnowledgeFilters,
    KnowledgeListResponse,
    KnowledgeRequest,
    KnowledgeSearchResponse,
    KnowledgeUpdate,
    MemoryListResponse,
    MemoryRetrieveResponse,
    MemoryStoreResponse,
    ResearchDepth,
    ResearchResponse,
    Storable,
)

_KNOWLEDGE = f"{PREFIX}/knowledge"
_MEMORY = f"{PREFIX}/memory"


class Knowledge(Calls[Mode]):
    """What is known, and what somebody had remembered or found out."""

    @operation
    async def search_knowledge(
        self, query: str, limit: int | None = None, filters: KnowledgeFilters | None = None
    ) -> KnowledgeSearchResponse:
        """Search wisdom, patterns and gotchas. Raises `InfinityAssistantError`."""
        told = without_nones(query=query, limit=limit, filters=filters)
        return await self._post(f"{_KNOWLEDGE}/search", told, answers.found)

    @operation
    async def add_knowledge(self, entry: KnowledgeRequest) -> KnowledgeEntryResponse:
        """Add an entry. Raises `InfinityAssistantError`."""
        return await self._post(_KNOWLEDGE, entry, answers.entry)

    @operation
    async def list_knowledge(
        self, limit: int | None = None, cursor: str | None = None
    ) -> KnowledgeListResponse:
        """List a page of entries; *cursor* is the ``nextCursor`` of the one before.

        Raises `InfinityAssistantError`.
        """
        return await self._get(_KNOWLEDGE, answers.knowledge, limit=limit, cursor=cursor)

    @operation
    async def update_knowledge(
        self, entry_id: str, changes: KnowledgeUpdate
    ) -> KnowledgeEntryResponse:
        """Change an entry; what is not told stays as it is.

        Raises `InfinityAssistantError`, and `ValueError` for an empty *entry_id*.
        """
        return await self._patch(_KNOWLEDGE, changes, answers.entry, id=entry_id)

    @operation
    async def delete_knowledge(self, entry_id: str) -> DeleteResponse:
        """Delete an entry.

        Raises `InfinityAssistantError`, and `ValueError` for an empty *entry_id*.
        """
        return await self._delete(_KNOWLEDGE, answers.deleted, id=entry_id)

    @operation
    async def store_memory(
        self, key: str, value: Storable, ttl: int | None = None
    ) -> MemoryStoreResponse:
        """Keep *value* in place of what was there.

        *ttl* is in seconds; `None` keeps it for good. Raises `InfinityAssistantError`.
        """
        told = {"key": key, "value": value, "ttl": ttl}
        return await self._post(f"{_MEMORY}/store", told, answers.stored)

    @operation
    async def retrieve_memory(self, key: str) -> MemoryRetrieveResponse:
        """Find what is kept; ``found`` says whether it was. Raises `InfinityAssistantError`."""
        return await self._get(f"{_MEMORY}/retrieve", answers.retrieved, key=key)

    @operation
    async def list_memories(
        self, prefix: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> MemoryListResponse:
        """List a page of what is kept, by its keys; those that begin with *prefix*.

        *cursor* is the ``nextCursor`` of the page before. Raises `InfinityAssistantError`.
        """
        path = f"{_MEMORY}/list"
        return await self._get(path, answers.memories, prefix=prefix, limit=limit, cursor=cursor)

    @operation
    async def delete_memory(self, key: str) -> DeleteResponse:
        """Forget what is kept.

        Raises `InfinityAssistantError`, and `ValueError` for an empty *key*.
        """
        return await self._delete(_MEMORY, answers.deleted, key=key)

    @operation
    async def research(
        self, query: str, depth: ResearchDepth | None = None, sources: int | None = None
    ) -> ResearchResponse:
        """Search the web, and sum up what is found. Raises `InfinityAssistantError`."""
        told = without_nones(query=query, depth=depth, sources=sources)
        return await self._post(f"{PREFIX}/research", told, answers.research)
