"""The connections of each event loop, and none that is missed when it goes.

`asyncio.run` ends every open asynchronous generator before it ends its loop, so
connections are closed by a generator that waits for just that. Where the loop
has ended or stopped already, they are let go without a word.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator

from chatloom.core.inline import run_inline
from chatloom.transports.aio.connection import Connection
from chatloom.transports.aio.limits import Limits
from chatloom.transports.aio.loops import PerLoop
from chatloom.transports.arrivals import Arrivals
from chatloom.transports.failures import ELSEWHERE

LONGEST_WAIT = 60.0
"""Seconds that an idle connection is kept."""
MOST_IDLE = 256
"""Idle connections that are kept, the youngest."""


class Pool:
    """Idle connections of one event loop, the youngest on top."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle: list[tuple[Connection, float]] = []
        self.is_closed = False

    def take(self) -> Connection | None:
        """Take a connection that is still good."""
        while self._idle:
            connection, since = self._idle.pop()
            is_young = self._loop.time() - since < LONGEST_WAIT
            if is_young and connection.is_fresh and not connection.is_overtaken:
                return connection
            connection.close()
        return None

    def give(self, connection: Connection) -> None:
        """Keep *connection* for the next request, and close those that nobody has wanted."""
        if self.is_closed or not connection.is_fresh:
            connection.close()
            return
        now = self._loop.time()
        self._idle.append((connection, now))
        while self._idle and (
            len(self._idle) > MOST_IDLE or now - self._idle[0][1] >= LONGEST_WAIT
        ):
            self._idle.pop(0)[0].close()

    def close(self) -> None:
        """Close what is idle, and from now on whatever comes back."""
        idle = self.let_go()
        for connection, _ in idle:
            connection.close()

    def let_go(self) -> list[tuple[Connection, float]]:
        """Give up what is idle, and keep no more."""
        self.is_closed = True
        idle, self._idle = self._idle, []
        return idle


class Kept:
    """What one event loop has of a client, and what closes it when the loop ends."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.limits = Limits()
        self.arrivals = Arrivals()
        self._closing = _closing(self.pool, self.arrivals)

    async def begin(self) -> None:
        """Let the loop know that there is something to close."""
        await anext(self._closing)

    async def close(self) -> None:
        await self._closing.aclose()

    def let_go(self) -> None:
        """Drop the connections from outside their loop."""
        self.pool.let_go()
        run_inline(self.close())


class Sessions:
    """What each event loop has of one client."""

    def __init__(self) -> None:
        self._kept: PerLoop[Kept] = PerLoop(Kept.let_go)
        weakref.finalize(self, self._kept.forget_the_idle)

    def here(self) -> Kept | None:
        """Give what the loop that runs now has, where it has something."""
        return self._kept.here()

    async def begin_here(self) -> Kept:
        """Begin something for the loop that runs now."""
        kept = Kept()
        self._kept.put_here(kept)
        await kept.begin()
        return kept

    def forget_the_dead(self) -> None:
        """Let go of what loops had that have ended."""
        self._kept.sweep()

    async def close(self) -> None:
        """Close what the loop that runs now has, and end the bodies of all.

        What ended loops had goes with it.
        """
        for each in self._kept.all():
            each.arrivals.end()
        kept = self._kept.take_here()
        if kept is not None:
            await kept.close()


async def _closing(pool: Pool, arrivals: Arrivals) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        if not pool.is_closed:
            arrivals.end(ELSEWHERE)
            pool.close()
            await asyncio.sleep(0)  # in which the loop closes their sockets
