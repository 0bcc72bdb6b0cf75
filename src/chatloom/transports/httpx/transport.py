"""The user's own client as the outside world of one of ours."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AbstractAsyncContextManager
from typing import cast

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from chatloom.transports.address import address_of
from chatloom.transports.aio.loops import Turns as LoopTurns
from chatloom.transports.blocking.transport import Turns
from chatloom.transports.clock import Clock
from chatloom.transports.httpx.aio import AsyncCalls
from chatloom.transports.httpx.blocking import BlockingCalls
from chatloom.transports.httpx.clients import AsyncClient, BlockingClient, HttpxClient, checked


def httpx_transport(client: HttpxClient, base_url: str, *, blocking: bool) -> Outside:
    """Send requests to *base_url* through *client*, whose own settings stay in force.

    Its proxies, certificates, transports, hooks, cookies, authentication and
    headers are its owner's affair, and so is closing it. Time-outs are those of
    each request, and redirects are not followed. Raises `SettingsError` when it
    is no client that can serve here.
    """
    library = checked(client, blocking=blocking)
    address = address_of(base_url)
    if blocking:
        calls = BlockingCalls(cast("BlockingClient", client), library, address)
        return _BlockingTransport(calls, client)
    return _AsyncTransport(AsyncCalls(cast("AsyncClient", client), library, address), client)


class _Borrowed(Clock):
    """A client that is somebody else's."""

    def __init__(self, client: HttpxClient) -> None:
        self._client = client
        self._closed = False

    def _check(self, owner: int | None) -> None:
        """Raise `SettingsError` where the client is of no use any more."""
        if self._closed:
            raise SettingsError("the client is closed")
        if self._client.is_closed:
            raise SettingsError("the httpx client that was handed in is closed")
        if owner not in (None, os.getpid()):
            # Parent and child would read each other's answers.
            raise SettingsError("an httpx client cannot be taken through a fork: make a new one")


class _BlockingTransport(_Borrowed):
    def __init__(self, calls: BlockingCalls, client: HttpxClient) -> None:
        super().__init__(client)
        self._calls = calls

    async def send(self, request: Request) -> Response:
        self._check(self._calls.owner)
        return self._calls.call(request)

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - there is no loop to block

    def lock(self) -> AbstractAsyncContextManager[None]:
        return Turns()

    async def close(self) -> None:
        self._closed = True
        self._calls.close()


class _AsyncTransport(_Borrowed):
    def __init__(self, calls: AsyncCalls, client: HttpxClient) -> None:
        super().__init__(client)
        self._calls = calls

    async def send(self, request: Request) -> Response:
        self._check(self._calls.owner)
        return await self._calls.call(request)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def lock(self) -> AbstractAsyncContextManager[None]:
        return LoopTurns()

    async def close(self) -> None:
        self._closed = True
        self._calls.close()
