"""The floor: a socket, or an asyncio protocol, and msgspec.

No pool, no time-outs, no retries, no errors: it knows that the upstream answers
well, and that each of its events is one HTTP chunk. Nothing can be much cheaper.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import cast
from urllib.parse import urlsplit

from bench import canned
from bench.shapes import read_chunk, read_completion, read_request, write

_LENGTH = re.compile(rb"content-length: (\d+)")
_END = b"0\r\n\r\n"


class Asking:
    """Writes requests."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.port = parts.port or 80
        self._request = read_request(canned.request("canned-model", canned.MESSAGES, stream=False))
        self._head = (
            f"POST {parts.path}/v1/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\n"
            "content-type: application/json\r\nauthorization: Bearer bench\r\ncontent-length: "
        ).encode()

    def written(self, *, stream: bool) -> bytes:
        """A request, head and body."""
        self._request.stream = stream
        body = write(self._request)
        return b"%s%d\r\n\r\n%s" % (self._head, len(body), body)


class Reading:
    """Reads one answer."""

    def __init__(self) -> None:
        self._unread = b""
        self._texts: list[str] = []
        self.is_over = False

    def plain(self, data: bytes) -> str | None:
        """Take in some of a plain reply; its text once it is whole."""
        self._unread += data
        end = self._unread.find(b"\r\n\r\n") + 4
        length = _LENGTH.search(self._unread)
        if end < 4 or length is None or len(self._unread) < end + int(length[1]):
            return None
        return read_completion(self._unread[end:]).choices[0].message.content

    def feed(self, data: bytes) -> None:
        """Take in some of a streamed answer."""
        *events, self._unread = (self._unread + data).split(b"\n\n")
        for event in events:
            told = event[event.index(b"data: ") + 6 :]
            if told == b"[DONE]":
                break
            chunk = read_chunk(told)
            if chunk.choices and (text := chunk.choices[0].delta.content):
                self._texts.append(text)
        self.is_over = self._unread.endswith(_END)

    def take(self) -> list[str]:
        """Hand out the texts that came since."""
        taken, self._texts = self._texts, []
        return taken


class RawSocket:
    """One blocking socket."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._socket = socket.create_connection(("127.0.0.1", asking.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> str:
        """Make a plain request."""
        self._socket.sendall(self._asking.written(stream=False))
        reading = Reading()
        while True:
            text = reading.plain(self._socket.recv(65536))
            if text is not None:
                return text

    def tell(self) -> Iterator[str]:
        """Read a stream to its end."""
        self._socket.sendall(self._asking.written(stream=True))
        reading = Reading()
        while not reading.is_over:
            reading.feed(self._socket.recv(65536))
            yield from reading.take()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class RawProtocol(asyncio.Protocol):
    """One connection of an event loop."""

    _transport: asyncio.Transport

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._reading = Reading()
        self._waiting: asyncio.Future[str] | None = None
        self._streams = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        text: str | None = ""
        if self._streams:
            self._reading.feed(data)
        else:
            text = self._reading.plain(data)
        if text is not None and self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.set_result(text)

    async def ask(self) -> str:
        """Make a plain request."""
        self._begin(stream=False)
        return await self._change()

    async def tell(self) -> AsyncIterator[str]:
        """Read a stream to its end, waking up for whatever arrives, as a reader would."""
        self._begin(stream=True)
        while not self._reading.is_over:
            await self._change()
            for text in self._reading.take():
                yield text

    def _begin(self, *, stream: bool) -> None:
        self._streams = stream
        self._reading = Reading()
        self._transport.write(self._asking.written(stream=stream))

    async def _change(self) -> str:
        self._waiting = asyncio.get_running_loop().create_future()
        return await self._waiting

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


class RawProtocols:
    """As many connections as there are requests in flight."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._idle: deque[RawProtocol] = deque()

    async def ask(self) -> str:
        """Make a plain request."""
        one = await self._take()
        text = await one.ask()
        self._idle.append(one)
        return text

    async def tell(self) -> AsyncIterator[str]:
        """Read a stream to its end."""
        one = await self._take()
        async for text in one.tell():
            yield text
        self._idle.append(one)

    async def _take(self) -> RawProtocol:
        if self._idle:
            return self._idle.pop()
        loop = asyncio.get_running_loop()
        _, one = await loop.create_connection(
            lambda: RawProtocol(self._asking), "127.0.0.1", self._asking.port
        )
        return one

    async def close(self) -> None:
        """Hang up."""
        for one in self._idle:
            one.close()
