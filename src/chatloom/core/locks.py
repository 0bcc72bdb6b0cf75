"""Locks for straight-line code."""

from __future__ import annotations

import os
import threading
import weakref


class Lock:
    """A thread's lock that a forked child finds open.

    A child has one thread only; what another one of its parent's held would
    stay locked for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _all.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def open_again(self) -> None:
        self._lock = threading.Lock()


_all: weakref.WeakSet[Lock] = weakref.WeakSet()


def _open_all() -> None:
    for lock in list(_all):
        lock.open_again()


if hasattr(os, "register_at_fork"):  # not on Windows, which knows no forks
    os.register_at_fork(after_in_child=_open_all)
