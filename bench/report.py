"""Everything a run found out, in one piece."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime

import msgspec

from bench.figures import Result, Target


class Report(msgspec.Struct):
    """What is shown as a table and a picture, and kept as JSON."""

    at: str
    python: str
    machine: str
    versions: dict[str, str]
    repetitions: int
    results: list[Result]
    absent: dict[str, str]
    """Who was not measured, and why."""
    notes: list[str]
    failures: list[str]


def report(
    results: list[Result],
    *,
    repetitions: int,
    versions: dict[str, str],
    absent: dict[str, str],
    notes: list[str],
    failures: list[str],
) -> Report:
    """Put a run's results together."""
    return Report(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        machine=_machine(),
        versions=versions,
        repetitions=repetitions,
        results=results,
        absent=absent,
        notes=notes,
        failures=failures,
    )


def _machine() -> str:
    found = f"{platform.system()} {platform.machine()}"
    if not hasattr(os, "getloadavg"):
        return found
    # Of the last fifteen minutes; a run by itself makes for about two.
    return f"{found}, load {os.getloadavg()[2]:.1f} on {os.cpu_count()} cores"


def number(value: float) -> str:
    """Three digits, more or less."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def times(gain: float, *, more_is_better: bool = False) -> str:
    """Say a gain in words."""
    if gain >= 1:
        return f"{_round(gain)}x {'more' if more_is_better else 'less'}"
    return f"{gain:.2f}x as many" if more_is_better else f"{_round(1 / gain)}x as much"


def spread(gains: list[float], *, more_is_better: bool = False) -> str:
    """Say between which bounds the gains of the repetitions lie; nothing of one alone."""
    if len(gains) < 2:
        return ""
    inverted = max(gains) < 1 and not more_is_better
    low, high = (1 / max(gains), 1 / min(gains)) if inverted else (min(gains), max(gains))
    return f"{_round(low)}-{_round(high)}"


def bound(target: Target, unit: str) -> str:
    """Say what is to be reached."""
    if target.against is None:
        return f"≤ {target.most:,g} {unit}"
    return f"≥ {target.least:g}x" if target.least is not None else f"≤ {target.most:g}x"


def _round(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
