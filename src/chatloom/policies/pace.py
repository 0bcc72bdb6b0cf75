"""Send no faster than agreed.

A token bucket: it holds up to *burst* tokens, one is added every interval, and
each request takes one. The tokens are numbered in the order in which they fall
due, and a request reserves the first that is free: so whoever comes first goes
first, and knows at once how long to wait. Over any time, at most ``burst +
rate * time`` requests are let through.

A request that is given up while it waits returns its token, and the next one
to come takes it. Those that already sleep are not woken: they keep their turn.
"""

from __future__ import annotations

import math
from collections import deque

from chatloom.core.errors import SettingsError, TimedOut
from chatloom.core.http import Request, Response
from chatloom.core.locks import Lock
from chatloom.core.outside import Outside

_SLOWEST, _FASTEST = 1e-9, 1e9
"""Requests a second."""


class Pace:
    """Lets *per_second* or *per_minute* requests through, up to *burst* of them at once.

    Each attempt of a request counts. One pace may be shared by several clients,
    in any threads and event loops. A wait past the request's deadline raises
    `TimedOut` at once. Numbers that make no sense raise `SettingsError`.
    """

    def __init__(
        self,
        *,
        per_second: float | None = None,
        per_minute: float | None = None,
        burst: int = 1,
    ) -> None:
        self._interval = _interval(per_second, per_minute)
        if not 1 <= burst <= 1_000_000_000 or burst % 1:
            raise SettingsError(f"burst must be a whole number from 1, not {burst}")
        self._burst = int(burst)
        self._lock = Lock()
        self._known = 0
        """A token whose moment is known; the others are counted from it."""
        self._moment = -math.inf
        self._next = 0
        """The first token that nobody took so far."""
        self._free: set[int] = set()
        """Tokens before it that were given back."""
        self._returned: deque[int] = deque()
        """Those on their way to `_free`; appended without the lock, as a coroutine that is
        collected, maybe amid a call of this thread, gives its token back too."""

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        now = outside.now()
        number, due = self._reserve(request, now)
        if due > now:
            try:
                await outside.sleep(due - now)
            except BaseException:
                # Not a token that has fallen due: the bucket may have run over since.
                if outside.now() < due:
                    self._returned.append(number)
                raise
        return await outside.send(request)

    def _reserve(self, request: Request, now: float) -> tuple[int, float]:
        """Take a token; tell its number, and when it falls due."""
        with self._lock:
            self._settle(now)
            number = min(self._free, default=self._next)
            due = self._due(number)
            if due > now and request.deadline is not None and due >= request.deadline:
                raise too_late(request, due - now)
            if number == self._next:
                self._next += 1
            else:
                self._free.remove(number)
            return number, due

    def _due(self, number: int) -> float:
        return self._moment + (number - self._known) * self._interval

    def _settle(self, now: float) -> None:
        """Take back what was returned, and let tokens pile up to a full bucket at most."""
        while self._returned:
            self._free.add(self._returned.popleft())
        while self._next - 1 in self._free:
            self._next -= 1
            self._free.remove(self._next)
        past = sorted(number for number in self._free if self._due(number) < now)
        # While somebody waits for the next token, there must be room for it.
        self._free.difference_update(past[: max(0, len(past) - (self._burst - 1))])
        if self._due(self._next - 1) <= now:  # nobody waits
            self._moment -= len(self._free) * self._interval
            self._free.clear()
            last = self._next + self._burst - 1
            if self._due(last) <= now:  # the bucket is full
                self._known, self._moment = last, now


def too_late(request: Request, wait: float) -> TimedOut:
    reason = f"{request} would wait {wait:.3g} s for its turn, past its deadline"
    return TimedOut(reason, retry_after=wait)  # so that `Retry` does not try in vain


def _interval(per_second: float | None, per_minute: float | None) -> float:
    """Seconds between two tokens."""
    if (per_second is None) == (per_minute is None):
        raise SettingsError("a pace is either per_second or per_minute")
    told = per_second if per_minute is None else per_minute / 60
    assert told is not None
    if not _SLOWEST <= told <= _FASTEST:
        given = per_second if per_minute is None else per_minute
        raise SettingsError(f"a pace is a number above 0 that a clock can count, not {given}")
    return 1 / told
