"""aiohttp's sessions: one for each event loop, and none that is missed when it goes.

aiohttp complains on stderr of a session left open. `asyncio.run` ends every
open asynchronous generator before it ends its loop, so a session is closed by
a generator that waits for just that. Where the loop has ended or stopped
already, the session is let go without a word.
"""

from __future__ import annotations

import ssl
import weakref
from collections.abc import AsyncGenerator

import aiohttp

from chatloom.core.inline import run_inline
from chatloom.transports.loops import PerLoop


class Kept:
    """A session, and what closes it when its loop ends."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.session = _session(context)
        self._closing = _closing(self.session)

    async def begin(self) -> None:
        """Let the loop know that there is something to close."""
        await anext(self._closing)

    async def close(self) -> None:
        await self._closing.aclose()

    def let_go(self) -> None:
        """Drop the session from outside its loop."""
        self.session.detach()
        run_inline(self.close())


class Sessions:
    """The sessions of one client."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._kept: PerLoop[Kept] = PerLoop(Kept.let_go)
        weakref.finalize(self, self._kept.forget_the_idle)

    def here(self) -> aiohttp.ClientSession | None:
        """Give the session of the loop that runs now, where there is one."""
        kept = self._kept.here()
        return None if kept is None else kept.session

    async def begin_here(self) -> aiohttp.ClientSession:
        """Open a session for the loop that runs now."""
        kept = Kept(self._context)
        self._kept.put_here(kept)
        await kept.begin()
        return kept.session

    async def close(self) -> None:
        """Close the session of the loop that runs now; those of ended loops go with it."""
        kept = self._kept.take_here()
        if kept is not None:
            await kept.close()


class _Connector(aiohttp.TCPConnector):
    """Connections that go quietly when their loop has gone before them."""

    def __del__(self, _: object = None) -> None:
        """Leave it to each connection to close its socket."""


async def _closing(session: aiohttp.ClientSession) -> AsyncGenerator[None]:
    connector = session.connector
    try:
        yield
    finally:
        # Without one it was let go of already.
        if session.connector is not None and connector is not None:
            session.detach()
            await connector.close(abort_ssl=True)


def _session(context: ssl.SSLContext | None) -> aiohttp.ClientSession:
    connector = _Connector(limit=0, keepalive_timeout=60, ssl=context or True)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        # It would take a gzip body that stops short for a whole one.
        auto_decompress=False,
        max_line_size=65536,
        max_field_size=65536,
    )
