"""The end of a blocking read at a deadline.

httpcore gives every read of a body the same limit, so that a body that drips,
or falls silent late, would outlast the deadline.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Protocol, cast

from chatloom.transports.httpx.clients import Answer


class Alarm:
    """Shuts *sock* down at *deadline*, unless it is stopped before."""

    rang = False

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket: socket.socket | None = sock
        self._lock = threading.Lock()
        self._timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._ring)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Let the connection live; once this returns, nothing will be shut down any more."""
        self._timer.cancel()
        with self._lock:
            self._socket = None

    def _ring(self) -> None:
        with self._lock:
            if self._socket is not None:
                self.rang = True
                hang_up(self._socket)


class _Stream(Protocol):
    """httpcore's end of a connection."""

    def get_extra_info(self, info: str) -> object: ...


class _StandIn(Protocol):
    def shutdown(self, how: int, /) -> None: ...


def socket_of(answer: Answer) -> object:
    """Find the socket that serves *answer* and nothing else; `None` where there is no such one."""
    stream = cast("_Stream | None", answer.extensions.get("network_stream"))
    if stream is None or not answer.http_version.startswith("HTTP/1"):
        return None
    return stream.get_extra_info("socket")


def hang_up(sock: object) -> None:
    """End the connection of *sock*, a socket or asyncio's stand-in for one, but keep its number."""
    with suppress(OSError, TypeError):  # uvloop's stand-in refuses with the latter
        if isinstance(sock, socket.socket):
            # Of the socket beneath: TLS would pull its state from under a reader.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        elif sock is not None:
            cast("_StandIn", sock).shutdown(socket.SHUT_RDWR)
