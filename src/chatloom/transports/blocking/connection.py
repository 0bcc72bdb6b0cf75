"""One connection: bytes out, the head and the blocks of an answer in."""

from __future__ import annotations

import os
import select
import socket
import ssl
import sys
import time
import weakref
from collections.abc import Callable
from contextlib import suppress

from chatloom.transports.failures import OVERDUE, Garbled, silence
from chatloom.transports.framing import Framing
from chatloom.transports.head import Head, head_of

_BLOCK = 65536
_LONGEST_HEAD = 262_144
_MOST_HEADS = 32
"""Those before the answer's own, as 100 and 103, included."""
_SWITCHING = 101
_MOMENT = 0.05
"""Seconds for a piece of TLS that has begun to arrive."""


class Connection:
    """A socket that never waits longer than the exchange it is in allows.

    Used by one thread at a time. Whatever it raises is an `OSError`, of which
    a `TimeoutError` says what it waited for, or `Garbled`.
    """

    sent = 0
    """How many bytes of the request the system took."""
    heard = False
    """Whether anything of an answer arrived."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._limit = sock.gettimeout()
        self._idle: float | None = None
        self._deadline: float | None = None
        self._unread = b""
        self._rest: Framing | None = None
        self._is_readable = _watching(sock.fileno())
        self._owner = os.getpid()
        # A socket that is collected unclosed complains aloud.
        self._release = weakref.finalize(self, sock.close)

    def begin(self, idle: float | None, deadline: float | None) -> None:
        """Start an exchange, with the longest silence and the last moment it allows."""
        self._idle = idle
        self._deadline = deadline
        self.sent = 0
        self.heard = False

    def send(self, block: bytes) -> None:
        """Write all of *block*."""
        rest = memoryview(block)
        while rest:
            self._set_limit()
            try:
                count = self._socket.send(rest)
            except TimeoutError as error:
                raise self._expired() from error
            self.sent += count
            rest = rest[count:]

    def head(self, method: str) -> Head:
        """Read the head of the answer to *method*; its body stays on the connection."""
        for _ in range(_MOST_HEADS):
            head = head_of(self._head_block(), method)
            if head.status >= 200:
                return head
            if head.status == _SWITCHING:
                raise Garbled("the server went over to another protocol, unasked")
        raise Garbled("the server promises an answer again and again")

    def receive(self) -> bytes:
        """Read what is there, up to a block, waiting for the first byte; ``b""`` at the end."""
        if self._unread:
            block, self._unread = self._unread, b""
            return block
        self._set_limit()
        try:
            block = self._socket.recv(_BLOCK)
        except TimeoutError as error:
            raise self._expired() from error
        if block:
            self.heard = True
        return block

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS from here on, with nobody but *host*."""
        # What a proxy says too early would be taken for the server's answer, unencrypted.
        if self._unread:
            raise Garbled("it spoke before it was asked")
        self._set_limit()
        secured = context.wrap_socket(
            self._socket, server_hostname=host, do_handshake_on_connect=False
        )
        self._socket = secured
        self._release = weakref.finalize(self, secured.close)
        secured.do_handshake()

    def leave(self, rest: Framing) -> None:
        """End the exchange before the end of its answer was seen, which *rest* looks out for."""
        self._rest = rest

    def is_fresh(self) -> bool:
        """Whether another exchange may begin: open, and nothing waiting to be read."""
        return (
            self._release.alive
            and (self._rest is None or self._has_ended(self._rest))
            and not self._unread
            and not self._is_readable()
        )

    def _has_ended(self, rest: Framing) -> bool:
        """Whether nothing but the last answer's end has come since."""
        self._rest = None
        self.begin(_MOMENT, None)
        try:
            while not rest.whole and (self._unread or self._is_readable()):
                block = self.receive()
                if not block or rest.feed(block):
                    return False
        except (OSError, Garbled):
            return False
        return rest.whole and not rest.excess

    def interrupt(self) -> None:
        """Make a read that waits in another thread come back at once."""
        # What a parent process still uses is not a child's to shut down.
        if self._owner == os.getpid():
            with suppress(OSError):
                # Of the socket beneath: TLS would pull its state from under the reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        self._release()

    def _head_block(self) -> bytes:
        block = self._more_of_head(b"")
        searched = 0
        while (end := block.find(b"\r\n\r\n", searched)) < 0:
            if len(block) > _LONGEST_HEAD or b"\n\n" in block:
                raise Garbled("the answer's head does not end as one does")
            searched = max(0, len(block) - 3)
            block += self._more_of_head(block)
        self._unread = block[end + 4 :]
        return block[: end + 4]

    def _more_of_head(self, block: bytes) -> bytes:
        piece = self.receive()
        if not piece:
            within = "within the answer's head" if block else "without an answer"
            raise ConnectionResetError(f"the server closed the connection {within}")
        return piece

    def _set_limit(self) -> None:
        limit = self._idle
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(OVERDUE)
            limit = left if limit is None else min(left, limit)
        if limit != self._limit:
            self._socket.settimeout(limit)
            self._limit = limit

    def _expired(self) -> TimeoutError:
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return TimeoutError(OVERDUE)
        return TimeoutError(silence(self._idle))


if sys.platform == "win32":

    def _watching(number: int) -> Callable[[], bool]:
        """Make a function that tells whether something waits to be read."""
        return lambda: bool(select.select([number], [], [], 0)[0])

else:

    def _watching(number: int) -> Callable[[], bool]:
        """Make a function that tells whether something waits to be read."""
        # `select` cannot watch descriptors from 1024 on.
        watch = select.poll()
        watch.register(number, select.POLLIN)
        return lambda: bool(watch.poll(0))
