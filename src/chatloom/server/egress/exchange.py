"""One request and its answer over a connection of their own, within their time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chatloom.server.egress.asking import Hop
from chatloom.server.egress.failures import EgressFailed, EgressTimedOut
from chatloom.server.egress.settings import FetchLimits
from chatloom.transports.aio.connection import Connection
from chatloom.transports.failures import Garbled
from chatloom.transports.head import Head

_AT_ONCE = 64 * 1024
_SLOWEST_UPLOAD = 10_000
"""Bytes a second."""


class Exchange:
    """A connection that is used once. Whatever it raises is an `EgressError`."""

    def __init__(self, connection: Connection, limits: FetchLimits, deadline: float) -> None:
        self._connection = connection
        self._idle = limits.idle
        self._deadline = deadline
        self._closed = False

    async def ask(self, hop: Hop, block: bytes) -> Head:
        """Send *hop*, which is written as *block*, and read the head of its answer."""
        async with self._in_time():
            self._connection.send(block)
            # A long body takes its time to leave.
            idle = self._idle + len(hop.body) / _SLOWEST_UPLOAD
            return await self._connection.head(hop.method, idle)

    async def receive(self) -> bytes:
        """Wait for the next bytes behind the head; ``b""`` where the other side has hung up."""
        async with self._in_time():
            block = await self._connection.receive(self._idle, _AT_ONCE)
        if self._closed:  # so that our end is not taken for theirs
            raise EgressFailed("lost")
        return block

    def close(self) -> None:
        """Drop the connection; whoever waits for something is told."""
        self._closed = True
        self._connection.close()

    @asynccontextmanager
    async def _in_time(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout_at(self._deadline):
                yield
        except TimeoutError:
            late = asyncio.get_running_loop().time() >= self._deadline
            raise EgressTimedOut("total" if late else "silent") from None
        except Garbled:
            raise EgressFailed("garbled") from None
        except OSError:
            raise EgressFailed("lost") from None
