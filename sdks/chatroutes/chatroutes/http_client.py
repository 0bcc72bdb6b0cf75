"""The API's requests: `HttpClient` sends any, the resources send their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import msgspec

from chatloom.core.engine import Mode
from chatloom.core.http import JSON, Request
from chatloom.core.http import path as filled
from chatloom.core.manner import merged, query_pairs
from chatloom.core.operations import Resource, operation
from chatloom.core.pages import AsyncPages
from chatloom.policies.identify import KEY
from chatroutes.answers import Object, listed, told
from chatroutes.pages import Page, by_cursor
from chatroutes.streaming import AsyncMessageStream, MessageReading, OnChunk, tell
from chatroutes.types import Message

__all__ = ["HttpClient"]

T = TypeVar("T")

PREFIX = "/api/v1"
TURNS = "/v1/turns"
"""A server that keeps its answers has them at its root."""


def place(template: str, **parts: str) -> str:
    """Fill an address of the API. Raises `ValueError` for a part that can be none."""
    return filled(PREFIX + template, **parts)


class Calls(Resource[Mode]):
    """A group of operations of the API."""

    async def _patch(
        self, path: str, data: object, read: Callable[[bytes], T], *, repeatable: bool = True
    ) -> T:
        """Change something; what says how things shall be is *repeatable*."""
        request = self._writing("PATCH", path, data)
        return await self._send(msgspec.structs.replace(request, repeatable=repeatable), read)

    async def _delete(self, path: str, read: Callable[[bytes], T]) -> T:
        return await self._send(self._engine.request("DELETE", path), read)

    async def _act(self, path: str, data: object, read: Callable[[bytes], T]) -> T:
        """POST something that may go without a body."""
        return await self._send(self._writing("POST", path, data), read)

    def _walk(
        self, path: str, name: str, complete: Callable[[Object], T], **query: object
    ) -> AsyncPages[T]:
        """Go through a list of *name*, however many pages the server makes of it."""
        read = partial(listed, name=name)

        async def fetch(cursor: str | None) -> Page[T]:
            page = await self._get(path, read, **query, cursor=cursor)
            return Page([complete(one) for one in page.items], page.following)

        return by_cursor(fetch)

    def _writing(self, method: str, path: str, data: object) -> Request:
        engine = self._engine
        body = engine.encode(data or {}) if data or engine.manner.body else None
        request = engine.request(method, path, (), body)
        if method != "PATCH" or request.header(KEY) is not None:
            return request  # a POST is given a key by the engine
        chance = engine.outside.random
        return request.with_header(KEY, f"{int(chance() * 2**53):x}-{int(chance() * 2**53):x}")

    def _streaming(self, path: str, data: object, conversation_id: str = "") -> AsyncMessageStream:
        opening = self._opening(path, data, TURNS)
        return AsyncMessageStream(opening, MessageReading(conversation_id))


class HttpClient(Calls[Mode]):
    """Sends any request of the API, repeated as all are, and answers with the JSON object.

    Paths are those of the API's documentation, such as ``/conversations``. An empty answer is
    an empty object.
    """

    @operation
    async def request(
        self,
        method: str,
        path: str,
        data: Mapping[str, object] | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, JSON]:
        """Send *data* as JSON, and *params* in the query string. Raises `ChatRoutesError`."""
        return await self._sent(method, path, data, params, headers)

    @operation
    async def get(
        self,
        path: str,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, JSON]:
        """Fetch something; *params* go in the query string. Raises `ChatRoutesError`."""
        return await self._sent("GET", path, None, params, headers)

    @operation
    async def post(
        self,
        path: str,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, JSON]:
        """Send *data* as JSON; without any, no body. Raises `ChatRoutesError`."""
        return await self._sent("POST", path, data, None, headers)

    @operation
    async def patch(
        self,
        path: str,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, JSON]:
        """Send *data* as JSON; without any, no body. Raises `ChatRoutesError`."""
        return await self._sent("PATCH", path, data, None, headers)

    @operation
    async def delete(self, path: str, headers: Mapping[str, str] | None = None) -> dict[str, JSON]:
        """Delete something. Raises `ChatRoutesError`."""
        return await self._sent("DELETE", path, None, None, headers)

    @operation
    async def stream(
        self,
        path: str,
        data: Mapping[str, object] | None = None,
        on_chunk: OnChunk | None = None,
    ) -> Message:
        """Send *data* and read the streamed answer; give back the message that it ends with.

        *on_chunk* is called with each piece of the text as it arrives. Raises
        `ChatRoutesError`, and `StreamInterruptedError` where the answer breaks off.
        """
        return await tell(self._streaming(_below(path), data or {}), on_chunk)

    async def _sent(
        self,
        method: str,
        path: str,
        data: Mapping[str, object] | None,
        params: Mapping[str, object] | None,
        headers: Mapping[str, str] | None,
    ) -> dict[str, JSON]:
        manner = self._engine.manner
        given = merged(manner.headers, headers or {})
        engine = self._engine.in_manner(msgspec.structs.replace(manner, headers=given))
        call = self._through(engine)
        request = call._writing(method.upper(), _below(path), data)
        query = query_pairs(params or {}) + request.query
        return await call._send(msgspec.structs.replace(request, query=query), told)


def _below(path: str) -> str:
    from urllib.parse import quote

    known = f"/{path.lstrip('/')}"
    known = known if known.startswith(f"{PREFIX}/") else PREFIX + known
    return quote(known, safe="/%?=&:@!$'()*+,;~")
