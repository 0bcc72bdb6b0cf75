"""HTTP for async clients, on the event loop itself.

Everything heavy, asyncio included, is imported with the first use.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request, Response
from chatloom.transports.address import address_of
from chatloom.transports.clock import Clock
from chatloom.transports.proxies import proxy_for

if TYPE_CHECKING:
    from ssl import SSLContext

    from chatloom.transports.aio.calls import AioCalls


class AioTransport(Clock):
    """Send requests to one address, from any number of event loops."""

    def __init__(
        self,
        base_url: str,
        *,
        ssl_context: SSLContext | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._address = address_of(base_url)
        self._proxy = proxy_for(self._address, environment)
        self._ssl_context = ssl_context
        self._starting = threading.Lock()
        self._calls: AioCalls | None = None
        self._closed = False

    async def send(self, request: Request) -> Response:
        if self._closed:
            raise SettingsError("the client is closed")
        return await (self._calls or self._begin()).call(request)

    async def sleep(self, seconds: float) -> None:
        from asyncio import sleep

        await sleep(seconds)

    def lock(self) -> AbstractAsyncContextManager[None]:
        from chatloom.transports.aio.loops import Turns

        return Turns()

    async def close(self) -> None:
        self._closed = True
        if self._calls is not None:
            await self._calls.close()

    def _begin(self) -> AioCalls:
        from chatloom.transports.aio.calls import AioCalls

        with self._starting:
            if self._calls is None:
                self._calls = AioCalls(self._address, self._proxy, self._ssl_context)
            return self._calls
