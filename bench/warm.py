"""One measurement of one client, in a process of its own that runs already.

    python -m bench.warm CLIENT MODE WORK TASKS SECONDS PORT

CLIENT is one of `bench.clients`, MODE ``blocking`` or ``async``. WORK is ``request``,
``burst`` or ``paced`` (streams of 1,001 events), ``short`` (bursts of 200) or ``first``
(the time to the first text of such). TASKS work at once, for about so many SECONDS.
Prints CPU and wall time of one request, or one event: user and system time of the
whole process, once it is warm.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from statistics import quantiles

import msgspec

from bench import canned
from bench.clients import CLIENTS
from bench.clients.entry import Awaiting, Blocking
from bench.processes import announce


class Work(msgspec.Struct, frozen=True):
    """One kind of work."""

    pace: str
    events: int
    """Of a stream; of a plain request, none."""
    warm_up: int
    """How often it is done unmeasured, before."""

    @property
    def whole(self) -> str:
        """The text that a whole answer has."""
        return "".join(canned.texts(self.events)) if self.events else canned.answer()

    def url(self, port: int) -> str:
        """The address that is answered so."""
        return f"http://127.0.0.1:{port}/{self.pace}-{self.events}"


WORKS = {
    "request": Work("burst", 0, 128),
    "burst": Work("burst", canned.CLIENT_EVENTS, 2),
    "paced": Work("paced", canned.CLIENT_EVENTS, 1),
    "short": Work("burst", canned.SERVER_EVENTS, 64),
    "first": Work("burst", canned.SERVER_EVENTS, 10),
}


class Watch:
    """CPU and wall time since it was made."""

    def __init__(self) -> None:
        # User and system time of all threads, as getrusage(2) counts it.
        self._cpu = time.process_time_ns()
        self._wall = time.perf_counter_ns()

    @property
    def seconds(self) -> float:
        """Of wall time."""
        return (time.perf_counter_ns() - self._wall) / 1e9

    def each(self, units: int) -> dict[str, float]:
        """What one of so many units took."""
        cpu = time.process_time_ns() - self._cpu
        wall = time.perf_counter_ns() - self._wall
        return {"cpu_us": cpu / units / 1000, "wall_us": wall / units / 1000}


def blocking(client: Blocking, work: Work, seconds: float) -> dict[str, float]:
    """Measure a blocking client."""

    def once() -> None:
        _check("".join(client.tell()) if work.events else client.ask(), work)

    for _ in range(work.warm_up):
        once()
    done, watch = 0, Watch()
    while not done or watch.seconds < seconds:
        once()
        done += 1
    return watch.each(done * (work.events or 1))


async def awaiting(client: Awaiting, work: Work, tasks: int, seconds: float) -> dict[str, float]:
    """Measure an async client, with so many tasks at once."""

    async def once() -> None:
        told = "".join([text async for text in client.tell()]) if work.events else None
        _check(await client.ask() if told is None else told, work)

    async def several(enough: Callable[[int], bool]) -> int:
        done = 0
        while not enough(done):
            await once()
            done += 1
        return done

    async def all_of_them(enough: Callable[[int], bool]) -> int:
        return sum(await asyncio.gather(*(several(enough) for _ in range(tasks))))

    await all_of_them(lambda done: done * tasks >= work.warm_up)
    watch = Watch()
    done = await all_of_them(lambda done: done > 0 and watch.seconds >= seconds)
    return watch.each(done * (work.events or 1))


def blocking_first(client: Blocking, work: Work, seconds: float) -> dict[str, float]:
    """Measure the time to a stream's first text; the rest is read outside of it."""
    starts = Starts(work, seconds)
    while not starts.are_enough:
        starts.begin()
        for text in client.tell():
            starts.add(text)
        starts.end()
    return starts.told


async def awaiting_first(client: Awaiting, work: Work, seconds: float) -> dict[str, float]:
    """Measure the same of an async client."""
    starts = Starts(work, seconds)
    while not starts.are_enough:
        starts.begin()
        async for text in client.tell():
            starts.add(text)
        starts.end()
    return starts.told


class Starts:
    """How long streams took to begin."""

    def __init__(self, work: Work, seconds: float) -> None:
        self._work = work
        self._until = time.perf_counter() + seconds
        self._took: list[float] = []

    @property
    def are_enough(self) -> bool:
        """Whether it was done often enough, and for long enough."""
        return len(self._took) >= self._work.warm_up + 20 and time.perf_counter() > self._until

    def begin(self) -> None:
        """Note that a stream is asked for."""
        self._texts: list[str] = []
        self._first = 0.0
        self._begun = time.perf_counter()

    def add(self, text: str) -> None:
        """Take one text of it."""
        if text and not self._first:
            self._first = time.perf_counter() - self._begun
        self._texts.append(text)

    def end(self) -> None:
        """Note that it was whole."""
        _check("".join(self._texts), self._work)
        self._took.append(self._first)

    @property
    def told(self) -> dict[str, float]:
        """The first decile: wall time beyond that is mostly other work of the machine."""
        return {"wall_us": quantiles(self._took[self._work.warm_up :], n=10)[0] * 1e6}


def _check(text: str, work: Work) -> None:
    if text != work.whole:
        raise ValueError(f"the answer is not whole: {len(text)} of {len(work.whole)} characters")


def _measure_blocking(name: str, kind: str, seconds: float, port: int) -> dict[str, float]:
    work = WORKS[kind]
    client = CLIENTS[name].blocking(work.url(port))
    found = (blocking_first if kind == "first" else blocking)(client, work, seconds)
    client.close()
    return found


async def _measure_awaiting(
    name: str, kind: str, tasks: int, seconds: float, port: int
) -> dict[str, float]:
    work = WORKS[kind]
    client = CLIENTS[name].awaiting(work.url(port))
    if kind == "first":
        found = await awaiting_first(client, work, seconds)
    else:
        found = await awaiting(client, work, tasks, seconds)
    await client.close()
    return found


def main(name: str, mode: str, kind: str, tasks: str, seconds: str, port: str) -> None:
    """Measure, and print what came out."""
    if mode == "blocking":
        found = _measure_blocking(name, kind, float(seconds), int(port))
    else:
        found = asyncio.run(_measure_awaiting(name, kind, int(tasks), float(seconds), int(port)))
    announce(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
