"""Send so many in a while, and no more.

A bucket of so many tokens, each of which comes back a while after it was taken.
So all of them may be taken at once, as often as that many in each while, and in
no while are there more: a bucket that is filled steadily lets through all it
holds and what it is filled with meanwhile.

A request reserves the first moment at which a token is back: whoever comes first
goes first, and knows at once how long to wait. One that is given up while it waits
leaves its moment to the next to come. Those that already sleep are not woken.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request, Response
from chatloom.core.locks import Lock
from chatloom.core.outside import Outside
from chatloom.policies.pace import too_late


class Ration:
    """Lets *requests* through in any *period* seconds, all of them at once if they come so.

    Each attempt of a request counts. One ration may be shared by several clients, in
    any threads and event loops. A wait past the request's deadline raises `TimedOut`
    at once. Numbers that make no sense raise `SettingsError`.
    """

    def __init__(self, requests: int, period: float) -> None:
        if requests < 1 or requests % 1:
            raise SettingsError(f"a ration is a whole number from 1, not {requests}")
        if not 0 < period < 1e9:
            raise SettingsError(f"a ration is for a number of seconds above 0, not {period}")
        self._most = int(requests)
        self._period = period
        self._lock = Lock()
        self._moments: list[float] = []
        """When tokens are taken, in order: those of the last period, and those waited for."""
        self._free: list[float] = []
        """Those of them that were given up and are still to come, in order."""
        self._returned: deque[float] = deque()
        """Those on their way to `_free`; appended without the lock, as a coroutine that is
        collected, maybe amid a call of this thread, gives its moment back too."""

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        now = outside.now()
        moment = self._reserve(request, now)
        if moment > now:
            try:
                await outside.sleep(moment - now)
            except BaseException:
                self._returned.append(moment)
                raise
        return await outside.send(request)

    def _reserve(self, request: Request, now: float) -> float:
        """Tell the first moment that is free, and take it."""
        with self._lock:
            self._settle(now)
            moment = self._free[0] if self._free else self._next(now)
            if moment > now and request.deadline is not None and moment >= request.deadline:
                raise too_late(request, moment - now)
            if self._free:
                del self._free[0]
            else:
                insort(self._moments, moment)
            return moment

    def _next(self, now: float) -> float:
        """The first moment, from now on, that has room for one more before and behind it."""
        if len(self._moments) < self._most:
            return now
        return max(now, self._moments[-self._most] + self._period)

    def _settle(self, now: float) -> None:
        """Take back what was returned, and forget what counts no more."""
        while self._returned:
            insort(self._free, self._returned.popleft())
        for moment in self._free[: bisect_left(self._free, now)]:
            self._moments.remove(moment)  # nobody was let through then
            del self._free[0]
        while self._free and self._moments[-1] == self._free[-1]:
            del self._moments[-1], self._free[-1]
        del self._moments[: bisect_left(self._moments, now - self._period)]
