"""A request's way through aiohttp and back, for async clients."""

from __future__ import annotations

import asyncio
import io
import os
import ssl
from contextlib import suppress
from functools import lru_cache

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from chatloom.core.errors import ConnectError, TransportError
from chatloom.core.http import Request, Response, Timeouts
from chatloom.transports.address import Address
from chatloom.transports.aio.limits import Limits
from chatloom.transports.aio.loops import Overdue, runs_here, until
from chatloom.transports.aio.sessions import Kept, Sessions
from chatloom.transports.arrivals import LINGER
from chatloom.transports.failures import (
    ELSEWHERE,
    OVERDUE,
    Garbled,
    lost,
    no_connection_in_time,
    reason_of,
    silence,
    timed_out,
    unreachable,
    unresolved,
)
from chatloom.transports.framing import coding_of
from chatloom.transports.headers import complete, joined
from chatloom.transports.proxies import Proxy
from chatloom.transports.tls import default_context

_Failure = (aiohttp.ClientError, OSError, Garbled)
_LARGE = 2**20
GRACE = 1.0
"""Seconds by which our limits on silence come after aiohttp's own, which tell more."""
SLOWEST_UPLOAD = 10_000
"""Bytes a second."""
_left_alone: list[aiohttp.ClientResponse] = []
"""What a forked child must not collect: it shares the selector, and would deafen the parent."""


class AioCalls:
    """Requests to one address, over the session of the loop they are made in."""

    def __init__(
        self, address: Address, proxy: Proxy | None, ssl_context: ssl.SSLContext | None
    ) -> None:
        self._address = address
        self._origin = address.origin
        self._place: Address | Proxy = proxy or address
        self._sessions = Sessions((ssl_context or default_context()) if address.is_secure else None)
        self._proxy_url: URL | None = None
        self._proxy_headers: CIMultiDict[str] | None = None
        if proxy is not None:
            self._proxy_url = URL.build(scheme="http", host=proxy.host, port=proxy.port)
            if proxy.authorization:
                self._proxy_headers = CIMultiDict({"Proxy-Authorization": proxy.authorization})

    async def call(self, request: Request) -> Response:
        headers = self._headers(request)
        url = URL(self._origin + self._address.target(request), encoded=True)
        kept = self._sessions.here() or await self._sessions.begin_here()
        try:
            if request.deadline is None:
                return await self._exchange(kept, request, url, headers)
            return await until(request.deadline, self._exchange(kept, request, url, headers))
        except _Failure as error:
            raise self._translated(request, error) from error

    async def close(self) -> None:
        await self._sessions.close()

    async def _exchange(
        self,
        kept: Kept,
        request: Request,
        url: URL,
        sent_headers: CIMultiDict[str],
    ) -> Response:
        with kept.limits.within(_longest_silence(request)):
            answer = await kept.session.request(
                request.method,
                url,
                headers=sent_headers,
                data=_sendable(request.body),
                allow_redirects=False,
                timeout=_limits(request.timeouts),
                proxy=self._proxy_url,
                proxy_headers=self._proxy_headers,
            )
        headers = joined(answer.headers.items())
        arriving = AioArrival(request, answer, headers, self._sessions, kept.limits)
        if request.streamed:
            bound = kept.arrivals.bind(request, arriving)
            return Response(answer.status, headers, arriving=bound)
        return Response(answer.status, headers, await arriving.all())

    def _headers(self, request: Request) -> CIMultiDict[str]:
        headers = CIMultiDict(complete(request))
        # aiohttp says these to the proxy itself, where it asks for a tunnel.
        if self._proxy_headers is not None and not self._address.is_secure:
            headers.extend(self._proxy_headers)
        return headers

    def _translated(self, request: Request, error: Exception) -> TransportError:
        place = self._place
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return no_connection_in_time(request, place)
        if isinstance(error, aiohttp.ClientHttpProxyError):
            reason = Garbled(f"it refused to pass the connection on ({error.status})")
            return unreachable(request, place, reason)
        if isinstance(error, aiohttp.ClientConnectorError):
            return self._unconnected(request, error)
        return _translated(request, error)

    def _unconnected(self, request: Request, error: aiohttp.ClientConnectorError) -> ConnectError:
        cause: Exception = error.os_error
        place = self._place
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            cause = error.certificate_error
        if isinstance(cause, ssl.SSLError):
            place = self._address
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            cause = unresolved(error)
        return unreachable(request, place, cause)


class AioArrival:
    """A body on its way through aiohttp."""

    def __init__(
        self,
        request: Request,
        answer: aiohttp.ClientResponse,
        headers: dict[str, str],
        sessions: Sessions,
        limits: Limits,
    ) -> None:
        self._request = request
        self._limits = limits
        self._answer = answer
        self._sessions = sessions
        self._coding = coding_of(headers.get("content-encoding", ""))
        self._loop = asyncio.get_running_loop()
        self._owner = os.getpid()

    async def all(self) -> bytes:
        """Read the body to its end."""
        pieces: list[bytes] = []
        try:
            while piece := await self._next():
                pieces.append(piece)
        except BaseException:
            self._answer.close()
            raise
        return b"".join(pieces)

    async def read(self) -> bytes:
        if not runs_here(self._loop):
            raise lost(self._request, ELSEWHERE)
        try:
            if self._request.deadline is None:
                return await self._next()
            return await until(self._request.deadline, self._next())
        except _Failure as error:
            self._answer.close()
            raise _translated(self._request, error) from error
        except BaseException:
            self._answer.close()
            raise

    async def close(self) -> None:
        self.abandon()

    async def finish(self) -> None:
        if not runs_here(self._loop):
            self.abandon()
            return
        content = self._answer.content
        try:
            with suppress(*_Failure), self._limits.within(LINGER):
                while not content.at_eof():
                    await content.readany()
        finally:
            self._answer.close()  # nothing is left to close where the end came

    def abandon(self) -> None:
        if self._owner != os.getpid():
            _left_alone.append(self._answer)
        elif self._loop.is_closed():
            self._sessions.forget_the_dead()
        elif self._loop.is_running() and not runs_here(self._loop):
            with suppress(RuntimeError):  # it has ended just now
                self._loop.call_soon_threadsafe(self._answer.close)
        else:
            self._answer.close()

    async def _next(self) -> bytes:
        content, idle = self._answer.content, self._request.timeouts.idle
        while True:
            block = content.read_nowait()
            if not block and not content.at_eof():
                # aiohttp's own limit on silence is lost with its parser, which garbled chunks
                # stop for good (seen with 3.14.5); so there is a second one.
                with self._limits.within(None if idle is None else idle + GRACE):
                    block = await content.readany()
            if not block:
                break
            if self._coding is not None:
                block = self._coding.feed(block)
            if block:
                return block
        if self._coding is not None:
            self._coding.end()
        return b""


def _longest_silence(request: Request) -> float | None:
    """Until the head of an answer is there; aiohttp alone would wait for ever behind a 100."""
    limits = request.timeouts
    if limits.connect is None or limits.idle is None:
        return None
    return limits.connect + len(request.body) / SLOWEST_UPLOAD + limits.idle + GRACE


@lru_cache(maxsize=64)
def _limits(timeouts: Timeouts) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=timeouts.connect, sock_read=timeouts.idle)


def _sendable(body: bytes) -> bytes | io.BytesIO | None:
    # aiohttp warns of large bytes, and takes the same bytes as a file.
    return io.BytesIO(body) if len(body) > _LARGE else body or None


def _translated(request: Request, error: Exception) -> TransportError:
    if isinstance(error, Overdue):
        return timed_out(request, OVERDUE)
    if isinstance(error, TimeoutError):
        return timed_out(request, silence(request.timeouts.idle))
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return lost(request, "the server closed the connection without an answer")
    if isinstance(error, aiohttp.ClientPayloadError):
        return lost(request, "the connection closed before the end of the body")
    if isinstance(error, aiohttp.ClientResponseError):
        return lost(request, "the answer is not HTTP")
    return lost(request, reason_of(error))
