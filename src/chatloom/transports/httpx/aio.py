"""A request's way through an `httpx.AsyncClient` and back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request, Response
from chatloom.transports.address import Address
from chatloom.transports.aio.loops import runs_here, until
from chatloom.transports.arrivals import LINGER, Arrivals
from chatloom.transports.failures import ELSEWHERE, OVERDUE, Garbled, lost, timed_out
from chatloom.transports.framing import Unzipped, coding_of
from chatloom.transports.headers import joined
from chatloom.transports.httpx.alarm import hang_up, socket_of
from chatloom.transports.httpx.clients import AsyncAnswer, AsyncClient, Library
from chatloom.transports.httpx.course import Course
from chatloom.transports.httpx.troubles import died_idle, failures, translated

_closing: set[asyncio.Task[None]] = set()
_left_alone: list[AsyncArrival] = []
"""What a forked child must not collect: it shares the selector, and would deafen the parent."""


class AsyncCalls:
    """Requests to one address, through the user's client."""

    def __init__(self, client: AsyncClient, library: Library, address: Address) -> None:
        self._client = client
        self._library = library
        self._failures = failures(library)
        self._address = address
        self._arrivals = Arrivals()
        self.owner: int | None = None
        """The process that has connections."""
        self._home: asyncio.AbstractEventLoop | None = None

    async def call(self, request: Request) -> Response:
        """Send *request*, and once more if the connection had died while it was idle."""
        course = Course(request, self._address)
        if course.is_overdue():
            raise timed_out(request, OVERDUE)
        try:
            if request.deadline is None:
                return await self._exchange(course)
            return await until(request.deadline, self._exchange(course))
        except self._failures as error:
            raise translated(self._library, course, error) from error

    def close(self) -> None:
        """End the answers that are still under way."""
        self._arrivals.end()

    async def _exchange(self, course: Course) -> Response:
        request = course.request
        try:
            answer = await self._send(course)
        except self._failures as error:
            if not died_idle(self._library, course, error):
                raise
            course.begin()
            answer = await self._send(course)
        headers = joined(answer.headers.multi_items())
        arrival = AsyncArrival(self._library, course, answer, headers)
        if request.streamed:
            arriving = self._arrivals.bind(request, arrival)
            return Response(answer.status_code, headers, arriving=arriving)
        return Response(answer.status_code, headers, await arrival.all())

    async def _send(self, course: Course) -> AsyncAnswer:
        async def trace(event: str, info: Mapping[str, object]) -> None:
            course.note(event, info)

        loop = asyncio.get_running_loop()
        try:
            outgoing = course.built(self._client, self._library, trace)
            return await self._client.send(outgoing, stream=True, follow_redirects=False)
        except RuntimeError as error:
            if self._home not in (None, loop):
                raise SettingsError(
                    "an AsyncClient of httpx keeps connections that belong to one event loop:"
                    " give each loop a client of its own"
                ) from error
            raise
        finally:
            if course.began:
                self.owner, self._home = os.getpid(), loop


class AsyncArrival:
    """A body on its way through httpx."""

    def __init__(
        self, library: Library, course: Course, answer: AsyncAnswer, headers: dict[str, str]
    ) -> None:
        self._library = library
        self._course = course
        self._answer = answer
        self._blocks, self._coding = _opened(answer, headers)
        self._loop = asyncio.get_running_loop()
        self._owner = os.getpid()
        self._whole = False
        self._over = False
        self._wait: asyncio.Timeout | None = None

    async def all(self) -> bytes:
        """Read the body to its end."""
        pieces: list[bytes] = []
        while piece := await self._next():
            pieces.append(piece)
        return b"".join(pieces)

    async def read(self) -> bytes:
        if not runs_here(self._loop):
            raise lost(self._course.request, ELSEWHERE)
        deadline = self._course.request.deadline
        self._wait = wait = asyncio.timeout(None)
        try:
            async with wait:
                if deadline is None:
                    return await self._next()
                return await until(deadline, self._next())
        except failures(self._library) as error:
            if wait.expired():
                raise lost(self._course.request, "it was closed") from error
            raise translated(self._library, self._course, error) from error
        finally:
            self._wait = None

    async def close(self) -> None:
        if not runs_here(self._loop):
            self.abandon()
            return
        self._over = True
        await self._answer.aclose()

    async def finish(self) -> None:
        if not self._over and runs_here(self._loop):
            with suppress(*failures(self._library)):
                async with asyncio.timeout(LINGER):
                    while await self._next():
                        pass
        await self.close()

    def abandon(self) -> None:
        if self._over:
            return
        self._over = True
        if self._owner != os.getpid():
            _left_alone.append(self)
            return
        hang_up(socket_of(self._answer))
        with suppress(RuntimeError):  # its loop has ended
            self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        # Where there is no socket to hang up, as with HTTP/2, a reader waits on.
        if self._wait is not None:
            self._wait.reschedule(self._loop.time())
        _close(self._answer)

    async def _next(self) -> bytes:
        if self._whole:
            return b""
        try:
            if self._over:
                raise Garbled("it was closed")
            async for block in self._blocks:
                piece = block if self._coding is None else self._coding.feed(block)
                if piece:
                    return piece
            if self._coding is not None:
                self._coding.end()
            self._whole = True
            await self.close()
            return b""
        except BaseException:
            await self.close()
            raise


def _close(answer: AsyncAnswer) -> None:
    """Let httpx forget *answer*, within its loop."""
    task = asyncio.get_running_loop().create_task(answer.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


def _opened(
    answer: AsyncAnswer, headers: dict[str, str]
) -> tuple[AsyncGenerator[bytes], Unzipped | None]:
    if answer.is_stream_consumed:
        # By a transport that made it up, or a hook of the user's; httpx has unpacked it, too.
        return _one(answer.content), None
    return answer.aiter_raw(), coding_of(headers.get("content-encoding", ""))


async def _one(block: bytes) -> AsyncGenerator[bytes]:
    yield block
