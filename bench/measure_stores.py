"""The measurement of the store beside the least that storing takes, each in its own process."""

from __future__ import annotations

from functools import partial

import msgspec

from bench.book import Book, in_any_order
from bench.figures import Figure, Series
from bench.processes import output, python

OURS = "chatloom"
PLAIN = "plain sqlite3"


class Stores:
    """Measures stores."""

    def __init__(self, core: int | None, share: float) -> None:
        self.absent: dict[str, str] = {}
        self._core = core
        self._share = share

    def candidates(self, _: Figure) -> list[Series]:
        """Who takes part."""
        return [Series(PLAIN), Series(OURS, is_ours=True)]

    def measure(self, scenarios: set[str], book: Book) -> None:
        """Measure all *scenarios*, as often as the *book* has repetitions."""
        for _ in range(book.repetitions):
            for scenario in scenarios:
                for who in in_any_order([PLAIN, OURS]):
                    book.measure(scenario, who, partial(self._measured, who))

    def _measured(self, who: str) -> dict[str, float]:
        told = output(python("bench.stored", who, str(self._share)), self._core)
        return msgspec.json.decode(told, type=dict[str, float])
