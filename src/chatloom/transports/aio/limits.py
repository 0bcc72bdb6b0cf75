"""Limits on how long an event loop's tasks may wait, all watched by one timer.

`asyncio.timeout` sets a timer for each wait and takes it back right after, which
costs more than most waits here. As good as none of them lasts to its limit, so
it is enough to look now and then which ones did.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class Limits:
    """What is waited for in one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waits: set[Wait] = set()
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float | None) -> Wait:
        """Raise `TimeoutError` from the ``with`` block when it takes longer than *seconds*."""
        return Wait(self, seconds)

    def begin(self, wait: Wait, seconds: float) -> None:
        wait.until = self._loop.time() + seconds
        self._waits.add(wait)
        if self._timer is None:
            self._timer = self._loop.call_at(wait.until, self._look)
        elif wait.until < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(wait.until, self._look)

    def end(self, wait: Wait) -> None:
        self._waits.discard(wait)

    def _look(self) -> None:
        now = self._loop.time()
        for wait in [wait for wait in self._waits if wait.until <= now]:
            self._waits.discard(wait)
            wait.expire()
        self._timer = None
        if self._waits:
            next_look = min(wait.until for wait in self._waits)
            self._timer = self._loop.call_at(next_look, self._look)


class Wait:
    """One wait of the task that runs now; it ends the way `asyncio.timeout` ends one."""

    until = 0.0

    def __init__(self, limits: Limits, seconds: float | None) -> None:
        self._limits = limits
        self._seconds = seconds
        self._expired = False

    def __enter__(self) -> None:
        if self._seconds is not None:
            task = asyncio.current_task()
            assert task is not None
            self._task = task
            self._cancelling = task.cancelling()
            self._limits.begin(self, self._seconds)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._limits.end(self)
        # Where others cancelled the task as well, it stays cancelled.
        if (
            self._expired
            and self._task.uncancel() <= self._cancelling
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from error

    def expire(self) -> None:
        self._expired = True
        self._task.cancel()
