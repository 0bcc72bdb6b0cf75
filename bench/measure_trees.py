"""The measurement of trees: one process tells of all of them, as they lie in one file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import msgspec

from bench.book import Book
from bench.figures import Figure, Series
from bench.processes import output, python
from bench.trees import BESIDE, LARGE, PAGE, SMALL, WHOLE, Told

_SECONDS = 6.0
"""For which appending, reading and forking go on by turns."""


class Trees:
    """Measures trees, of other *sizes* than the usual ones where that is wanted."""

    def __init__(self, core: int | None, share: float, sizes: Sequence[str] = ()) -> None:
        self.absent: dict[str, str] = {}
        self._core = core
        self._arguments = (str(_SECONDS * share), *sizes)

    def candidates(self, figure: Figure) -> list[Series]:
        """Who takes part."""
        ours = Series(LARGE, is_ours=True)
        if figure.quantity == "peak_mb":
            return [Series(PAGE), ours, Series(WHOLE, is_compared=False)]
        if figure.targets:
            return [Series(SMALL), ours, *(Series(one, is_compared=False) for one in BESIDE)]
        return [ours]

    def measure(self, scenarios: set[str], book: Book) -> None:
        """Measure all *scenarios*, as often as the *book* has repetitions."""
        for _ in range(book.repetitions):
            for scenario in scenarios:
                told = cache(self._measured)
                for who in (SMALL, LARGE, *BESIDE, PAGE, WHOLE):
                    book.measure(scenario, who, partial(_of, told, who))

    def _measured(self) -> Told:
        told = output(python("bench.trees", *self._arguments), self._core)
        return msgspec.json.decode(told, type=Told)


def _of(told: Callable[[], Told], who: str) -> dict[str, float]:
    return told()[who]
