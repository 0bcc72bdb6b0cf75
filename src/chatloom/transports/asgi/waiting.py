"""How a thread, or a task of some event loop, waits for what happens in another one."""

from __future__ import annotations

import sys
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asyncio import Future

_SLICE = 0.1 if sys.platform == "win32" else None
"""Seconds: on Windows, Ctrl-C is not heard by a thread that waits."""


class Waiting(Protocol):
    """One who waits. It may be woken for nothing, and then has to look and wait again."""

    def is_here(self) -> bool:
        """Whether it may wait in the event loop that runs now."""
        ...

    def wake(self) -> None:
        """Let it look again; from any thread."""
        ...

    async def wait(self, seconds: float | None) -> None:
        """Wait until woken, at most *seconds*."""
        ...


class Blocked:
    """A thread that waits; its `wait` never suspends."""

    def __init__(self) -> None:
        # Unlike a lock, safe to use from a finaliser that runs within itself.
        self._bell: SimpleQueue[None] = SimpleQueue()

    def is_here(self) -> bool:
        return True

    def wake(self) -> None:
        self._bell.put(None)

    async def wait(self, seconds: float | None) -> None:
        if _SLICE is not None:
            seconds = _SLICE if seconds is None else min(seconds, _SLICE)
        with suppress(Empty):
            self._bell.get(timeout=seconds)


class Suspended:
    """A task that waits, in the event loop that runs now."""

    def __init__(self) -> None:
        from asyncio import get_running_loop

        self._loop = get_running_loop()
        self._rung = False
        self._bell: Future[None] | None = None

    def is_here(self) -> bool:
        from chatloom.transports.aio.loops import runs_here

        return runs_here(self._loop)

    def wake(self) -> None:
        with suppress(RuntimeError):  # its loop has ended, and whoever waited with it
            self._loop.call_soon_threadsafe(self._ring)

    async def wait(self, seconds: float | None) -> None:
        if not self._rung:
            self._bell = self._loop.create_future()
            timer = None if seconds is None else self._loop.call_later(seconds, self._ring)
            try:
                await self._bell
            finally:
                self._bell = None
                if timer is not None:
                    timer.cancel()
        self._rung = False

    def _ring(self) -> None:
        self._rung = True
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)


class Latch:
    """Opens once, for whoever waits for it."""

    def __init__(self) -> None:
        self.is_open = False
        self._waiting: list[Waiting] = []

    def open(self) -> None:
        """Let everybody through, from now on."""
        self.is_open = True
        for waiting in tuple(self._waiting):
            waiting.wake()

    def announce(self, waiting: Waiting) -> None:
        """Wake *waiting* when it opens; to be called before looking whether it has."""
        self._waiting.append(waiting)
