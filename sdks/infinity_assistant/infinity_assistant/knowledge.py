"""Knowledge and research."""

from __future__ import annotations

from chatloom.core.engine import Mode
from chatloom.core.operations import operation, paginated
from chatloom.core.pages import AsyncPages
from infinity_assistant import answers
from infinity_assistant.calls import PREFIX, Calls, either, without_nones
from infinity_assistant.pages import Page, page
from infinity_assistant.types import (
    DeleteResponse,
    KnowledgeEntry,
    KnowledgeEntryResponse,
    KnowledgeFilters,
    KnowledgeListResponse,
    KnowledgeRequest,
    KnowledgeSearchResponse,
    KnowledgeUpdate,
    ResearchDepth,
    ResearchResponse,
)

_PATH = f"{PREFIX}/knowledge"


class Knowledge(Calls[Mode]):
    """What is known, and what can be found out."""

    @operation
    async def search_knowledge(
        self, query: str, limit: int | None = None, filters: KnowledgeFilters | None = None
    ) -> KnowledgeSearchResponse:
        """Search wisdom, patterns, gotchas and documents; what fits best comes first.

        Raises `InfinityAssistantError`, and `ValueError` for two spellings that differ.
        """
        told = without_nones(query=query, limit=limit, filters=_spelled(filters))
        return await self._post(f"{_PATH}/search", told, answers.found)

    @operation
    async def add_knowledge(self, entry: KnowledgeRequest) -> KnowledgeEntryResponse:
        """Add an entry; a document is split into passages, and searched by them.

        Raises `InfinityAssistantError`.
        """
        return await self._post(_PATH, entry, answers.entry)

    @operation
    async def list_knowledge(
        self,
        limit: int | None = None,
        cursor: str | None = None,
        *,
        type: str | None = None,
        domain: str | None = None,
        tag: str | None = None,
    ) -> KnowledgeListResponse:
        """List a page of entries, those of a *type* and *domain* that have a *tag*.

        *cursor* is the ``nextCursor`` of the page before; long contents may be cut, see
        `get_knowledge`. Raises `InfinityAssistantError`.
        """
        return await self._listed(limit, cursor, type, domain, tag)

    @paginated
    def iter_knowledge(
        self,
        limit: int | None = None,
        *,
        type: str | None = None,
        domain: str | None = None,
        tag: str | None = None,
    ) -> AsyncPages[KnowledgeEntry]:
        """Go through all entries, or those of a *type* …, fetching *limit* at a time.

        Raises `InfinityAssistantError` while they are gone through.
        """

        async def fetch(cursor: str | int) -> Page[KnowledgeEntry]:
            found = await self._listed(limit, str(cursor) or None, type, domain, tag)
            return page(found["entries"], found["nextCursor"], cursor)

        return AsyncPages(fetch, "")

    async def _listed(
        self,
        limit: int | None,
        cursor: str | None,
        type: str | None,
        domain: str | None,
        tag: str | None,
    ) -> KnowledgeListResponse:
        return await self._get(
            _PATH,
            answers.knowledge,
            limit=limit,
            cursor=cursor,
            type=type,
            domain=domain,
            tag=tag,
        )

    @operation
    async def get_knowledge(self, entry_id: str) -> KnowledgeEntryResponse:
        """Read an entry, with all of its content.

        Raises `InfinityAssistantError`, and `ValueError` for an empty *entry_id*.
        """
        request = self._naming("GET", _PATH, None, id=entry_id)
        return await self._send(request, answers.entry_named(entry_id))

    @operation
    async def update_knowledge(
        self, entry_id: str, changes: KnowledgeUpdate
    ) -> KnowledgeEntryResponse:
        """Change an entry; what is not told stays as it is.

        Raises `InfinityAssistantError`, and `ValueError` for an empty *entry_id*.
        """
        return await self._patch(_PATH, changes, answers.entry, id=entry_id)

    @operation
    async def delete_knowledge(self, entry_id: str) -> DeleteResponse:
        """Delete an entry.

        Raises `InfinityAssistantError`, and `ValueError` for an empty *entry_id*.
        """
        return await self._delete(_PATH, answers.deleted, id=entry_id)

    @operation
    async def research(
        self,
        query: str,
        depth: ResearchDepth | None = None,
        sources: int | None = None,
        *,
        model: str | None = None,
    ) -> ResearchResponse:
        """Search what is known and the web, and sum up what is found, with citations.

        *sources* are read at most; *model* sums up, else one that the server chooses.
        Raises `InfinityAssistantError`.
        """
        told = without_nones(query=query, depth=depth, sources=sources, model=model)
        return await self._post(f"{PREFIX}/research", told, answers.research)


def _spelled(filters: KnowledgeFilters | None) -> dict[str, object] | None:
    """Filters as the wire spells them. Raises `ValueError` for two spellings that differ."""
    if filters is None:
        return None
    told: dict[str, object] = {**filters}
    snake, camel = told.pop("min_confidence", None), told.pop("minConfidence", None)
    confidence = either("min_confidence", snake, camel)
    return told if confidence is None else {**told, "minConfidence": confidence}
