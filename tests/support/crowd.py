"""Many requests at once, in a world whose clock goes on when all of them wait."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from functools import partial
from heapq import heappop, heappush
from itertools import count
from types import coroutine

from chatloom.core.http import Request, Response
from chatloom.core.outside import Policy
from support.scripted import Scripted


class Frozen(Scripted):
    """A world in which no time passes, however long anybody sleeps."""

    def now(self) -> float:
        return 1000.0

    def answer(self, request: Request) -> Response:
        return Response(200)


class Crowd(Frozen):
    """A world of many requests at once, whose clock goes on when all of them wait."""

    def __init__(self, pace: Policy, time: float = 0.0) -> None:
        super().__init__()
        self._pace = pace
        self.time = time
        self.sent: dict[str, float] = {}

    def now(self) -> float:
        return self.time

    def answer(self, request: Request) -> Response:
        self.sent[request.path] = self.time
        return super().answer(request)

    async def sleep(self, seconds: float) -> None:
        await _until(self.time + seconds)

    def run(self, arrivals: Sequence[float], given_up: dict[int, float]) -> dict[str, float]:
        """Let requests come at *arrivals*, and some of them be *given_up* a while later.

        Tells when each of the others was sent.
        """
        order = count()
        events: list[tuple[float, int, Callable[[], object]]] = []

        def plan(moment: float, happen: Callable[[], object]) -> None:
            heappush(events, (moment, next(order), happen))

        def step(waiting: Coroutine[float, None, Response]) -> None:
            with suppress(StopIteration, RuntimeError):  # sent, or given up before
                plan(waiting.send(None), partial(step, waiting))

        def come(number: int) -> None:
            waiting = self._pace(Request("GET", f"/{number}"), self)
            if number in given_up:
                plan(self.time + given_up[number], waiting.close)
            step(waiting)

        for number, arrival in enumerate(arrivals):
            plan(arrival, partial(come, number))
        while events:
            self.time, _, happen = heappop(events)
            happen()
        return self.sent


@coroutine
def _until(moment: float) -> Generator[float, None, None]:
    yield moment
