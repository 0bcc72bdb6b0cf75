"""An answer on its way out of an application."""

from __future__ import annotations

import os
import time
import weakref

from chatloom.core.errors import TransportError
from chatloom.core.http import Request, Response
from chatloom.transports.asgi.exchange import Exchange
from chatloom.transports.asgi.waiting import Waiting
from chatloom.transports.failures import ELSEWHERE, OVERDUE, Garbled, lost, silence, timed_out
from chatloom.transports.framing import Sized, Unzipped, coding_of
from chatloom.transports.headers import joined


class Arrival:
    """The reader's end of an exchange, for whoever made its request."""

    def __init__(self, request: Request, exchange: Exchange, waiting: Waiting) -> None:
        self._request = request
        self._exchange = exchange
        self._waiting = waiting
        self._announced: Sized | None = None
        self._coding: Unzipped | None = None
        self._failure: str | None = None
        self._asked_at = time.monotonic()
        self._owner = os.getpid()
        # An answer that is dropped unread must not keep its application busy.
        self._release = weakref.finalize(self, exchange.leave)
        self._release.atexit = False

    async def head(self) -> Response:
        """Wait for the head; of a request that is not streamed, for the whole answer."""
        try:
            while not self._exchange.status:
                if self._exchange.over:
                    raise self._lost()
                await self._wait()
            headers = joined(self._exchange.headers)
            if not self._exchange.bodiless:
                self._announced = _announced(headers)
                self._coding = coding_of(headers.get("content-encoding", ""))
            if self._request.streamed:
                return Response(self._exchange.status, headers, arriving=self)
            return Response(self._exchange.status, headers, await self._all())
        except Garbled as error:
            raise self._failed(str(error)) from error
        except BaseException:
            self._exchange.leave()
            raise

    async def read(self) -> bytes:
        if self._owner != os.getpid():
            raise lost(self._request, "it belongs to the parent process")
        if self._failure is not None:
            raise lost(self._request, self._failure)
        if not self._waiting.is_here():
            raise lost(self._request, ELSEWHERE)
        self._asked_at = time.monotonic()
        try:
            return await self._next()
        except Garbled as error:
            raise self._failed(str(error)) from error
        except BaseException as error:
            self._failed(str(error))
            raise

    async def close(self) -> None:
        self.abandon()

    async def finish(self) -> None:
        await self.close()

    def abandon(self) -> None:
        self._failure = self._failure or "it was closed"
        self._exchange.leave()
        self._waiting.wake()

    async def _all(self) -> bytes:
        pieces: list[bytes] = []
        while piece := await self._next():
            pieces.append(piece)
        return b"".join(pieces)

    async def _next(self) -> bytes:
        while block := await self._block():
            if self._coding is not None:
                block = self._coding.feed(block)
            if block:
                return block
        if self._coding is not None:
            self._coding.end()
        return b""

    async def _block(self) -> bytes:
        """The next bytes, as the application sent them; ``b""`` at the end of a whole body."""
        if self._exchange.bodiless:
            return b""
        while True:
            over = self._exchange.over  # looked at first: the last piece comes before the end
            if block := self._exchange.taken():
                return self._counted(block)
            if over:
                if self._exchange.failure is not None:
                    raise self._lost()
                if self._announced is not None and not self._announced.whole:
                    self._announced.end()
                return b""
            if self._failure is not None:
                raise Garbled(self._failure)
            await self._wait()

    def _counted(self, block: bytes) -> bytes:
        if self._announced is None:
            return block
        block = self._announced.feed(block)
        if self._announced.excess:
            raise Garbled("the body is longer than its head announced")
        return block

    async def _wait(self) -> None:
        now, limits = time.monotonic(), list[float]()
        if self._request.deadline is not None:
            limits.append(self._request.deadline)
            if now >= self._request.deadline:
                raise timed_out(self._request, OVERDUE)
        idle = self._request.timeouts.idle
        if idle is not None:
            limits.append(max(self._asked_at, self._exchange.heard_at) + idle)
            if now >= limits[-1]:
                raise timed_out(self._request, silence(idle))
        await self._waiting.wait(min(limits) - now if limits else None)

    def _failed(self, reason: str) -> TransportError:
        """Read no more, for this reason."""
        self._failure = self._failure or reason
        self._exchange.leave()
        return lost(self._request, reason)

    def _lost(self) -> TransportError:
        """Say how the application left its answer."""
        error = self._failed(self._exchange.failure or "the application ended without an answer")
        error.__cause__ = self._exchange.cause
        return error


def _announced(headers: dict[str, str]) -> Sized | None:
    length = headers.get("content-length")
    if length is None:
        return None
    if not (length.isascii() and length.isdigit()):
        raise Garbled("the answer's head leaves its body's length open")
    return Sized(int(length))
