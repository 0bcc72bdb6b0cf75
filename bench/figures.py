"""Figures, the targets they are to reach, and the arithmetic between them.

A *scenario* is what is run; it tells several quantities, and a figure is one of them.
Every comparison is a *gain*: how many times better ours is than another, be it less of
a cost or more of a throughput. A gain below one is how much worse it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A figure to reach: so many times better than another, or so much at most."""

    against: str | None = None
    """Whom it is measured by; `None` for a limit in the figure's own unit."""
    least: float | None = None
    """How many times better ours is to be, at least."""
    most: float | None = None
    """How many times as much ours may take, at most; without *against*, how much."""
    of: str | None = None
    """Which of ours it is for; `None` for all."""
    instead_of: str | None = None
    """The other that makes this one pointless when it was measured, too."""

    @property
    def gain(self) -> float:
        """The least gain that reaches it."""
        if self.against is None:
            return 1.0
        if self.least is not None:
            return self.least
        assert self.most is not None
        return 1 / self.most


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity of one scenario."""

    title: str
    side: str
    """``client``, ``server``, ``store`` or ``tree``."""
    scenario: str
    quantity: str
    unit: str
    over: str | None = None
    """The candidate whose quantity is subtracted, within each repetition."""
    more_is_better: bool = False
    targets: tuple[Target, ...] = ()


class Series(msgspec.Struct):
    """What one candidate gave: one value a repetition, `None` where it failed."""

    name: str
    is_ours: bool = False
    is_compared: bool = True
    """Whether ours is; if not, it only stands beside."""
    values: list[float | None] = []

    @property
    def known(self) -> list[float]:
        """The values there are."""
        return [value for value in self.values if value is not None]


class Result(msgspec.Struct):
    """A figure, measured."""

    figure: Figure
    series: list[Series]
    base: list[float | None] = []
    """What was subtracted."""

    @property
    def ours(self) -> list[Series]:
        """What we made."""
        return [one for one in self.series if one.is_ours and one.known]

    @property
    def others(self) -> list[Series]:
        """Whom we are measured against, as far as they are there."""
        return [one for one in self.series if one.is_compared and not one.is_ours and one.known]


class Comparison(msgspec.Struct, frozen=True):
    """How one of ours stands to another, or to a limit."""

    ours: str
    against: str | None
    gains: list[float]
    """One a repetition."""
    target: Target | None

    @property
    def gain(self) -> float:
        """The median over the repetitions."""
        return median(self.gains)

    @property
    def is_reached(self) -> bool | None:
        """Whether the target is; `None` without one."""
        return None if self.target is None else self.gain >= self.target.gain


def comparisons(result: Result) -> list[Comparison]:
    """Compare ours with everybody who was measured, and with the limits."""
    found: list[Comparison] = []
    present = {one.name for one in result.others}
    for ours in result.ours:
        targets = {
            one.against: one
            for one in result.figure.targets
            if one.of in (None, ours.name) and one.instead_of not in present
        }
        for other in result.others:
            gains = _gains(ours.values, other.values, result.figure.more_is_better)
            if gains:
                found.append(Comparison(ours.name, other.name, gains, targets.get(other.name)))
        if (limit := targets.get(None)) is not None:
            found.append(Comparison(ours.name, None, _to_the_limit(ours, limit), limit))
    return found


def missing(result: Result) -> list[Target]:
    """The targets that could not be judged, for want of the other."""
    present = {one.name for one in result.others}
    return [
        one
        for one in result.figure.targets
        if one.against not in {None, *present} and one.instead_of not in present
    ]


def over(values: Sequence[float | None], base: Sequence[float | None]) -> list[float | None]:
    """Subtract, within each repetition."""
    return [
        None if one is None or other is None else one - other
        for one, other in zip(values, base, strict=True)
    ]


def _gains(
    ours: Sequence[float | None], other: Sequence[float | None], more_is_better: bool
) -> list[float]:
    # Inside a repetition both were measured within seconds; between two of them the machine
    # may have changed its speed. What noise has turned negative is no ratio.
    pairs = [
        (mine, theirs)
        for mine, theirs in zip(ours, other, strict=True)
        if mine is not None and theirs is not None and mine > 0 and theirs > 0
    ]
    return [mine / theirs if more_is_better else theirs / mine for mine, theirs in pairs]


def _to_the_limit(ours: Series, limit: Target) -> list[float]:
    assert limit.most is not None
    # What took nothing that could be measured is as far inside the limit as a picture shows.
    return [limit.most / max(value, limit.most / 1000) for value in ours.known]
