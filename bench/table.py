"""The one table."""

from __future__ import annotations

from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table

from bench.figures import Comparison, Result, Series, Target, comparisons, missing
from bench.report import Report, bound, number, spread, times

_WIDTH = 132
"""Columns the table needs."""
_NUMBERS = ("median", "min-max", "", "min-max", "to reach", "reached")


def show(told: Report, console: Console) -> None:
    """Print the table, and what there is to say about it."""
    console = console if console.width >= _WIDTH else Console(width=_WIDTH, file=console.file)
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    for name in ("", *_NUMBERS[:2], "ours against", *_NUMBERS[2:]):
        table.add_column(name, justify="right" if name in _NUMBERS[:-1] else "left", no_wrap=True)
    table.columns[0].justify = "left"
    for result in told.results:
        _add(table, result, told)
    console.print(table)
    versions = ", ".join(f"{name} {found}" for name, found in told.versions.items())
    console.print(
        f"[dim]{told.at}, {told.python} on {told.machine}; {versions}[/]", highlight=False
    )
    for note in told.notes:
        console.print(f"[dim]- {note}[/]", highlight=False)
    for failure in told.failures:
        console.print(f"failed: {failure}", style="red", markup=False, highlight=False)


def _add(table: Table, result: Result, told: Report) -> None:
    table.add_row(f"[bold]{result.figure.title}[/]", f"[bold]{result.figure.unit}[/]")
    base = [value for value in result.base if value is not None]
    if base:
        told_of = f"  [dim]{result.figure.over}, already subtracted[/]"
        table.add_row(told_of, f"[dim]{number(median(base))}[/]")
    compared = comparisons(result)
    for series in result.series:
        if series.known:
            own = [one for one in compared if one.ours == series.name]
            _add_measured(table, series, own, result)
        else:
            why = told.absent.get(series.name, "failed")
            table.add_row(f"  [dim]{series.name}[/]", "[dim]-[/]", f"[dim]{why}[/]")
    table.add_section()


def _add_measured(table: Table, series: Series, own: list[Comparison], result: Result) -> None:
    name = f"  [cyan]{series.name}[/]" if series.is_ours else f"  {series.name}"
    lines = [_judged(one, result) for one in own]
    if series.is_ours:
        lines += [_unjudged(one, result) for one in missing(result)]
    first, *rest = lines or [()]
    known = series.known
    low_high = f"{number(min(known))}-{number(max(known))}" if len(known) > 1 else ""
    table.add_row(name, number(median(known)), low_high, *first)
    for line in rest:
        table.add_row("", "", "", *line)


def _judged(one: Comparison, result: Result) -> tuple[str, ...]:
    wanted = bound(one.target, result.figure.unit) if one.target is not None else ""
    reached = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[one.is_reached]
    if one.against is None:
        return "the limit", "", "", wanted, reached
    more = result.figure.more_is_better
    gained = times(one.gain, more_is_better=more)
    return one.against, gained, spread(one.gains, more_is_better=more), wanted, reached


def _unjudged(target: Target, result: Result) -> tuple[str, ...]:
    wanted = bound(target, result.figure.unit)
    return f"[dim]{target.against}[/]", "", "", f"[dim]{wanted}[/]", "[dim]not measured[/]"
