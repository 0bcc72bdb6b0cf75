"""An answer: its head, and its body for as long as there is room for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import msgspec

from chatloom.server.egress.exchange import Exchange
from chatloom.server.egress.failures import EgressFailed, EgressTooLarge
from chatloom.transports.failures import Garbled
from chatloom.transports.framing import Unzipped, coding_of
from chatloom.transports.head import Head

_PACKED_AT_ONCE = 4 * 1024
"""Bytes that are unpacked before their size is looked at: they may become four million."""
_WIRE_SPARE = 1024 * 1024


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; repeated ones joined by ``", "``."""
    body: bytes
    """Unpacked, whatever ``Content-Encoding`` says."""
    url: str
    """Where it came from in the end."""
    address: str
    """The IP address it came from; not for whoever named the URL."""

    def __repr__(self) -> str:
        return f"<Fetched {self.status}, {len(self.body)} bytes>"  # an address may hold a key


class Answer:
    """An answer whose body is on its way, to be read once, piece by piece or as a whole.

    Reading raises `EgressTooLarge` behind the last byte there was room for.
    """

    def __init__(
        self, head: Head, exchange: Exchange, *, url: str, address: str, body_bytes: int
    ) -> None:
        """Raise `EgressFailed` where the body is packed in a way nobody here can undo."""
        self.status = head.status
        self.headers: Mapping[str, str] = head.headers
        self.url = url
        self.address = address
        self._exchange = exchange
        self._framing = head.framing
        self._coding = _coding(head)
        self._room = body_bytes
        self._arrived = self._unpacked = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._next()
        self._expect_room(self._unpacked)
        if not piece:
            raise StopAsyncIteration
        return piece

    async def read(self) -> bytes:
        """Read the rest; raises `EgressTooLarge` rather than give a part of it."""
        announced = self.headers.get("content-length", "")
        if not self._framing.whole and announced.isdigit():
            self._expect_room(int(announced))
        return b"".join([piece async for piece in self])

    async def read_at_most(self, size: int) -> bytes:
        """Read the beginning, *size* bytes where there are as many, and leave what follows."""
        left = min(size, self._room)
        pieces: list[bytes] = []
        while left > 0 and (piece := await self._next()):
            pieces.append(piece[:left])
            left -= len(piece)
        return b"".join(pieces)

    async def _next(self) -> bytes:
        self._expect_room(self._unpacked)
        try:
            while not self._framing.whole:
                if piece := await self._piece():
                    return piece
            if self._coding is not None:
                self._coding.end()
        except Garbled:
            raise EgressFailed("garbled") from None
        return b""

    async def _piece(self) -> bytes:
        block = await self._exchange.receive()
        if not block:
            self._end()
            return b""
        # Chunks may be all head and no body, and packed data may stand for nothing.
        self._arrived += len(block)
        if self._arrived > 2 * self._room + _WIRE_SPARE:
            raise EgressTooLarge("body")
        piece = self._framing.feed(block)
        if self._coding is not None:
            await asyncio.sleep(0)  # what has arrived already comes without a pause
            return self._undone(self._coding, piece)
        self._unpacked += len(piece)
        return piece

    def _end(self) -> None:
        try:
            self._framing.end()
        except Garbled:
            raise EgressFailed("lost") from None

    def _undone(self, coding: Unzipped, packed: bytes) -> bytes:
        pieces: list[bytes] = []
        for at in range(0, len(packed), _PACKED_AT_ONCE):
            pieces.append(coding.feed(packed[at : at + _PACKED_AT_ONCE]))
            self._unpacked += len(pieces[-1])
            if self._unpacked > self._room:  # the rest is never asked for
                break
        return b"".join(pieces)

    def _expect_room(self, size: int) -> None:
        if size > self._room:
            raise EgressTooLarge("body")


def _coding(head: Head) -> Unzipped | None:
    named = head.headers.get("content-encoding", "").strip().lower()
    coding = coding_of(named)
    if coding is None and named not in {"", "identity"} and not head.framing.whole:
        raise EgressFailed("encoding")
    return coding
