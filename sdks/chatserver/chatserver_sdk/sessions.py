"""The operations on sessions, written once for both clients."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import NoneType

import msgspec

from chatloom.core.engine import Mode
from chatloom.core.http import path
from chatloom.core.manner import query_pairs
from chatloom.core.operations import Resource, operation, paginated
from chatloom.core.pages import AsyncPages
from chatserver_sdk.answers import holding
from chatserver_sdk.models.sessions import (
    ChatSessionDetailResponse,
    ChatSessionListResponse,
    ChatSessionSummary,
)
from chatserver_sdk.pages import Page, each_once

_PATH = "/atoms/chat/sessions"


class Sessions(Resource[Mode]):
    """What was said under a user's name, as the server keeps it."""

    @operation
    async def list_sessions(
        self, user_id: str, page: int = 1, page_size: int = 20, *, archived: bool = False
    ) -> ChatSessionListResponse:
        """List a page of a user's sessions, those that were spoken in last first.

        *page* counts from 1; *page_size* is from 1 to 100. Archived sessions are not
        among them; with *archived* they are what is listed. Raises `ChatServerError`.
        """
        return await self._page(user_id, page, page_size, archived)

    @paginated
    def iter_sessions(
        self, user_id: str, page_size: int = 20, *, archived: bool = False
    ) -> AsyncPages[ChatSessionSummary]:
        """Go through all of a user's sessions, each once, fetching *page_size* at a time.

        Raises `ChatServerError` while they are gone through.
        """

        async def fetch(number: int) -> Page[ChatSessionSummary]:
            answer = await self._page(user_id, number, page_size, archived)
            goes_on = answer.has_more and answer.sessions
            return Page(answer.sessions, number + 1 if goes_on else None)

        return each_once(fetch, start=1)

    @operation
    async def get_session(self, session_id: str, *, user_id: str) -> ChatSessionDetailResponse:
        """Fetch a session of a user's, with all that was said in it.

        Raises `ChatServerError`, and `ValueError` for a *session_id* that can be none.
        """
        read = partial(_detail, session_id=session_id)
        return await self._get(_place(session_id), read, user_id=user_id)

    @operation
    async def update_session(
        self,
        session_id: str,
        *,
        user_id: str,
        archived: bool | None = None,
        title: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> ChatSessionSummary:
        """Change a session of a user's; what is not given, or `None`, stays as it is.

        Answers with the session as it is then. Raises `ChatServerError`, and
        `ValueError` for a *session_id* that can be none.
        """
        told = {"archived": archived, "title": title, "metadata": metadata}
        changes = {name: value for name, value in told.items() if value is not None}
        return await self._change(session_id, user_id, changes)

    @operation
    async def archive_session(
        self, session_id: str, *, user_id: str, archived: bool = True
    ) -> ChatSessionSummary:
        """Put a session of a user's out of sight, or with ``archived=False`` back.

        Answers with the session as it is then. Raises `ChatServerError`, and
        `ValueError` for a *session_id* that can be none.
        """
        return await self._change(session_id, user_id, {"archived": archived})

    async def _page(
        self, user_id: str, page: int, page_size: int, archived: bool
    ) -> ChatSessionListResponse:
        return await self._get(
            _PATH,
            _sessions,
            user_id=user_id,
            page=page,
            page_size=page_size,
            archived=archived or None,
        )

    async def _change(
        self, session_id: str, user_id: str, changes: Mapping[str, object]
    ) -> ChatSessionSummary:
        engine, query = self._engine, query_pairs({"user_id": user_id})
        request = engine.request("PATCH", _place(session_id), query, engine.encode(changes))
        # It says how things shall be; said twice, they are no different.
        return await self._send(msgspec.structs.replace(request, repeatable=True), _session)


def _place(session_id: str) -> str:
    return path(f"{_PATH}/{{session_id}}", session_id=session_id)


def _sessions(body: bytes) -> ChatSessionListResponse:
    return ChatSessionListResponse.from_dict(holding(body, "sessions", list | NoneType))


def _detail(body: bytes, session_id: str) -> ChatSessionDetailResponse:
    return ChatSessionDetailResponse.from_dict(holding(body, "session", dict), session_id)


def _session(body: bytes) -> ChatSessionSummary:
    return ChatSessionDetailResponse.from_dict(holding(body, "session", dict)).session
