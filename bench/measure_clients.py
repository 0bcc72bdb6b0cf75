"""The measurements of clients: each in a process of its own, everybody in turn."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from statistics import median

import msgspec

from bench import canned, cold
from bench.book import Book, in_any_order
from bench.clients import CLIENTS
from bench.clients.entry import program
from bench.figures import Figure, Series
from bench.peers import Homes
from bench.plan import BARE_IMPORTS, ClientScenario
from bench.processes import Failed, output, python

_COLD = ("import", "first answer")


class Clients:
    """Measures clients."""

    def __init__(self, homes: Homes, port: int, core: int | None, share: float) -> None:
        self._homes = homes
        self._port = port
        self._core = core
        self._share = share
        self.absent = {
            one.name: why
            for one in CLIENTS.values()
            if (why := homes.absence(one.name, one.needs)) is not None
        }

    def candidates(self, figure: Figure) -> list[Series]:
        """Who takes part in *figure*, the absent ones too."""
        of_imports = figure.scenario.startswith("import")
        found = [
            Series(one.name, is_ours=one.is_ours)
            for one in CLIENTS.values()
            if one.imports is not None or not of_imports
        ]
        if not of_imports:
            return found
        floors = [name for name in BARE_IMPORTS if name != figure.over]
        return [*found, *(Series(name, is_compared=False) for name in floors)]

    def measure(self, scenarios: list[ClientScenario], book: Book) -> None:
        """Measure all *scenarios*, as often as the *book* has repetitions."""
        self._fill_the_caches(scenarios)
        for _ in range(book.repetitions):
            for scenario in in_any_order(scenarios):
                for name in in_any_order(self._names(scenario)):
                    book.measure(scenario.name, name, partial(self._measured, scenario, name))

    def _fill_the_caches(self, scenarios: list[ClientScenario]) -> None:
        """Start everything once that is to be started: files are read, bytecode is written."""
        for scenario in scenarios:
            if scenario.work in _COLD:
                for name in self._names(scenario):
                    with suppress(Failed):  # the measurement will fail too, and is written down
                        self._measured(scenario, name, most=1)

    def _names(self, scenario: ClientScenario) -> list[str]:
        names = [name for name in CLIENTS if name not in self.absent]
        if scenario.work == "import":
            return [*BARE_IMPORTS, *(name for name in names if CLIENTS[name].imports)]
        return names

    def _measured(self, scenario: ClientScenario, name: str, most: int = 5) -> dict[str, float]:
        if scenario.work == "import":
            text = BARE_IMPORTS.get(name) or f"import {CLIENTS[name].imports}"
            return self._cold(name, text, "", most)
        if scenario.work == "first answer":
            url = f"http://127.0.0.1:{self._port}/burst-{canned.SERVER_EVENTS}"
            text = program(CLIENTS[name].first[scenario.awaited], url)
            return self._cold(name, text, canned.answer().strip(), most)
        mode = "async" if scenario.awaited else "blocking"
        told = output(
            python(
                "bench.warm",
                *(name, mode, scenario.work, str(scenario.tasks)),
                *(str(0.5 * self._share), str(self._port)),
                by=self._homes.python(name),
            ),
            self._core,
        )
        return msgspec.json.decode(told, type=dict[str, float])

    def _cold(self, name: str, text: str, said: str, most: int) -> dict[str, float]:
        """Start several, if that is quickly done: one start alone says little."""
        begun, found = time.perf_counter(), list[dict[str, float]]()
        while len(found) < most and (not found or time.perf_counter() - begun < self._share):
            found.append(cold.measure(self._homes.python(name), text, self._core, said))
        return {quantity: median(one[quantity] for one in found) for quantity in found[0]}
