"""``python -m bench``: measure everything once; one table, and one picture.

--quick             one repetition with less work, to see where things stand
--repetitions N     more of them, for steadier figures; three without it
--only WORD         the figures with this word in side or title: client, server, request …
--without NAME      leave a candidate out; may be repeated
--with NAME=PYTHON  the Python that has a peer, where it cannot live in this one
--to FOLDER         where latest.json and latest.svg go; bench-results without it
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import msgspec
from rich.console import Console

from bench import cold, plan
from bench.book import Book
from bench.clients import CLIENTS
from bench.figures import Figure, Result
from bench.measure_clients import Clients
from bench.measure_servers import Servers, upstream
from bench.peers import Homes, homes
from bench.picture import drawn
from bench.processes import Failed, cores, counts_cpu, on_core
from bench.report import Report, report
from bench.servers import SERVERS
from bench.table import show

_console = Console()


class Options(msgspec.Struct, frozen=True):
    """How the run was asked for."""

    repetitions: int
    share: float
    """How much of the usual amount of work to do in each measurement."""
    figures: list[Figure]
    homes: Homes
    folder: Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print the table, and write table and picture to files. Raises `Failed`."""
    options = _options(arguments)
    told = measure(options)
    show(told, _console)
    options.folder.mkdir(parents=True, exist_ok=True)
    raw, picture = options.folder / "latest.json", options.folder / "latest.svg"
    raw.write_bytes(msgspec.json.format(msgspec.json.encode(told)))
    picture.write_text(drawn(told), "utf-8")
    _console.print(f"the picture: {picture}; the figures: {raw}", highlight=False)
    if told.failures:
        raise Failed(f"{len(told.failures)} measurements failed")


def measure(options: Options) -> Report:
    """Measure what was asked for."""
    both = cores()
    measured, rest = both or (None, None)
    client_figures = [one for one in options.figures if one.side == "client"]
    server_figures = [one for one in options.figures if one.side == "server"]
    clients_wanted = {one.scenario for one in client_figures}
    servers_wanted = {one.scenario for one in server_figures}
    with (
        on_core(rest),
        tempfile.TemporaryDirectory(prefix="chatloom-bench-") as folder,
        _console.status("") as status,
        ExitStack() as running,
    ):
        book = Book(options.repetitions, status.update)
        port, direct = running.enter_context(upstream(Path(folder)))
        clients = Clients(options.homes, port, measured, options.share)
        servers = Servers(options.homes, measured, options.share)
        clients.measure([one for one in plan.CLIENT_SCENARIOS if one.name in clients_wanted], book)
        if servers_wanted:
            scenarios = [one for one in plan.SERVER_SCENARIOS if one.name in servers_wanted]
            servers.measure(scenarios, direct, port, book)
    results = [book.result(one, clients.candidates(one)) for one in client_figures]
    results += [book.result(one, servers.candidates(one)) for one in server_figures]
    absent = (clients.absent if client_figures else {}) | (servers.absent if server_figures else {})
    return report(
        results,
        repetitions=options.repetitions,
        versions=_versions(options.homes),
        absent=absent,
        notes=_notes(options, results, absent, pinned=both is not None),
        failures=book.failures,
    )


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser("python -m bench", description="CPU ratios, in one run.")
    parser.add_argument("--quick", action="store_true", help="one repetition with less work")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N")
    parser.add_argument("--only", default="", metavar="WORD", help="figures named so")
    parser.add_argument("--without", action="append", default=[], metavar="NAME")
    parser.add_argument("--with", action="append", default=[], metavar="NAME=PYTHON", dest="where")
    parser.add_argument("--to", type=Path, default=Path("bench-results"), metavar="FOLDER")
    asked = parser.parse_args(arguments)
    found = [one for one in plan.FIGURES if asked.only in f"{one.side} {one.title} {one.scenario}"]
    if not found:
        raise Failed(f"no figure has {asked.only!r} in its name")
    return Options(
        repetitions=1 if asked.quick else max(1, asked.repetitions),
        share=0.5 if asked.quick else 1.0,
        figures=[one for one in found if _is_possible(one)],
        homes=homes(asked.where, asked.without),
        folder=asked.to,
    )


def _is_possible(figure: Figure) -> bool:
    if figure.side == "server":
        return counts_cpu()
    return not figure.scenario.startswith(("import", "first answer")) or cold.is_possible()


def _versions(homes: Homes) -> dict[str, str]:
    needed = {one.name: one.needs for one in CLIENTS.values()}
    needed |= {one.name: one.needs for one in SERVERS.values()}
    needed |= {name: name for name in ("aiohttp", "msgspec", "uvicorn", "httptools", "uvloop")}
    found = {name: homes.version(name, needs) for name, needs in needed.items() if needs}
    return {name: version for name, version in found.items() if version is not None}


def _notes(
    options: Options, results: list[Result], absent: dict[str, str], *, pinned: bool
) -> list[str]:
    notes = [
        f"medians of {options.repetitions} interleaved repetitions; a ratio is the median of the"
        " ratios inside them"
        if options.repetitions > 1
        else "one repetition only; without --quick there are three",
        "trust ratios, not milliseconds: other work on this machine slows both sides alike, and"
        " limits are of the machine they were set on",
    ]
    floor = [
        value
        for one in results
        if one.figure.scenario == "request blocking 1"
        for series in one.series
        if series.name == "floor"
        for value in series.known
    ]
    if floor:
        notes.append(
            f"the blocking floor takes {median(floor):.0f} µs a request here, and took"
            f" {plan.FLOOR_THEN} where the limits were set"
        )
    if not pinned:
        notes.append("nothing is pinned to a core: this system cannot, or has only one")
    if not cold.is_possible():
        notes.append("imports and first answers are skipped: this system has no wait4")
    if not counts_cpu():
        notes.append("servers are skipped: this system has no /proc to tell their CPU time")
    notes += [f"{name} is skipped: {why}" for name, why in absent.items()]
    return notes


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        raise SystemExit(f"bench: {failure}") from None
