"""Both transports, each driven as its clients drive it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TypeVar

from chatloom.core.http import Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.outside import Outside
from chatloom.transports.aio import AioTransport
from chatloom.transports.blocking import BlockingTransport

T = TypeVar("T")


@dataclass
class Mode:
    """One of the transports, and how its coroutines are run to their end."""

    transport: type[BlockingTransport | AioTransport]

    @property
    def is_blocking(self) -> bool:
        return self.transport is BlockingTransport

    def make(
        self,
        url: str,
        environment: Mapping[str, str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> Outside:
        return self.transport(url, environment=environment or {}, ssl_context=ssl_context)

    def run(self, work: Coroutine[object, None, T]) -> T:
        return run_inline(work) if self.is_blocking else asyncio.run(work)

    def use(self, outside: Outside, work: Callable[[Outside], Coroutine[object, None, T]]) -> T:
        """Do *work* with *outside*, and close it."""

        async def whole() -> T:
            try:
                return await work(outside)
            finally:
                await outside.close()

        return self.run(whole())

    def ask(self, outside: str | Outside, *requests: Request) -> Response:
        """Send *requests* one after the other; give the last answer, its body read."""
        if isinstance(outside, str):
            outside = self.make(outside)

        async def talk(outside: Outside) -> Response:
            for request in requests[:-1]:
                await (await outside.send(request)).read()
            response = await outside.send(requests[-1])
            await response.read()
            return response

        return self.use(outside, talk)
