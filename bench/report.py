"""The one table, and the raw numbers."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from statistics import median

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from bench.plan import Target

_PEERS = ("chatloom", "openai", "aiohttp", "msgspec", "uvicorn", "httptools", "uvloop")
_WIDTH = 122
"""Columns the table needs."""


class Sample(msgspec.Struct, frozen=True):
    """What one process, or one spell of load, gave."""

    cpu_us: float
    per_second: float


class Series(msgspec.Struct):
    """The samples of one candidate, one a repetition."""

    name: str
    samples: list[Sample]

    @property
    def costs(self) -> list[float]:
        """CPU microseconds."""
        return [sample.cpu_us for sample in self.samples]


class Result(msgspec.Struct):
    """What one measure gave: the peer, ours, and the floor where there is one."""

    title: str
    kind: str
    """``client`` or ``server``."""
    target: Target
    series: list[Series]

    @property
    def peer(self) -> Series:
        """Whom we are measured against."""
        return self.series[0]

    @property
    def ours(self) -> Series:
        """What we made."""
        return self.series[1]

    @property
    def floor(self) -> Series | None:
        """What nothing can be much cheaper than."""
        return self.series[2] if len(self.series) > 2 else None


class Report(msgspec.Struct):
    """Everything a run found out."""

    at: str
    python: str
    machine: str
    versions: dict[str, str]
    pinned: bool
    repetitions: int
    results: list[Result]
    notes: list[str]


def report(results: list[Result], notes: list[str], *, pinned: bool, repetitions: int) -> Report:
    """Put a run's results together."""
    return Report(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        machine=f"{platform.system()} {platform.machine()}",
        versions={name: found for name in _PEERS if (found := installed(name))},
        pinned=pinned,
        repetitions=repetitions,
        results=results,
        notes=notes,
    )


def installed(name: str) -> str | None:
    """The version of a distribution; `None` for an absent one."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def show(told: Report, console: Console) -> None:
    """Print the table, and what there is to say about it."""
    console = console if console.width >= _WIDTH else Console(width=_WIDTH)
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("CPU of one", no_wrap=True)
    for name in ("CPU µs", "min-max", "a second", "ratio", "floors", "to reach", "reached"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in told.results:
        table.add_row(f"[bold]{result.title}[/]")
        for series in result.series:
            table.add_row(*_cells(result, series))
        table.add_section()
    console.print(table)
    versions = ", ".join(f"{name} {found}" for name, found in told.versions.items())
    console.print(f"[dim]{told.python} on {told.machine}; {versions}[/]", highlight=False)
    for note in told.notes:
        console.print(f"[dim]- {note}[/]", highlight=False)


def _cells(result: Result, series: Series) -> Sequence[str]:
    is_ours = series is result.ours
    name = f"  [cyan]{series.name}[/]" if is_ours else f"  {series.name}"
    if not series.samples:
        return name, "skipped"
    costs = series.costs
    return (
        name,
        _number(median(costs)),
        f"{_number(min(costs))}-{_number(max(costs))}",
        f"{median(sample.per_second for sample in series.samples):,.0f}",
        _ratio(result, series),
        _floors(result, series),
        _wanted(result.target) if is_ours else "",
        _reached(result) if is_ours else "",
    )


def _ratio(result: Result, series: Series) -> str:
    if series is result.peer or not result.peer.samples:
        return ""
    if result.kind == "server":
        return f"{times(series, result.peer):.2f}x"
    return f"{times(result.peer, series):.1f}x less"


def _floors(result: Result, series: Series) -> str:
    floor = result.floor
    if floor is None or series is floor or not floor.samples:
        return ""
    return f"{times(series, floor):.1f}"


def times(one: Series, other: Series) -> float:
    """How many times *one* is *other*: the median over the repetitions.

    Inside a repetition both were measured within seconds; between two of them
    the machine may have changed its speed.
    """
    return median(a / b for a, b in zip(one.costs, other.costs, strict=True))


def _wanted(target: Target) -> str:
    wanted: list[str] = []
    if target.least_gain is not None:
        wanted.append(f"{target.least_gain:g}x less")
    if target.most_cost is not None:
        wanted.append(f"{target.most_cost:g}x")
    if target.most_floors is not None:
        wanted.append(f"{target.most_floors:g} floors")
    return ", ".join(wanted)


def _reached(result: Result) -> str:
    target, ours = result.target, result.ours
    verdicts: list[bool] = []
    if result.peer.samples and target.least_gain is not None:
        verdicts.append(times(result.peer, ours) >= target.least_gain)
    if result.peer.samples and target.most_cost is not None:
        verdicts.append(times(ours, result.peer) <= target.most_cost)
    if result.floor is not None and result.floor.samples and target.most_floors is not None:
        verdicts.append(times(ours, result.floor) <= target.most_floors)
    if not verdicts:
        return "?"
    return "[green]yes[/]" if all(verdicts) else "[red]no[/]"


def _number(value: float) -> str:
    """Three digits, more or less."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
