"""What has to be said beside the figures of a run."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from bench import cold, plan
from bench.book import Book
from bench.figures import Result
from bench.processes import counts_cpu

_BUSY = 0.75
"""The share of its core that a server under load has to use for its CPU to be the least."""


def notes(book: Book, results: list[Result], absent: dict[str, str], *, pinned: bool) -> list[str]:
    """What a reader of the figures has to know."""
    return [
        *_of_the_run(book.repetitions),
        *_of_the_machine(results, pinned=pinned),
        *_of_the_load(book, {one.figure.scenario for one in results}),
        *(f"{name} is skipped: {why}" for name, why in absent.items()),
    ]


def _of_the_run(repetitions: int) -> Iterator[str]:
    if repetitions == 1:
        yield "one repetition only; without --quick there are three"
    else:
        yield (
            f"medians of {repetitions} interleaved repetitions; a ratio is the median of the"
            " ratios inside them"
        )
    yield "limits in ms, µs and MB are of the machine they were set on"
    yield (
        "other work on the machine slows big programs most: it makes gains over peers too high,"
        " and those over the floor and nginx too low; judge targets on a quiet machine"
    )


def _of_the_machine(results: list[Result], *, pinned: bool) -> Iterator[str]:
    floor = [
        value
        for one in results
        if one.figure.scenario == "request blocking 1"
        for series in one.series
        if series.name == "floor"
        for value in series.known
    ]
    if floor:
        yield (
            f"the blocking floor takes {median(floor):.0f} µs a request here;"
            f" where the limits were set it took {plan.FLOOR_THEN}"
        )
    if not pinned:
        yield "nothing is pinned to a core: this system cannot, or has only one"
    if not cold.is_possible():
        yield "imports and first answers are skipped: this system has no wait4"
    if not counts_cpu():
        yield "servers are skipped: this system has no /proc to tell their CPU time"


def _of_the_load(book: Book, shown: set[str]) -> Iterator[str]:
    lazy = {
        key: busy
        for key, busy in book.lows("busy", _BUSY).items()
        if key[0] in shown and not key[0].startswith("1 ")
    }
    if lazy:
        yield (
            "not saturated, so that a request cost more than it has to: "
            + ", ".join(
                f"{name} in {scenario} ({busy:.0%})" for (scenario, name), busy in lazy.items()
            )
        )
