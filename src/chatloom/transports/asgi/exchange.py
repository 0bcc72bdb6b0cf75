"""One request inside an application, seen from both of its ends.

The application's end lives on the application's own event loop, the reader's
wherever the reader is. Between them lie the pieces that nobody has read yet;
behind `MOST_WAITING` of them, the application's `send` waits.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import cast

from chatloom.core.http import Request
from chatloom.transports.asgi.application import Application, Message, Scope
from chatloom.transports.asgi.waiting import Waiting

MOST_WAITING = 32
PATIENCE = 5.0
"""Seconds an application has to end by itself once its reader has left."""

_log = logging.getLogger("chatloom.asgi")


class Disconnected(OSError):
    """Nobody listens any more."""


class Exchange:
    """A request, and what was answered so far."""

    def __init__(self, request: Request, waiting: Waiting) -> None:
        self.status = 0
        """0 until the head is there."""
        self.headers: list[tuple[str, str]] = []
        self.over = False
        """Whether nothing more will come."""
        self.failure: str | None = None
        """Why the answer is not whole, once it is over."""
        self.cause: BaseException | None = None
        self.heard_at = time.monotonic()
        self.bodiless = request.method.upper() == "HEAD"
        """Whether there is no body to read, whatever the application says."""
        self._body: bytes | None = request.body
        self._waiting = waiting
        self._streamed = request.streamed
        self._pieces: deque[bytes] = deque()
        self._left = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None
        self._owner = os.getpid()
        self._gone = asyncio.Event()
        self._room = asyncio.Event()
        self._room_is_wanted = False

    def taken(self) -> bytes:
        """Take all that waits to be read."""
        pieces: list[bytes] = []
        while self._pieces:
            pieces.append(self._pieces.popleft())
        if self._room_is_wanted:
            self._tell(self._room.set)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def leave(self) -> None:
        """Read no more; from any thread, at any time."""
        if not (self.over or self._left):
            self._left = True
            self._tell(self._leave)

    async def run(self, app: Application, scope: Scope) -> None:
        """Have *app* answer."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        if self._left:
            return
        try:
            await app(scope, self._receive, self._send)
        except asyncio.CancelledError as error:
            self.end("the application was stopped", error)
        except BaseException as error:
            # Not even what would end a program may end the loop that others share.
            if self.over and self.failure is None:
                _log.error("an application failed after its answer", exc_info=error)
            self.end(f"the application failed ({type(error).__name__})", error)
        else:
            within = "before the end of the body" if self.status else "without an answer"
            self.end(f"the application closed the connection {within}")
        finally:
            self._task = None

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._left or self.failure is not None:
            raise Disconnected("the client has left")
        kind = message["type"]
        if kind == "http.response.start":
            self._start(message)
        elif kind == "http.response.body":
            await self._add(message)

    def _start(self, message: Message) -> None:
        if self.status:
            raise RuntimeError("the answer has begun already")
        headers = cast("Iterable[tuple[bytes, bytes]]", message.get("headers", ()))
        self.headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in headers
        ]
        status = cast("int", message["status"])
        self.bodiless = self.bodiless or status in {204, 304}
        self.heard_at = time.monotonic()
        self.status = status
        if self._streamed or self.bodiless:
            self._waiting.wake()

    async def _add(self, message: Message) -> None:
        if not self.status:
            raise RuntimeError("an answer begins with its head")
        if self.over:
            raise RuntimeError("the answer has ended already")
        self.heard_at = time.monotonic()
        if (body := message.get("body")) and not self.bodiless:
            self._pieces.append(bytes(cast("bytes", body)))
        if not message.get("more_body", False):
            self._finish()
        elif self._streamed or len(self._pieces) >= MOST_WAITING:
            self._waiting.wake()
            await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        while len(self._pieces) >= MOST_WAITING and not self._left:
            self._room.clear()
            self._room_is_wanted = True
            # The reader may have made room before it could see that some is wanted.
            if len(self._pieces) >= MOST_WAITING:
                await self._room.wait()
            self._room_is_wanted = False

    def end(self, reason: str, cause: BaseException | None = None) -> None:
        """Let the reader know that nothing more will come, unless it knows."""
        if not self.over:
            self.failure, self.cause = reason, cause
            self._finish()

    def _finish(self) -> None:
        self.over = True
        self._gone.set()
        self._waiting.wake()

    def _leave(self) -> None:
        self._gone.set()
        self._room.set()
        if self._task is not None:
            asyncio.get_running_loop().call_later(PATIENCE, self._task.cancel)

    def _tell(self, act: Callable[[], None]) -> None:
        """Act in the application's loop, unless that has ended."""
        if self._loop is not None and self._owner == os.getpid():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(act)
