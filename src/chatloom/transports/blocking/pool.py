"""The connections that wait for their next request."""

from __future__ import annotations

import os
import threading
import time

from chatloom.transports.blocking.connection import Connection

_MOST = 64
_LONGEST_WAIT = 60.0


class Pool:
    """Idle connections to one address, the youngest on top; for any number of threads."""

    def __init__(self) -> None:
        self._idle: list[tuple[Connection, float]] = []
        self._begin()

    def take(self) -> Connection | None:
        """Take a connection that is still good."""
        self._after_fork()
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            if time.monotonic() - since < _LONGEST_WAIT and connection.is_fresh():
                return connection
            connection.close()

    def give(self, connection: Connection) -> None:
        """Keep *connection* for the next request, in place of the oldest where there are many."""
        self._after_fork()
        with self._lock:
            self._idle.append((connection, time.monotonic()))
            is_full = self._closed or len(self._idle) > _MOST
            surplus = self._idle.pop(0)[0] if is_full else None
        if surplus is not None:
            surplus.close()

    def close(self) -> None:
        """Close what is idle, and from now on whatever comes back."""
        self._after_fork()
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _begin(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._idle = []
        self._closed = False

    def _after_fork(self) -> None:
        """In a child, forget what belongs to the parent, its lock included."""
        if self._owner != os.getpid():
            self._begin()
