"""``python -m bench``: measure everything once, in one table.

--quick           one repetition, to see where things stand
--repetitions N   more of them, for steadier numbers
--only clients    or servers
--json FILE       the raw numbers as well
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
from rich.console import Console

from bench import plan, servers
from bench.clients import Measured
from bench.load import Question, drive
from bench.processes import Failed, cores, counts_cpu, cpu_seconds, on_core, output, run
from bench.report import Result, Sample, Series, installed, report, show

_console = Console()


class Options(msgspec.Struct, frozen=True):
    """How the run was asked for."""

    repetitions: int
    share: float
    """How much of the usual amount of work to do in each measurement."""
    clients: bool
    servers: bool
    json: Path | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, and print the table."""
    options = _options(arguments)
    both = cores()
    measured, rest = both or (None, None)
    notes = _notes(options, pinned=both is not None)
    with (
        on_core(rest),
        tempfile.TemporaryDirectory(prefix="chatloom-bench-") as folder,
        ExitStack() as running,
    ):
        port = running.enter_context(servers.upstream(Path(folder)))
        results: list[Result] = []
        if options.clients:
            results += _measure_clients(options, port, measured)
        if options.servers and counts_cpu():
            found = [
                running.enter_context(make(Path(folder), port, measured))
                for make in (servers.bare_gateway, servers.chatloom)
            ]
            results += _measure_servers(options, found, notes)
    told = report(results, notes, pinned=both is not None, repetitions=options.repetitions)
    show(told, _console)
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(told)))


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser("python -m bench", description="CPU ratios, in one run.")
    parser.add_argument("--quick", action="store_true", help="one repetition with less work")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N")
    parser.add_argument("--only", choices=("clients", "servers"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw numbers there")
    asked = parser.parse_args(arguments)
    return Options(
        repetitions=1 if asked.quick else max(1, asked.repetitions),
        share=0.5 if asked.quick else 1.0,
        clients=asked.only != "servers",
        servers=asked.only != "clients",
        json=asked.json,
    )


def _notes(options: Options, *, pinned: bool) -> list[str]:
    notes = [
        f"medians of {options.repetitions} interleaved repetitions; a ratio is the median of the"
        " ratios inside them"
        if options.repetitions > 1
        else "one repetition only; without --quick there are three",
        "trust ratios, not microseconds: other work on this machine slows both sides alike",
    ]
    if not pinned:
        notes.append("nothing is pinned to a core: this system cannot, or has only one")
    if options.clients and installed("openai") is None:
        notes.append("openai is not installed, so its rows are skipped")
    if options.servers and not counts_cpu():
        notes.append("servers are skipped: this system has no /proc to tell their CPU time")
    return notes


def _measure_clients(options: Options, port: int, core: int | None) -> list[Result]:
    results = [
        Result(one.title, "client", one.target, [Series(name, []) for name in one.names])
        for one in plan.CLIENTS
    ]
    for at, measure in _shuffled(options, len(plan.CLIENTS)):
        one, result = plan.CLIENTS[measure], results[measure]
        for who in _in_any_order(len(one.names)):
            name = one.names[who]
            if name.startswith("openai") and installed("openai") is None:
                continue
            count = max(1, round(one.counts[who] * options.share))
            with _console.status(f"repetition {at + 1}: {one.title}, {name}"):
                told = output("bench.clients", [name, one.scenario, str(count), str(port)], core)
            found = msgspec.json.decode(told, type=Measured)
            result.series[who].samples.append(Sample(found.cpu_us, 1e6 / found.wall_us))
    return results


def _measure_servers(
    options: Options, found: Sequence[servers.Server], notes: list[str]
) -> list[Result]:
    questions = {
        name: (server.pid, question)
        for server in found
        for name, question in server.questions.items()
    }
    measures: list[plan.ServerMeasure] = []
    for one in plan.SERVERS:
        if servers.is_answered(questions[one.ours][1]):
            measures.append(one)
            notes.append(f"{one.title}: the target is {one.why}")
        else:
            notes.append(f"{one.title}: skipped, as the server does not answer it yet")
    results = [
        Result(one.title, "server", one.target, [Series(one.peer, []), Series(one.ours, [])])
        for one in measures
    ]
    for at, measure in _shuffled(options, len(measures)):
        one, result = measures[measure], results[measure]
        for who in _in_any_order(2):
            series = result.series[who]
            with _console.status(f"repetition {at + 1}: {one.title}, {series.name}"):
                sample = _load(*questions[series.name], one.connections, options.share)
            series.samples.append(sample)
    return results


def _load(pid: int, question: Question, connections: int, share: float) -> Sample:
    run(drive(question, connections, 0.3))
    before = cpu_seconds(pid)
    served = run(drive(question, connections, 2 * share))
    spent = cpu_seconds(pid) - before
    return Sample(1e6 * spent / served.answers, served.answers / served.seconds)


def _shuffled(options: Options, measures: int) -> Iterator[tuple[int, int]]:
    """Every measure once a repetition, each time in another order."""
    for repetition in range(options.repetitions):
        for measure in _in_any_order(measures):
            yield repetition, measure


def _in_any_order(count: int) -> list[int]:
    return random.sample(range(count), count)


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        raise SystemExit(f"bench: {failure}") from None
