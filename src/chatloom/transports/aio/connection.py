"""One connection in an event loop: bytes out, the head and the blocks of an answer in."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import sys
from typing import cast

from chatloom.transports.aio.limits import Limits
from chatloom.transports.failures import Garbled
from chatloom.transports.head import Head, head_of

_LONGEST_HEAD = 262_144
_MOST_HEADS = 32
"""Those before the answer's own, as 100 and 103, included."""
_SWITCHING = 101
_MOST_UNREAD = 2**20
"""Bytes that may wait for a slow reader; then the other side has to."""


class Connection(asyncio.Protocol):
    """A connection whose blocks are taken by whoever has the exchange.

    Used by one task at a time. It knows nobody but its transport, so that it
    ends with those who use it. Whatever it raises is an `OSError` or `Garbled`.
    """

    heard = False
    """Whether anything of an answer arrived."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._transport: asyncio.Transport | None = None
        self._beneath: asyncio.Transport | None = None
        self._unread: list[bytes] = []
        self._size = 0
        self._paused = False
        self._over = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.heard = True
        self._unread.append(data)
        self._size += len(data)
        if self._size > _MOST_UNREAD and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._over = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._error = exc
        self._wake()

    @property
    def is_fresh(self) -> bool:
        """Whether another exchange may begin: open, and nothing waiting to be read."""
        transport = self._transport
        if self._over or self._unread or transport is None or transport.is_closing():
            return False
        # An answer may come before all of its request has left.
        if transport.get_write_buffer_size():
            return False
        # TLS counts what it has encrypted as gone.
        return self._beneath is None or not self._beneath.get_write_buffer_size()

    @property
    def is_overtaken(self) -> bool:
        """Whether something came, be it the end, that the loop was too busy to tell of yet."""
        assert self._transport is not None
        sock: socket.socket | None = self._transport.get_extra_info("socket")
        return sock is not None and _is_readable(sock.fileno())

    def send(self, block: bytes) -> None:
        """Begin an exchange, with all that is to be sent."""
        assert self._transport is not None
        self.heard = False
        self._transport.write(block)

    async def head(self, method: str, idle: float | None) -> Head:
        """Read the head of the answer to *method*; its body stays on the connection."""
        for _ in range(_MOST_HEADS):
            head = head_of(await self._head_block(idle), method)
            if head.status >= 200:
                return head
            if head.status == _SWITCHING:
                raise Garbled("the server went over to another protocol, unasked")
        raise Garbled("the server promises an answer again and again")

    async def receive(self, idle: float | None, most: int | None = None) -> bytes:
        """Take what is there, at *most* so much, waiting for the first byte; ``b""`` at the end.

        Raises `TimeoutError` after *idle* seconds of silence.
        """
        unread = self._unread
        if not unread and not self._over:
            await self._arrival(idle)
        if unread:
            block = unread[0] if len(unread) == 1 else b"".join(unread)
            unread.clear()
            if most is not None and len(block) > most:
                unread.append(block[most:])
                block = block[:most]
            self._size -= len(block)
            if not unread and self._paused and self._transport is not None:
                self._paused = False
                self._transport.resume_reading()
            return block
        if self._error is not None:
            raise self._error
        return b""

    async def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS from here on, with nobody but *host*."""
        # What a proxy says too early would be taken for the server's answer, unencrypted.
        if self._unread:
            raise Garbled("it spoke before it was asked")
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        closed = "the connection closed within its TLS handshake"
        try:
            secured = await loop.start_tls(self._transport, self, context, server_hostname=host)
        except ConnectionResetError as error:
            # An end that is no reset is told as one, in no words.
            raise error if error.errno else ConnectionResetError(closed) from error
        if secured is None:
            raise ConnectionResetError(closed)
        self._transport, self._beneath = secured, self._transport

    def close(self) -> None:
        """Drop it at once; in its own loop."""
        if self._transport is not None:
            self._transport.abort()

    async def _arrival(self, idle: float | None) -> None:
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            with self._limits.within(idle):
                await waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _head_block(self, idle: float | None) -> bytes:
        block = await self._more_of_head(b"", idle)
        searched = 0
        while (end := block.find(b"\r\n\r\n", searched)) < 0:
            if len(block) > _LONGEST_HEAD or b"\n\n" in block:
                raise Garbled("the answer's head does not end as one does")
            searched = max(0, len(block) - 3)
            block += await self._more_of_head(block, idle)
        if end > _LONGEST_HEAD:
            raise Garbled("the answer's head is too long")
        if rest := block[end + 4 :]:
            self._unread.insert(0, rest)
            self._size += len(rest)
        return block[: end + 4]

    async def _more_of_head(self, block: bytes, idle: float | None) -> bytes:
        piece = await self.receive(idle)
        if not piece:
            within = "within the answer's head" if block else "without an answer"
            raise ConnectionResetError(f"the server closed the connection {within}")
        return piece


if sys.platform == "win32":

    def _is_readable(number: int) -> bool:
        return bool(select.select([number], [], [], 0)[0])

else:

    def _is_readable(number: int) -> bool:
        # `select` cannot watch descriptors from 1024 on.
        watch = select.poll()
        watch.register(number, select.POLLIN)
        return bool(watch.poll(0))
