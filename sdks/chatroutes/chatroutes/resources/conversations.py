"""Conversations."""

from __future__ import annotations

from functools import partial

from chatloom.core.engine import Mode
from chatloom.core.manner import query_pairs
from chatloom.core.operations import operation, paginated
from chatloom.core.pages import AsyncPages
from chatroutes import trees
from chatroutes.answers import Object, conversation, conversations, held, nothing, search
from chatroutes.http_client import Calls, place
from chatroutes.pages import Page, by_cursor, by_number
from chatroutes.types import (
    Conversation,
    ConversationTree,
    CreateConversationRequest,
    ListConversationsParams,
    PaginatedResponse,
    SearchHit,
    SearchResponse,
    UpdateConversationRequest,
)
from chatroutes.types.conversation import Filter

__all__ = ["ConversationsResource"]

_ALL = place("/conversations")
_SEARCH = place("/conversations/search")


class ConversationsResource(Calls[Mode]):
    """Begin, find, change and end conversations."""

    @operation
    async def create(self, data: CreateConversationRequest) -> Conversation:
        """Begin a conversation. Raises `ChatRoutesError`."""
        return await self._post(_ALL, data, _conversation)

    @operation
    async def list(self, params: ListConversationsParams | None = None) -> PaginatedResponse:
        """List a page of conversations, those that were spoken in last first.

        The page is under ``data``. Raises `ChatRoutesError`.
        """
        return await self._page(params or {})

    @paginated
    def iter(
        self, page_size: int | None = None, *, filter: Filter | None = None
    ) -> AsyncPages[Conversation]:
        """Go through all conversations, each once, fetching *page_size* at a time.

        Raises `ChatRoutesError` while they are gone through.
        """

        async def fetch(number: int) -> Page[Conversation]:
            params = ListConversationsParams(page=number)
            if page_size is not None:
                params["limit"] = page_size
            if filter is not None:
                params["filter"] = filter
            found = await self._page(params)
            goes_on = found["hasNext"] and found["data"] and found["page"] == number
            return Page(found["data"], number + 1 if goes_on else None)

        return by_number(fetch, lambda found: found.get("id"))

    @operation
    async def get(self, conversation_id: str) -> Conversation:
        """Fetch a conversation, with what was said on its main branch, and its branches.

        Of a long one that is the beginning, as ``hasMoreMessages`` says; `messages.list` has all.
        Raises `ChatRoutesError`, and `ValueError` for a *conversation_id* that can be none.
        """
        return await self._get(_one(conversation_id), _conversation)

    @operation
    async def update(self, conversation_id: str, data: UpdateConversationRequest) -> Conversation:
        """Change a conversation; what is left out stays as it is.

        Raises `ChatRoutesError`, and `ValueError` for a *conversation_id* that can be none.
        """
        return await self._patch(_one(conversation_id), data, _conversation)

    @operation
    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation.

        Raises `ChatRoutesError`, and `ValueError` for a *conversation_id* that can be none.
        """
        return await self._delete(_one(conversation_id), nothing)

    @operation
    async def get_tree(self, conversation_id: str) -> ConversationTree:
        """Fetch the whole tree of a conversation, however many pages the server makes of it.

        It may be nested deeper than Python recurses. Raises `ChatRoutesError`, and
        `ValueError` for a *conversation_id* that can be none.
        """
        path = place("/conversations/{conversation_id}/tree", conversation_id=conversation_id)

        async def fetch(cursor: str | None) -> Page[Object]:
            return await self._get(path, trees.page, cursor=cursor)

        return trees.whole(await by_cursor(fetch).collect(), conversation_id)

    @operation
    async def search(
        self,
        query: str,
        *,
        conversation_id: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> SearchResponse:
        """Find messages that hold all words of *query*, the newest first.

        A word that ends in ``*`` stands for all that begin so, words in quotes for
        themselves in this order. *limit* is from 1 to 100, *cursor* the ``nextCursor`` of the
        page before. Raises `ChatRoutesError`.
        """
        return await self._found(query, conversation_id, limit, cursor)

    @paginated
    def iter_search(
        self, query: str, *, conversation_id: str | None = None, page_size: int = 20
    ) -> AsyncPages[SearchHit]:
        """Go through all that `search` finds, fetching *page_size* at a time.

        Raises `ChatRoutesError` while it is gone through.
        """

        async def fetch(cursor: str | None) -> Page[SearchHit]:
            found = await self._found(query, conversation_id, page_size, cursor)
            return Page(found["hits"], found["nextCursor"])

        return by_cursor(fetch)

    async def _page(self, params: ListConversationsParams) -> PaginatedResponse:
        request = self._engine.request("GET", _ALL, query_pairs(params))
        return await self._send(request, partial(conversations, asked=params))

    async def _found(
        self, query: str, conversation_id: str | None, limit: int, cursor: str | None
    ) -> SearchResponse:
        return await self._get(
            _SEARCH, search, q=query, conversationId=conversation_id, limit=limit, cursor=cursor
        )


def _one(conversation_id: str) -> str:
    return place("/conversations/{conversation_id}", conversation_id=conversation_id)


def _conversation(body: bytes) -> Conversation:
    return conversation(held(body, "conversation"))
