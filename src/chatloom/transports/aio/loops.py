"""Things that belong to one event loop, and waiting in one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

from chatloom.transports.failures import OVERDUE

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One thing for each event loop; *forget* is called with those that are left behind."""

    def __init__(self, forget: Callable[[T], None]) -> None:
        self._forget = forget
        self._things: dict[asyncio.AbstractEventLoop, T] = {}
        self._owner = os.getpid()

    def here(self) -> T | None:
        """Give the thing of the loop that runs now."""
        if self._owner != os.getpid():
            self.sweep()
        return self._things.get(asyncio.get_running_loop())

    def all(self) -> list[T]:
        """Give the things of all loops."""
        return list(self._things.values())

    def put_here(self, thing: T) -> None:
        """Keep *thing* for the loop that runs now."""
        self.sweep()
        self._things[asyncio.get_running_loop()] = thing

    def take_here(self) -> T | None:
        """Give up the thing of the loop that runs now."""
        self.sweep()
        return self._things.pop(asyncio.get_running_loop(), None)

    def sweep(self) -> None:
        """Forget the things of loops that ended, or that stayed behind in the parent process."""
        is_child = self._owner != os.getpid()
        self._owner = os.getpid()
        self._forget_where(lambda loop: is_child or loop.is_closed())

    def forget_the_idle(self) -> None:
        """Forget the things of all loops that do not run."""
        self.sweep()
        self._forget_where(lambda loop: not loop.is_running())

    def _forget_where(self, is_over: Callable[[asyncio.AbstractEventLoop], bool]) -> None:
        for loop, thing in list(self._things.items()):
            # Another thread may have come first.
            if is_over(loop) and self._things.pop(loop, None) is not None:
                self._forget(thing)


class Turns:
    """A lock for the coroutines of each event loop."""

    def __init__(self) -> None:
        self._locks: PerLoop[asyncio.Lock] = PerLoop(lambda _: None)

    async def __aenter__(self) -> None:
        lock = self._locks.here()
        if lock is None:
            lock = asyncio.Lock()
            self._locks.put_here(lock)
        await lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        lock = self._locks.here()
        if lock is not None:
            lock.release()


class Overdue(TimeoutError):
    """A deadline passed."""


async def until(deadline: float, work: Coroutine[object, object, T]) -> T:
    """Wait for *work*; raises `Overdue` when the monotonic clock reaches *deadline* first."""
    limit = asyncio.timeout(deadline - time.monotonic())
    try:
        async with limit:
            return await work
    except TimeoutError as error:
        if limit.expired():
            raise Overdue(OVERDUE) from error
        raise


def runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether it is *loop* that runs in this thread now."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
