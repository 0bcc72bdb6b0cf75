"""A request's way through an `httpx.Client` and back."""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Generator
from contextlib import suppress

from chatloom.core.http import Request, Response
from chatloom.transports.address import Address
from chatloom.transports.arrivals import LINGER, Arrivals
from chatloom.transports.failures import OVERDUE, Garbled, timed_out
from chatloom.transports.framing import Unzipped, coding_of
from chatloom.transports.headers import joined
from chatloom.transports.httpx.alarm import Alarm, hang_up, socket_of
from chatloom.transports.httpx.clients import BlockingAnswer, BlockingClient, Library
from chatloom.transports.httpx.course import Course
from chatloom.transports.httpx.troubles import died_idle, failures, translated


class BlockingCalls:
    """Requests to one address, through the user's client."""

    def __init__(self, client: BlockingClient, library: Library, address: Address) -> None:
        self._client = client
        self._library = library
        self._failures = failures(library)
        self._address = address
        self._abandoned: deque[BlockingArrival] = deque()
        self._arrivals = Arrivals()
        self.owner: int | None = None
        """The process that has connections."""

    def call(self, request: Request) -> Response:
        """Send *request*, and once more if the connection had died while it was idle."""
        self.tell_of_the_abandoned()
        course = Course(request, self._address)
        if course.is_overdue():
            raise timed_out(request, OVERDUE)
        try:
            try:
                answer = self._send(course)
            except self._failures as error:
                if not died_idle(self._library, course, error):
                    raise
                course.begin()
                answer = self._send(course)
            headers = joined(answer.headers.multi_items())
            arrival = BlockingArrival(self._library, course, answer, headers, self._abandoned)
            if request.streamed:
                arriving = self._arrivals.bind(request, arrival)
                return Response(answer.status_code, headers, arriving=arriving)
            return Response(answer.status_code, headers, arrival.all())
        except self._failures as error:
            raise translated(self._library, course, error) from error

    def close(self) -> None:
        """End the answers that are still under way."""
        self._arrivals.end()
        self.tell_of_the_abandoned()

    def tell_of_the_abandoned(self) -> None:
        """Let httpx forget the answers that nobody wants any more."""
        while self._abandoned and self.owner == os.getpid():
            self._abandoned.popleft().drop()

    def _send(self, course: Course) -> BlockingAnswer:
        outgoing = course.built(self._client, self._library, course.note)
        try:
            return self._client.send(outgoing, stream=True, follow_redirects=False)
        finally:
            if course.began:
                self.owner = os.getpid()


class BlockingArrival:
    """A body on its way through httpx."""

    def __init__(
        self,
        library: Library,
        course: Course,
        answer: BlockingAnswer,
        headers: dict[str, str],
        abandoned: deque[BlockingArrival],
    ) -> None:
        self._library = library
        self._course = course
        self._answer = answer
        self._socket = socket_of(answer)
        self._owner = os.getpid()
        self._blocks, self._coding = _opened(answer, headers)
        self._alarm = _alarm_for(course, self._socket)
        self._everyones_abandoned = abandoned
        self._reading = False
        self._abandoned = False
        self._whole = False
        self._over = False

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
        except failures(self._library) as error:
            raise translated(self._library, self._course, error) from error
        finally:
            self._reading = False
            if self._abandoned:
                self.drop()

    async def close(self) -> None:
        self.drop()

    async def finish(self) -> None:
        if isinstance(self._socket, socket.socket) and not (self._over or self._reading):
            if self._alarm is not None:
                self._alarm.stop()
            self._alarm = Alarm(self._socket, time.monotonic() + LINGER)
            with suppress(*failures(self._library)):
                while self._next():
                    pass
        self.drop()

    def abandon(self) -> None:
        if self._over or self._abandoned:
            return
        self._abandoned = True
        if self._reading:
            # Its number may be another file's as soon as it is closed: a reader closes it itself.
            self._hang_up()
            return
        # A finaliser may run while this very thread holds httpx's lock: httpx is told later.
        self._hang_up()
        if isinstance(self._socket, socket.socket):
            self._socket.close()
        self._everyones_abandoned.append(self)

    def drop(self) -> None:
        """Give the connection back, or up where something is left to read."""
        self._over = True
        if self._alarm is not None:
            self._alarm.stop()
        self._blocks.close()
        self._answer.close()

    def _hang_up(self) -> None:
        # What a parent process still uses is not a child's to shut down.
        if self._owner == os.getpid():
            hang_up(self._socket)

    def _next(self) -> bytes:
        if self._whole:
            return b""
        try:
            if self._over or self._abandoned:
                raise Garbled("it was closed")
            while (block := next(self._blocks, None)) is not None:
                if self._course.is_overdue():
                    raise TimeoutError(OVERDUE)
                piece = block if self._coding is None else self._coding.feed(block)
                if piece:
                    return piece
            self._end()
            return b""
        except BaseException:
            self.drop()
            raise

    def _end(self) -> None:
        if self._alarm is not None and self._alarm.rang:
            raise TimeoutError(OVERDUE)
        if self._coding is not None:
            self._coding.end()
        self._whole = True
        self.drop()


def _opened(
    answer: BlockingAnswer, headers: dict[str, str]
) -> tuple[Generator[bytes], Unzipped | None]:
    if answer.is_stream_consumed:
        # By a transport that made it up, or a hook of the user's; httpx has unpacked it, too.
        return (piece for piece in [answer.content]), None
    return answer.iter_raw(), coding_of(headers.get("content-encoding", ""))


def _alarm_for(course: Course, sock: object) -> Alarm | None:
    deadline = course.request.deadline
    if deadline is None or not isinstance(sock, socket.socket):
        return None
    alarm = Alarm(sock, deadline)
    course.at_end = alarm.stop
    return alarm
