"""Limits on what a connection may send and hold before anybody knows who it is.

uvicorn's parser has none of its own: a head could grow, or never end, for ever.
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from chatloom.server.call import DEPARTURE, Departure

LONGEST_HEAD = 64 * 1024
"""Bytes."""
SLOWEST_HEAD = 30.0
"""Seconds from a connection's, or a head's, beginning to the head's end."""
SLOWEST_READER = 120_000
"""Milliseconds a reader may take nothing of what is sent; where the system can tell."""


class LimitedProtocol(HttpToolsProtocol):
    """HTTP/1.1 that cuts connections which send no head, or too much of one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._departure = Departure()
        self._head = 0
        self._in_head = True
        self._limit: asyncio.TimerHandle | None = None
        self._wait_for_head()
        opened: socket.socket | None = transport.get_extra_info("socket")
        if opened is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SLOWEST_READER)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)
        self._departure.leave()

    def eof_received(self) -> bool:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] - as asyncio has it
        """Answer also who sends no more: he may be gone, or just have said all he had to say."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete:
            return False
        cycle.keep_alive = False
        self._departure.fade()
        return True

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        if self._head > LONGEST_HEAD:
            self._refuse()
        elif self._limit is None:
            self._wait_for_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, object]", self.scope)[DEPARTURE] = self._departure
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head = 0
        self._stop_waiting()
        super().on_headers_complete()

    def _wait_for_head(self) -> None:
        loop = asyncio.get_running_loop()
        self._limit = loop.call_later(SLOWEST_HEAD, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _refuse(self) -> None:
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
            b"connection: close\r\ncontent-length: 0\r\n\r\n"
        )
        self.transport.close()
