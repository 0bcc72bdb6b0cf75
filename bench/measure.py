"""One run: everything asked for, measured."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bench import plan
from bench.book import Book
from bench.clients import CLIENTS
from bench.figures import Figure
from bench.measure_clients import Clients
from bench.measure_servers import Servers, upstream
from bench.measure_stores import Stores
from bench.measure_trees import Trees
from bench.notes import notes
from bench.peers import Homes
from bench.processes import cores, on_core
from bench.report import Report, report


class Asked(msgspec.Struct, frozen=True):
    """What a run is asked for."""

    repetitions: int
    share: float
    """How much of the usual amount of work to do in each measurement."""
    figures: list[Figure]
    homes: Homes

    def scenarios(self, side: str) -> set[str]:
        """What has to be run for the figures of one side."""
        return {one.scenario for one in self.figures if one.side == side}


def measure(asked: Asked, say: Callable[[str], None]) -> Report:
    """Measure what was asked for."""
    both = cores()
    measured, rest = both or (None, None)
    book = Book(asked.repetitions, say)
    with on_core(rest), tempfile.TemporaryDirectory(prefix="chatloom-bench-") as folder:
        sides = _measure(asked, book, Path(folder), measured)
    results = [book.result(one, sides[one.side].candidates(one)) for one in asked.figures]
    absent: dict[str, str] = {}
    for side in {one.side: sides[one.side] for one in asked.figures}.values():
        absent |= side.absent
    return report(
        results,
        repetitions=asked.repetitions,
        versions=_versions(asked.homes),
        absent=absent,
        notes=notes(book, results, absent, pinned=both is not None),
        failures=book.failures,
    )


def _measure(
    asked: Asked, book: Book, folder: Path, core: int | None
) -> dict[str, Clients | Servers | Stores | Trees]:
    of_clients, of_servers = asked.scenarios("client"), asked.scenarios("server")
    with ExitStack() as running:
        port, direct = running.enter_context(upstream(folder))
        clients = Clients(asked.homes, port, core, asked.share)
        servers = Servers(asked.homes, core, asked.share)
        stores = Stores(core, asked.share)
        clients.measure([one for one in plan.CLIENT_SCENARIOS if one.name in of_clients], book)
        if of_servers:
            found = [one for one in plan.SERVER_SCENARIOS if one.name in of_servers]
            servers.measure(found, direct, port, book)
        trees = Trees(core, asked.share)
        stores.measure(asked.scenarios("store"), book)
        trees.measure(asked.scenarios("tree"), book)
    return {"client": clients, "server": servers, "store": stores, "tree": trees}


def _versions(homes: Homes) -> dict[str, str]:
    needed = {one.name: one.needs for one in CLIENTS.values() if one.needs}
    needed |= {name: name for name in ("chatloom", "aiohttp", "msgspec", "uvicorn", "uvloop")}
    found = {name: homes.version(name, needs) for name, needs in needed.items()}
    return {name: version for name, version in found.items() if version is not None}
