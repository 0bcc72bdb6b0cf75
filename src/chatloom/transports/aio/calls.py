"""A request's way over a connection and back, for async clients."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Hashable
from contextlib import suppress

from chatloom.core.errors import TransportError
from chatloom.core.http import Request, Response
from chatloom.transports.address import Address
from chatloom.transports.aio.connection import Connection
from chatloom.transports.aio.loops import Overdue, runs_here, until
from chatloom.transports.aio.opening import open_connection
from chatloom.transports.aio.sessions import Kept, Sessions
from chatloom.transports.arrivals import LINGER
from chatloom.transports.failures import (
    ELSEWHERE,
    OVERDUE,
    Garbled,
    lost,
    reason_of,
    silence,
    timed_out,
)
from chatloom.transports.framing import Framing, Unzipped, coding_of
from chatloom.transports.head import Head
from chatloom.transports.headers import complete, may_have_body
from chatloom.transports.proxies import Proxy
from chatloom.transports.tls import default_context

_Failure = (OSError, Garbled)
SLOWEST_UPLOAD = 10_000
"""Bytes a second."""
_MOST_HEADS = 64
_left_alone: list[Connection] = []
"""What a forked child must not collect: it shares the selector, and would deafen the parent."""


class AioCalls:
    """Requests to one address, over the connections of the loop they are made in."""

    def __init__(
        self, address: Address, proxy: Proxy | None, ssl_context: ssl.SSLContext | None
    ) -> None:
        self._address = address
        self._proxy = proxy
        self._context = (ssl_context or default_context()) if address.is_secure else None
        self._sessions = Sessions()
        self._before_target = ""
        self._proxy_lines: list[str] = []
        # As good as all requests of a client to one path have the same head.
        self._heads: dict[Hashable, bytes] = {}
        if proxy is not None and not address.is_secure:
            self._before_target = address.origin
            if proxy.authorization:
                self._proxy_lines = [f"proxy-authorization: {proxy.authorization}\r\n"]

    async def call(self, request: Request) -> Response:
        block = self._written(request)
        kept = self._sessions.here() or await self._sessions.begin_here()
        try:
            if request.deadline is None:
                return await self._sent(kept, request, block)
            if request.deadline <= time.monotonic():
                raise Overdue
            return await until(request.deadline, self._sent(kept, request, block))
        except TransportError:
            raise  # of a connection that did not come about
        except _Failure as error:
            raise _translated(request, error) from error

    async def close(self) -> None:
        await self._sessions.close()

    async def _sent(self, kept: Kept, request: Request, block: bytes) -> Response:
        """Send *request*, and once more if the connection had died while it was idle."""
        connection = kept.pool.take()
        if connection is not None:
            try:
                return await self._exchange(kept, connection, request, block)
            except ConnectionError:
                if connection.heard or not request.is_idempotent:
                    raise
        connection = await open_connection(
            request, self._address, self._proxy, self._context, kept.limits
        )
        return await self._exchange(kept, connection, request, block)

    async def _exchange(
        self, kept: Kept, connection: Connection, request: Request, block: bytes
    ) -> Response:
        try:
            connection.send(block)
            head = await connection.head(request.method, _longest_silence(request))
            arrival = AioArrival(request, connection, head, self._sessions, kept)
        except BaseException:
            connection.close()
            raise
        if request.streamed:
            bound = kept.arrivals.bind(request, arrival)
            return Response(head.status, head.headers, arriving=bound)
        return Response(head.status, head.headers, await arrival.all())

    def _written(self, request: Request) -> bytes:
        """Write head and body as one block, so that one call sends them."""
        body = request.body
        key = (request.method, request.path, request.query, request.headers, not body)
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            head = self._heads[key] = self._head(request)
        if body or may_have_body(request.method):
            return b"%scontent-length: %d\r\n\r\n%s" % (head, len(body), body)
        return head + b"\r\n"

    def _head(self, request: Request) -> bytes:
        headers = complete(request, self._address.authority)
        target = self._before_target + self._address.target(request)
        lines = [f"{request.method} {target} HTTP/1.1\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in headers]
        return "".join(lines + self._proxy_lines).encode("ascii")


MOST_PACKED = 64 * 1024
"""Bytes that are unpacked at once: they may become a thousand times as many."""


class AioArrival:
    """A body on its way over a connection that belongs to it until the end."""

    def __init__(
        self,
        request: Request,
        connection: Connection,
        head: Head,
        sessions: Sessions,
        kept: Kept,
    ) -> None:
        self._request = request
        self._connection: Connection | None = connection
        self._framing: Framing = head.framing
        self._coding: Unzipped | None = coding_of(head.headers.get("content-encoding", ""))
        self._is_last = head.is_last
        self._pool = kept.pool
        self._limits = kept.limits
        self._sessions = sessions
        self._loop = asyncio.get_running_loop()
        self._owner = os.getpid()
        if self._framing.whole:
            self._give_back(connection)

    def __del__(self) -> None:
        if self._connection is not None:
            self.abandon()

    async def all(self) -> bytes:
        """Read the body to its end."""
        piece = await self._next()
        if self._connection is None and self._coding is None:
            return piece
        pieces: list[bytes] = []
        while piece:
            pieces.append(piece)
            piece = await self._next()
        return b"".join(pieces)

    async def read(self) -> bytes:
        if not runs_here(self._loop):
            raise lost(self._request, ELSEWHERE)
        try:
            if self._request.deadline is None:
                return await self._next()
            return await until(self._request.deadline, self._next())
        except _Failure as error:
            raise _translated(self._request, error) from error

    async def close(self) -> None:
        self.abandon()

    async def finish(self) -> None:
        if not runs_here(self._loop):
            self.abandon()
            return
        try:
            with suppress(*_Failure), self._limits.within(LINGER):
                while self._connection is not None:
                    if await self._piece(self._connection, None):
                        break
        finally:
            self._drop()

    def abandon(self) -> None:
        if self._connection is None:
            return
        if self._owner != os.getpid():
            _left_alone.append(self._connection)
        elif self._loop.is_closed():
            self._sessions.forget_the_dead()
        elif self._loop.is_running() and not runs_here(self._loop):
            with suppress(RuntimeError):  # it has ended just now
                self._loop.call_soon_threadsafe(self._connection.close)
        else:
            self._drop()

    async def _next(self) -> bytes:
        connection, framing = self._connection, self._framing
        try:
            while not framing.whole:
                if connection is None:
                    raise Garbled("it was closed")
                if piece := await self._piece(connection, self._request.timeouts.idle):
                    return piece
            if self._coding is not None:
                self._coding.end()
            return b""
        except BaseException:
            self._drop()
            raise

    async def _piece(self, connection: Connection, idle: float | None) -> bytes:
        framing = self._framing
        piece = await connection.receive(idle, None if self._coding is None else MOST_PACKED)
        if piece:
            piece = framing.feed(piece)
        elif self._connection is None:
            raise Garbled("it was closed")  # by another task, which is not the body's end
        else:
            framing.end()
        if framing.whole:
            self._give_back(connection)
        return piece if self._coding is None else self._coding.feed(piece)

    def _give_back(self, connection: Connection) -> None:
        self._connection = None
        if self._is_last or self._framing.excess:
            connection.close()
        else:
            self._pool.give(connection)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _longest_silence(request: Request) -> float | None:
    """Until something of an answer comes: a long body takes its time to leave."""
    idle = request.timeouts.idle
    return None if idle is None else idle + len(request.body) / SLOWEST_UPLOAD


def _translated(request: Request, error: Exception) -> TransportError:
    if isinstance(error, Overdue):
        return timed_out(request, OVERDUE)
    if isinstance(error, TimeoutError):
        return timed_out(request, silence(request.timeouts.idle))
    return lost(request, reason_of(error))
