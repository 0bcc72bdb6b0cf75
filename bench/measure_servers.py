"""The measurements of servers: started anew in each repetition, then put under load in turn."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import msgspec

from bench.book import Book, in_any_order
from bench.figures import Figure, Series
from bench.load import Question, drive
from bench.peers import Homes
from bench.plan import DIRECT, ServerScenario
from bench.processes import (
    Running,
    cpu_seconds,
    free_port,
    memory_mb,
    python,
    run,
    started,
)
from bench.servers import SERVERS
from bench.servers.entry import Place, Server
from bench.servers.questions import is_answered, provided

_CALM = 1.0
"""Seconds after which a server that has answered is idle."""


class Serving(msgspec.Struct, frozen=True):
    """A server that runs; the provider itself is one too."""

    name: str
    pid: int
    questions: dict[str, Question]


@contextmanager
def upstream(folder: Path) -> Generator[tuple[int, Serving]]:
    """Run the canned provider; its port, and how it is asked directly."""
    port = free_port()
    questions = provided(port, "canned", "", "/burst-200")
    with started(python("bench.upstream", str(port)), folder / "upstream.log") as running:
        running.wait_until(lambda: is_answered(questions["request"]))
        yield port, Serving(DIRECT, running.pid, questions)


class Servers:
    """Measures servers."""

    def __init__(self, homes: Homes, core: int | None, share: float) -> None:
        self._homes = homes
        self._core = core
        self._share = share
        self.absent = {
            one.name: why
            for one in SERVERS.values()
            if (why := homes.absence(one.name, one.needs, is_found=one.is_found())) is not None
        }

    def candidates(self, figure: Figure) -> list[Series]:
        """Who takes part in *figure*, the absent ones too."""
        local = "turn" in figure.scenario or "local" in figure.scenario
        names = ("bare gateway", "chatloom") if local else tuple(SERVERS)
        return [Series(name, is_ours=SERVERS[name].is_ours) for name in names]

    def measure(
        self, scenarios: list[ServerScenario], direct: Serving, port: int, book: Book
    ) -> None:
        """Measure all *scenarios*, as often as the *book* has repetitions."""
        for _ in range(book.repetitions):
            with ExitStack() as running, tempfile.TemporaryDirectory() as folder:
                serving = [direct, *self._start(Path(folder), port, running, book)]
                for scenario in in_any_order(scenarios):
                    for one in in_any_order(serving):
                        if _is_asked(one, scenario):
                            work = partial(self._loaded, one, scenario)
                            book.measure(scenario.name, one.name, work)

    def _start(self, folder: Path, port: int, running: ExitStack, book: Book) -> list[Serving]:
        serving: list[Serving] = []
        for server in in_any_order(
            [one for one in SERVERS.values() if one.name not in self.absent]
        ):
            begin = partial(self._started, server, folder, port, running, serving)
            book.measure("start", server.name, begin)
        return serving

    def _started(
        self, server: Server, folder: Path, port: int, running: ExitStack, serving: list[Serving]
    ) -> dict[str, float]:
        own = Path(tempfile.mkdtemp(dir=folder))
        place = Place(own, free_port(), port, self._homes.python(server.name))
        prepared = server.prepare(place)
        begun = time.perf_counter()
        program: Running = running.enter_context(started(prepared.command, own / "log", self._core))
        program.wait_until(lambda: is_answered(prepared.questions["request"]))
        seconds = time.perf_counter() - begun
        time.sleep(_CALM)
        serving.append(Serving(server.name, program.pid, dict(prepared.questions)))
        return {"seconds": seconds, "idle_mb": memory_mb(program.pid)}

    def _loaded(self, one: Serving, scenario: ServerScenario) -> dict[str, float]:
        question = one.questions[scenario.question]
        run(drive(question, scenario.connections, 0.3))
        before = cpu_seconds(one.pid)
        served = run(drive(question, scenario.connections, scenario.seconds * self._share))
        spent = cpu_seconds(one.pid) - before
        return {
            "cpu_us": 1e6 * spent / served.answers,
            "per_second": served.answers / served.seconds,
            "median_ms": 1000 * served.median,
            "busy": spent / served.seconds,
        }


def _is_asked(one: Serving, scenario: ServerScenario) -> bool:
    # The provider itself only shows what one request takes without a server between.
    alone = one.name != DIRECT or scenario.connections == 1
    return alone and scenario.question in one.questions
