"""Async code run to its end on the spot, without an event loop.

Shared code only ever awaits the `Outside` it was given. Give it one that
blocks where others would suspend, and its coroutines finish in a single step:
a blocking client is an async one that never has to wait.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def run_inline(coroutine: Coroutine[object, None, T]) -> T:
    """Run *coroutine*, which must never suspend.

    Raises `RuntimeError` when it awaits something only an event loop can do.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} awaited something only an event loop can do")
