"""One thing after the other, on the same thread.

A stream that is garbage ends wherever the collector happens to run: also amid a
call of the same thread that holds a lock, which the stream's end would ask for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import local


class InTurn(local):
    """Enter it around what must not be disturbed; what comes up meanwhile is done after it."""

    def __init__(self) -> None:
        self._depth = 0
        self._waiting: deque[Callable[[], object]] = deque()

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        try:
            while self._depth == 1 and self._waiting:
                self._waiting.popleft()()
        finally:
            self._depth -= 1

    def do(self, action: Callable[[], object]) -> None:
        """Do *action*: now, or after what this thread is at."""
        self._waiting.append(action)
        with self:
            pass
