"""HTTP for blocking clients, on the standard library's `socket` and `ssl`.

Its methods are `async def` and never suspend, so that `run_inline` runs them
without an event loop. Everything heavy is imported with the first request.
"""

from __future__ import annotations

import os
import threading
import time
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

    from chatloom.transports.blocking.calls import Calls


class BlockingTransport(Clock):
    """Send requests to one address and wait for the answers; for any number of threads."""

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
        self._calls: Calls | None = None
        self._closed = False

    async def send(self, request: Request) -> Response:
        if self._closed:
            raise SettingsError("the client is closed")
        return (self._calls or self._begin()).call(request)

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - there is no loop to block

    def lock(self) -> AbstractAsyncContextManager[None]:
        return Turns()

    async def close(self) -> None:
        self._closed = True
        if self._calls is not None:
            self._calls.close()

    def _begin(self) -> Calls:
        from chatloom.transports.blocking.calls import Calls

        with self._starting:
            if self._calls is None:
                self._calls = Calls(self._address, self._proxy, self._ssl_context)
            return self._calls


class Turns:
    """A thread's lock, in the shape of a coroutine's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def __aenter__(self) -> None:
        self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()
