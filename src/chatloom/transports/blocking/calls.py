"""A request's way over a connection and back, for blocking clients."""

from __future__ import annotations

import ssl

from chatloom.core.errors import TransportError
from chatloom.core.http import Request, Response
from chatloom.transports.address import Address
from chatloom.transports.arrivals import Arrivals
from chatloom.transports.blocking.connection import Connection
from chatloom.transports.blocking.opening import open_connection
from chatloom.transports.blocking.pool import Pool
from chatloom.transports.failures import OVERDUE, Garbled, lost, reason_of, timed_out
from chatloom.transports.framing import Framing, Unzipped, coding_of
from chatloom.transports.head import Head
from chatloom.transports.headers import complete, may_have_body
from chatloom.transports.proxies import Proxy
from chatloom.transports.tls import default_context

_Failure = (OSError, Garbled)


class Calls:
    """Requests to one address, over as few connections as will do."""

    def __init__(
        self, address: Address, proxy: Proxy | None, ssl_context: ssl.SSLContext | None
    ) -> None:
        self._address = address
        self._proxy = proxy
        self._context = (ssl_context or default_context()) if address.is_secure else None
        self._pool = Pool()
        self._arrivals = Arrivals()
        self._host = address.authority
        self._before_target = ""
        self._proxy_lines: list[str] = []
        if proxy is not None and not address.is_secure:
            self._before_target = address.origin
            if proxy.authorization:
                self._proxy_lines = [f"proxy-authorization: {proxy.authorization}\r\n"]

    def call(self, request: Request) -> Response:
        """Send *request*, and once more if the connection had died while it was idle."""
        block = self._written(request)
        connection = self._pool.take()
        if connection is not None:
            try:
                return self._exchange(connection, request, block)
            except _Failure as error:
                if not _may_go_again(connection, request, error):
                    raise _translated(request, error) from error
        connection = open_connection(request, self._address, self._proxy, self._context)
        try:
            return self._exchange(connection, request, block)
        except _Failure as error:
            raise _translated(request, error) from error

    def close(self) -> None:
        self._arrivals.end()
        self._pool.close()

    def _exchange(self, connection: Connection, request: Request, block: bytes) -> Response:
        try:
            connection.begin(request.timeouts.idle, request.deadline)
            try:
                connection.send(block)
            except (BrokenPipeError, ConnectionResetError):
                # A server may refuse a long body, and hang up, before it has read it all.
                if not connection.sent:
                    raise
            head = connection.head(request.method)
            arrival = Arrival(request, connection, head, self._pool)
        except BaseException:
            connection.close()
            raise
        if request.streamed:
            arriving = self._arrivals.bind(request, arrival)
            return Response(head.status, head.headers, arriving=arriving)
        return Response(head.status, head.headers, arrival.all())

    def _written(self, request: Request) -> bytes:
        """Write head and body as one block, so that one call sends them."""
        headers = complete(request, self._host)
        target = self._before_target + self._address.target(request)
        lines = [f"{request.method} {target} HTTP/1.1\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in headers]
        lines += self._proxy_lines
        if request.body or may_have_body(request.method):
            lines.append(f"content-length: {len(request.body)}\r\n")
        lines.append("\r\n")
        return "".join(lines).encode("ascii") + request.body


class Arrival:
    """A body on its way over a connection that belongs to it until the end."""

    def __init__(
        self,
        request: Request,
        connection: Connection,
        head: Head,
        pool: Pool,
    ) -> None:
        self._request = request
        self._connection: Connection | None = connection
        self._framing: Framing = head.framing
        self._coding: Unzipped | None = coding_of(head.headers.get("content-encoding", ""))
        self._pool = None if head.is_last else pool
        self._reading = False
        self._abandoned = False
        if self._framing.whole:
            self._give_back(connection)

    def all(self) -> bytes:
        """Read the body to its end."""
        pieces: list[bytes] = []
        while piece := self._next():
            pieces.append(piece)
        return b"".join(pieces)

    async def read(self) -> bytes:
        self._reading = True
        try:
            return self._next()
        except _Failure as error:
            raise _translated(self._request, error) from error
        finally:
            self._reading = False
            if self._abandoned:
                self._drop()

    async def close(self) -> None:
        self.abandon()

    async def finish(self) -> None:
        connection = self._connection
        if connection is not None and not self._reading:
            connection.leave(self._framing)
            self._give_back(connection)

    def abandon(self) -> None:
        self._abandoned = True
        # Its number may be another file's as soon as it is closed: a reader closes it itself.
        if self._reading and self._connection is not None:
            self._connection.interrupt()
        else:
            self._drop()

    def _next(self) -> bytes:
        try:
            while not self._framing.whole:
                if piece := self._piece():
                    return piece
            if self._coding is not None:
                self._coding.end()
            return b""
        except BaseException:
            self._drop()
            raise

    def _piece(self) -> bytes:
        connection, framing = self._connection, self._framing
        if connection is None or self._abandoned:
            raise Garbled("it was closed")
        piece = connection.receive()
        if piece:
            piece = framing.feed(piece)
        else:
            framing.end()
        if framing.whole:
            self._give_back(connection)
        return piece if self._coding is None else self._coding.feed(piece)

    def _give_back(self, connection: Connection) -> None:
        self._connection = None
        if self._pool is None or self._framing.excess:
            connection.close()
        else:
            self._pool.give(connection)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _may_go_again(connection: Connection, request: Request, error: Exception) -> bool:
    """Whether a kept connection proved dead, and *request* took no effect there."""
    if connection.heard or not isinstance(
        error, (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
    ):
        return False
    return request.is_idempotent or not connection.sent


def _translated(request: Request, error: Exception) -> TransportError:
    if isinstance(error, TimeoutError):
        return timed_out(request, str(error) or OVERDUE)
    return lost(request, reason_of(error))
