"""The bodies on their way to a client: each has one reader at a time, and ends with the client.

The register takes no lock, so that finalisers and forked children may come by
at any moment; what it does with its set, the interpreter does in one step.
"""

from __future__ import annotations

import os
import threading
import weakref

from chatloom.core.errors import SettingsError
from chatloom.core.http import Arriving, Request
from chatloom.transports.failures import CLIENT_CLOSED, lost

LINGER = 0.05
"""Seconds to wait for the end of a body that has said all it had to say."""


class Bound:
    """A body that ends when its client is closed."""

    def __init__(self, request: Request, beyond: Arriving) -> None:
        self._request = request
        self._beyond = beyond
        self._turn = threading.Lock()
        self._owner = os.getpid()
        self._reason: str | None = None

    async def read(self) -> bytes:
        if self._owner != os.getpid():  # each of the two would get some of it
            raise SettingsError("this stream belongs to the parent process")
        if not self._turn.acquire(blocking=False):
            raise SettingsError("this stream is being read already")
        try:
            piece = await self._beyond.read() if self._reason is None else b""
        except Exception as error:
            if self._reason is None:
                raise
            raise lost(self._request, self._reason) from error
        finally:
            self._turn.release()
        if self._reason is not None:
            raise lost(self._request, self._reason)
        return piece

    async def close(self) -> None:
        await self._beyond.close()

    async def finish(self) -> None:
        await self._beyond.finish()

    def abandon(self) -> None:
        self._beyond.abandon()

    def end(self, reason: str) -> None:
        """Have whoever reads it, now or later, told that it was lost for *reason*."""
        # Set first: a reader who begins now sees it, and one who began before is woken.
        self._reason = self._reason or reason
        self._beyond.abandon()


class Arrivals:
    """The bodies on their way to one client, as long as anybody wants them."""

    def __init__(self) -> None:
        self._open: set[weakref.ref[Bound]] = set()
        self._reason: str | None = None

    def bind(self, request: Request, arriving: Arriving) -> Arriving:
        """Have *arriving* end with the others, or now where they have ended."""
        bound = Bound(request, arriving)
        self._open.add(weakref.ref(bound, self._open.discard))
        if self._reason is not None:
            bound.end(self._reason)
        return bound

    def end(self, reason: str = CLIENT_CLOSED) -> None:
        """End all there are, and those to come; from any thread."""
        self._reason = self._reason or reason
        for reference in self._open.copy():
            if (bound := reference()) is not None:
                bound.end(reason)
