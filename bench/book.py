"""The book in which everything measured is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import sample
from statistics import median
from typing import TypeVar

from bench.figures import Figure, Result, Series, over
from bench.processes import Failed

T = TypeVar("T")


class Book:
    """What the candidates of each scenario told, one entry a repetition."""

    def __init__(self, repetitions: int, say: Callable[[str], None]) -> None:
        self.repetitions = repetitions
        self.failures: list[str] = []
        self._say = say
        self._told: dict[tuple[str, str], list[dict[str, float] | None]] = {}

    def measure(self, scenario: str, name: str, work: Callable[[], dict[str, float]]) -> None:
        """Do *work*, once more if it fails, and write down what it tells."""
        self._say(f"{scenario}: {name}")
        told: dict[str, float] | None = None
        try:
            try:
                told = work()
            except Failed:
                told = work()
        except Failed as error:
            self.failures.append(f"{scenario}, {name}: …{str(error).rstrip()[-200:]}")
        self._told.setdefault((scenario, name), []).append(told)

    def values(self, figure: Figure, name: str) -> list[float | None]:
        """One value a repetition of one candidate; none if it was not measured."""
        told = self._told.get((figure.scenario, name), [])
        return [None if one is None else one[figure.quantity] for one in told]

    def lows(self, quantity: str, limit: float) -> dict[tuple[str, str], float]:
        """Scenarios and candidates whose median of *quantity* is below *limit*."""
        found = {
            key: median(one[quantity] for one in told if one is not None and quantity in one)
            for key, told in self._told.items()
            if any(one is not None and quantity in one for one in told)
        }
        return {key: value for key, value in found.items() if value < limit}

    def result(self, figure: Figure, candidates: list[Series]) -> Result:
        """A figure of those *candidates*, in which their values are filled in."""
        base = self.values(figure, figure.over) if figure.over else []
        for one in candidates:
            values = self.values(figure, one.name)
            one.values = over(values, base) if figure.over and values else values
        return Result(figure, candidates, base)


def in_any_order(things: list[T]) -> Iterator[T]:
    """Each once, never in the same order for long."""
    yield from sample(things, len(things))
