"""An application and its guests."""

from __future__ import annotations

import os
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from chatloom.transports.asgi.application import Application
    from chatloom.transports.asgi.life import Life

T = TypeVar("T")


class Hosted:
    """An application that lives on a background event loop while it has guests.

    It starts with the first request and ends with the last guest. A forked
    child starts a life of its own.
    """

    def __init__(self, app: Application) -> None:
        self._app = app
        self._guests = 0
        self._life: Life | None = None
        self._begin()

    def enter(self) -> None:
        """Keep it alive until `leave`."""
        self._after_fork()
        with self._lock:
            self._guests += 1

    def leave(self) -> Life | None:
        """Let it end, if nobody else is there; returns the life that ends then."""
        self._after_fork()
        with self._lock:
            self._guests -= 1
            if self._guests > 0 or self._life is None:
                return None
            self._life.end()
            return self._life

    def life(self) -> Life:
        """The life that goes on; a new one where there is none."""
        self._after_fork()
        with self._lock:
            if self._life is None or self._life.ending:
                from chatloom.transports.asgi.life import Life

                self._life = Life(self, self._app, self._life)
            return self._life

    def do(self, work: Coroutine[object, object, T]) -> T:
        """Do *work* on the application's event loop, and block until it is done."""
        return self.life().do(work)

    def _begin(self) -> None:
        self._owner = os.getpid()
        # A finaliser may come within the lock, to leave.
        self._lock = threading.RLock()

    def _after_fork(self) -> None:
        """In a child, forget the parent's life, of which only the memory is here."""
        if self._owner != os.getpid():
            if self._life is not None:
                _left_alone.append(self._life)
                self._life = None
            self._begin()


_left_alone: list[Life] = []
"""What a forked child must not collect: its event loop is the parent's too."""
