"""What a large conversation costs beside small ones: whole requests to ChatRoutes' addresses.

    python -m bench.trees SECONDS [MESSAGES BRANCHES DEPTH]

All lie in one file, and have grown side by side. Each request goes to another branch of the large
one, or to another small one: nothing of it has just been read. Branches leave the main one near
the root, so that all paths are of the same length. Beside these stand branches that are asked
several times in a row: of either kind, the large one's main branch, the last ones in the order of
their ids, and one in context mode MINIMAL at the end of a very long path. Prints CPU microseconds
a request.
"""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from statistics import median
from typing import TypeAlias

import msgspec

from bench import canned
from bench.planted import Garden, Tip
from bench.processes import announce, run
from bench.within import Within, within
from chatloom.core.http import JSON

SMALL, LARGE = "100 messages", "100,000 messages"
SMALL_AGAIN, LARGE_AGAIN = "100 messages, in a row", "100,000 messages, in a row"
FEW, MAIN = "100 messages in 5 branches, in a row", "100,000 messages, main branch"
LAST, DEEP = "100,000 messages, last branches", "MINIMAL, 50,000 deep, in a row"
BESIDE = (SMALL_AGAIN, LARGE_AGAIN, FEW, MAIN, LAST, DEEP)
"""What is measured and not judged."""
PAGE, WHOLE = "its first page", "all of it, as JSON"

_ROW = 4
"""Requests of a kind in a row; and the most that a branch grows by, so that it stays as it is."""
_COPIES = 200
"""Small conversations, since each stays small only for so long."""
_LAST = 20
"""Branches that are the last ones."""

Told: TypeAlias = dict[str, dict[str, float]]


class Kind(msgspec.Struct):
    """Branches of one kind, of which any is as good as any other."""

    tips: list[Tip]
    hops: bool = False
    """Whether each request goes to another one."""

    def some(self, chance: Random) -> list[Tip]:
        """Where the next requests go."""
        return chance.choices(self.tips, k=_ROW) if self.hops else [chance.choice(self.tips)] * _ROW

    def growing(self, chance: Random) -> Iterator[list[Tip]]:
        """Where the next requests go that let branches grow, until all have grown enough."""
        tips = [tip for _ in range(_ROW) for tip in chance.sample(self.tips, len(self.tips))]
        if not self.hops:
            tips = [tip for tip in tips[: len(self.tips)] for _ in range(_ROW)]
        for start in range(0, len(tips) - _ROW + 1, _ROW):
            yield tips[start : start + _ROW]


class Spent:
    """CPU microseconds by kind and quantity."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str], list[float]] = {}

    async def on(
        self, kind: str, what: str, tips: list[Tip], request: Callable[[Tip], Awaitable[object]]
    ) -> None:
        """Make requests, and write down what they took."""
        before = time.process_time()
        for tip in tips:
            await request(tip)
        if tips:
            spent = time.process_time() - before
            self._spent.setdefault((kind, what), []).append(1e6 * spent / len(tips))

    def told(self) -> Told:
        """The means, so that what is done now and then, for many at once, counts."""
        found: Told = {}
        for (kind, what), spent in self._spent.items():
            found.setdefault(kind, {})[what] = sum(spent) / len(spent)
        return found


class Trees:
    """Measures trees in one server."""

    def __init__(self, server: Within, kinds: Mapping[str, Kind]) -> None:
        self._server = server
        self._kinds = kinds
        self._chance = Random(1)

    async def spent(self, seconds: float) -> Told:
        """Append, read and fork, every kind in turn."""
        spent = Spent()
        growing = {name: kind.growing(self._chance) for name, kind in self._kinds.items()}
        begun, rounds = time.perf_counter(), 0
        while not rounds or time.perf_counter() - begun < seconds:
            await self._round(spent, growing)
            rounds += 1
        return spent.told()

    async def _round(self, spent: Spent, growing: Mapping[str, Iterator[list[Tip]]]) -> None:
        names, chance = list(self._kinds), self._chance
        chance.shuffle(names)
        for name in names:
            await spent.on(name, "read_us", self._kinds[name].some(chance), self.read)
        for name in names:
            await spent.on(name, "fork_us", self._kinds[name].some(chance), self.fork)
        for name in names:
            await spent.on(name, "append_us", next(growing[name], list[Tip]()), self.append)

    async def append(self, tip: Tip) -> None:
        """Have a message answered."""
        body: JSON = {"content": canned.SHORT_QUESTION[1]["content"], "model": "loom/echo"}
        await self._server.ask("POST", f"{_branch(tip)}/messages", body)

    async def read(self, tip: Tip) -> None:
        """Read a branch's last 50 messages."""
        await self._server.ask("GET", f"{_branch(tip)}/messages?order=desc&limit=50")

    async def fork(self, tip: Tip) -> None:
        """Begin a branch where another one ended."""
        body: JSON = {"forkPointMessageId": tip.head.id, "title": "a branch"}
        await self._server.ask("POST", f"{_conversation(tip)}/fork", body)

    async def looked_over(self, tip: Tip) -> Told:
        """Walk over all pages of a tree; list conversations, and search in them."""
        tree = f"{_conversation(tip)}/tree?limit=1000"
        found = {"page_ms": await self._ms(tree)}
        found["list_ms"] = await self._ms("/api/v1/conversations?limit=100")
        search = "/api/v1/conversations/search?q=heddles"
        await self._server.ask("GET", search)  # it makes the index
        found["search_ms"] = await self._ms(search)
        page, peak, size = await self._walked(tree)
        found["peak_mb"] = peak
        return {LARGE: found, PAGE: {"peak_mb": page}, WHOLE: {"peak_mb": size}}

    async def _ms(self, address: str) -> float:
        spent: list[float] = []
        for _ in range(5):
            before = time.process_time()
            await self._server.ask("GET", address)
            spent.append(1e3 * (time.process_time() - before))
        return median(spent)

    async def _walked(self, tree: str) -> tuple[float, float, float]:
        """What the first page takes of memory, what all do, and how large the whole is, in MB."""
        page, size = 0, 0
        cursor: str | None = ""
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        while cursor is not None:
            told = await self._server.ask("GET", f"{tree}&cursor={cursor}" if cursor else tree)
            size += len(told)
            cursor = msgspec.json.decode(told, type=_Page).data.nextCursor
            page = page or tracemalloc.get_traced_memory()[1]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return (page - before) / 1e6, (peak - before) / 1e6, size / 1e6


class _Where(msgspec.Struct):
    nextCursor: str | None  # noqa: N815 - as it goes over the wire


class _Page(msgspec.Struct):
    data: _Where


def _conversation(tip: Tip) -> str:
    return f"/api/v1/conversations/{tip.conversation}"


def _branch(tip: Tip) -> str:
    return f"{_conversation(tip)}/branches/{tip.branch_id}"


async def planted(garden: Garden, messages: int, branches: int, depth: int) -> dict[str, Kind]:
    """Plant everything that is measured."""
    large = await garden.plant(messages, branches)
    small = await garden.plant_many(100, _COPIES)
    few = [tip for _ in range(_COPIES // 5) for tip in await garden.plant(100, 5, trunk=80)]
    deep = await garden.begin()
    for _ in range(depth // 1000):
        await garden.grow(deep, 500)
    return {
        SMALL: Kind(small[: _COPIES // 2], hops=True),
        SMALL_AGAIN: Kind(small[_COPIES // 2 :]),
        FEW: Kind(few),
        LARGE: Kind(large[1 : branches // 2], hops=True),
        LARGE_AGAIN: Kind(large[branches // 2 : -_LAST]),
        MAIN: Kind(large[:1]),
        LAST: Kind(large[-_LAST:]),
        DEEP: Kind([await garden.fork(deep, "MINIMAL") for _ in range(_LAST)]),
    }


async def measured(folder: Path, seconds: float, messages: int, branches: int, depth: int) -> Told:
    """Plant, then measure."""
    async with within(folder / "trees.db") as server:
        kinds = await planted(Garden(server.store, server.key), messages, branches, depth)
        trees = Trees(server, kinds)
        told = await trees.spent(seconds)
        for name, found in (await trees.looked_over(kinds[MAIN].tips[0])).items():
            told.setdefault(name, {}).update(found)
        return told


def main(
    seconds: str, messages: str = "100000", branches: str = "1000", depth: str = "50000"
) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="chatloom-bench-") as folder:
        sizes = int(messages), int(branches), int(depth)
        announce(run(measured(Path(folder), float(seconds), *sizes)))


if __name__ == "__main__":
    main(*sys.argv[1:])
