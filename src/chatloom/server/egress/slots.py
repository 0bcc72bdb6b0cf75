"""How much is fetched at a time, in all and from one host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chatloom.server.egress.failures import EgressTimedOut


class Slots:
    """Turns to fetch, given in the order they were asked for. For one event loop."""

    def __init__(self, in_all: int, per_host: int) -> None:
        self._all = asyncio.Semaphore(in_all)
        self._per_host = per_host
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def slot(self, host: str, deadline: float) -> AsyncGenerator[None]:
        """Hold a turn at *host*; raises `EgressTimedOut` when none comes up by *deadline*.

        The host's comes first, so that those who wait for a slow one keep nobody else.
        """
        known = self._hosts.setdefault(host, _Host(self._per_host))
        known.users += 1
        try:
            async with _held(known.turns, deadline), _held(self._all, deadline):
                yield
        finally:
            known.users -= 1
            if not known.users:
                del self._hosts[host]


class _Host:
    def __init__(self, most: int) -> None:
        self.turns = asyncio.Semaphore(most)
        self.users = 0
        """Those who wait included."""


@asynccontextmanager
async def _held(turns: asyncio.Semaphore, deadline: float) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout_at(deadline):
            await turns.acquire()
    except TimeoutError:
        raise EgressTimedOut("busy") from None
    try:
        yield
    finally:
        turns.release()
