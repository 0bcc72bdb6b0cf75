"""aiohttp's sessions: one for each event loop, and none that is missed when it goes.

aiohttp complains on stderr of a session left open. `asyncio.run` ends every
open asynchronous generator before it ends its loop, so a session is closed by
a generator that waits for just that. Where the loop has ended or stopped
already, the session is let go without a word.
"""

from __future__ import annotations

import asyncio
import ssl
import weakref
from collections.abc import AsyncGenerator
from contextlib import suppress

import aiohttp

from chatloom.core.inline import run_inline
from chatloom.transports.aio.limits import Limits
from chatloom.transports.aio.loops import PerLoop
from chatloom.transports.arrivals import Arrivals
from chatloom.transports.failures import ELSEWHERE


class _Connector(aiohttp.TCPConnector):
    """Connections that go quietly when their loop has gone before them."""

    def __del__(self, _: object = None) -> None:
        """Leave it to each connection to close its socket."""


class Kept:
    """A session, the bodies on their way through it, and what closes both when their loop ends."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._connector = _Connector(limit=0, keepalive_timeout=60, ssl=context or True)
        self.session = _session(self._connector)
        self.limits = Limits()
        self.arrivals = Arrivals()
        self._closing = _closing(self.session, self._connector, self.arrivals)
        self._loop = asyncio.get_running_loop()

    async def begin(self) -> None:
        """Let the loop know that there is something to close."""
        await anext(self._closing)

    async def close(self) -> None:
        await self._closing.aclose()

    def let_go(self) -> None:
        """Drop the session from outside its loop."""
        self.session.detach()
        run_inline(self.close())
        if self._loop.is_closed():
            _mark_closed(self._connector)


class Sessions:
    """The sessions of one client."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._kept: PerLoop[Kept] = PerLoop(Kept.let_go)
        weakref.finalize(self, self._kept.forget_the_idle)

    def here(self) -> Kept | None:
        """Give the session of the loop that runs now, where there is one."""
        return self._kept.here()

    async def begin_here(self) -> Kept:
        """Open a session for the loop that runs now."""
        kept = Kept(self._context)
        self._kept.put_here(kept)
        await kept.begin()
        return kept

    def forget_the_dead(self) -> None:
        """Let go of sessions whose loop has ended."""
        self._kept.sweep()

    async def close(self) -> None:
        """Close the session of the loop that runs now, and end the bodies of all.

        The sessions of ended loops go with it.
        """
        for each in self._kept.all():
            each.arrivals.end()
        kept = self._kept.take_here()
        if kept is not None:
            await kept.close()


async def _closing(
    session: aiohttp.ClientSession, connector: _Connector, arrivals: Arrivals
) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        # A session without connector was let go of already.
        if session.connector is not None:
            # In debug mode, aiohttp complains of a response left open, and tells its headers.
            arrivals.end(ELSEWHERE)
            session.detach()
            await connector.close(abort_ssl=True)


def _mark_closed(connector: _Connector) -> None:
    """Tell *connector* that its loop is dead, before an answer gives a connection back to it."""
    closing = connector.close()
    # It closes in its first step; then it only waits, in vain.
    with suppress(StopIteration):
        closing.send(None)
    closing.close()


def _session(connector: _Connector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        # It would take a gzip body that stops short for a whole one.
        auto_decompress=False,
        max_line_size=65536,
        max_field_size=65536,
    )
