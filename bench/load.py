"""A load generator: so many connections, each asking again as soon as it was answered."""

from __future__ import annotations

import asyncio
import re
import time
from statistics import median
from typing import cast

import msgspec

from bench.processes import Failed

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END = b"0\r\n\r\n"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a server again and again, and how a whole answer is known."""

    port: int
    path: str
    body: bytes
    key: str
    contains: bytes
    """What a whole answer has in it."""
    times: int
    """How often, at least."""

    def written(self) -> bytes:
        """The request, head and body."""
        head = (
            f"POST {self.path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n"
            f"authorization: Bearer {self.key}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body

    def check(self, answer: bytes) -> None:
        """Raise `Failed` for an answer that is not whole."""
        ok = answer.startswith(b"HTTP/1.1 200 ")
        if not ok or answer.count(self.contains) < self.times:
            raise Failed(f"not the answer to {self.path}: {answer[:600].decode(errors='replace')}")


class Served(msgspec.Struct, frozen=True):
    """How many answers came, in how many seconds, and how long the median one took."""

    answers: int
    seconds: float
    median: float


class _Connection(asyncio.Protocol):
    _transport: asyncio.Transport

    def __init__(self, question: Question, until: float, over: asyncio.Future[None]) -> None:
        self.took: list[float] = []
        """Seconds of each answer."""
        self._asked = 0.0
        self._question = question
        self._request = question.written()
        self._until = until
        self.over = over
        self._pieces: list[bytes] = []
        self._size = 0
        self._expected: int | None = None
        """The bytes of the whole answer; `None` for one in chunks."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._pieces:
            self._expected = _expected(data)
        self._pieces.append(data)
        self._size += len(data)
        if self._expected is None:
            # The end may come in two parts; `_END` is shorter than the head, so there are bytes.
            tail = data if len(data) >= len(_END) else b"".join(self._pieces[-5:])
            whole = tail.endswith(_END)
        else:
            whole = self._size >= self._expected
        if whole:
            self._take()

    def _take(self) -> None:
        now = time.perf_counter()
        try:
            self._question.check(b"".join(self._pieces))
        except Failed as error:
            self._end(error)
            return
        self.took.append(now - self._asked)
        self._pieces.clear()
        self._size = 0
        if now < self._until:
            self._ask()
        else:
            self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(Failed("the server hung up"))

    def _end(self, error: Failed | None) -> None:
        self._transport.close()
        if self.over.done():
            return
        if error is None:
            self.over.set_result(None)
        else:
            self.over.set_exception(error)


def _expected(first: bytes) -> int | None:
    end = first.find(b"\r\n\r\n")
    length = _LENGTH.search(first, 0, end + 2)
    return end + 4 + int(length[1]) if length else None


async def drive(question: Question, connections: int, seconds: float) -> Served:
    """Ask for so many seconds, then wait for the last answers. Raises `Failed`."""
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()

    def connection() -> _Connection:
        return _Connection(question, begun + seconds, loop.create_future())

    asking = [
        (await loop.create_connection(connection, "127.0.0.1", question.port))[1]
        for _ in range(connections)
    ]
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(one.over for one in asking))
    took = [seconds for one in asking for seconds in one.took]
    return Served(len(took), time.perf_counter() - begun, median(took))
