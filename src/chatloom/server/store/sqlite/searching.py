"""Finding what an account knows by its words.

What a passage is worth is decided by `knowledge.ranking`, in Python; so only some of those that
have a word can be looked at. Which, the index says:

1. A word that few passages have is known with all of them; of a frequent one, those are asked for
   that have it together with the query's other words, in their title, often, or are new.
2. What is known of each passage by then says how well it could match. The best are ranked.

An account of some thousand passages is ranked whole by that; `tests/server/knowledge` compares the
others with a ranking of everything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import combinations
from typing import NamedTuple

import msgspec

from chatloom.server.knowledge.ranking import score, weight
from chatloom.server.store.knowledge import Entry, EntryFilter, Findings, Found
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.facets import every, in_title, of_account, often, some, within
from chatloom.server.store.sqlite.statements import statements

_SQL = "knowledge.sql"


class Bounds(NamedTuple):
    """How far a search looks."""

    counted: int = 20_000
    """Passages that are counted; of more, it is reckoned how many there are."""
    listed: int = 2_000
    """Passages that a word may have so that all of them are known."""
    asked: int = 300
    """Passages that a question about a frequent word is answered with."""
    ranked: int = 400


BOUNDS = Bounds()
_COMBINED = 5
"""Frequent words that are asked for together."""
_BONUS = (1.0, 0.2, 0.1)
"""What is hoped of a word that a passage has; in its entry's title besides; often."""


def search(
    connection: sqlite3.Connection,
    account_id: str,
    words: Sequence[str],
    filter: EntryFilter,
    *,
    limit: int,
    bounds: Bounds = BOUNDS,
) -> Findings:
    """Find the best passages of the best entries, in one consistent view."""
    if not words:
        return Findings([], 0)
    connection.execute("BEGIN")
    try:
        return _Search(connection, account_id, words, filter, bounds).found(limit)
    finally:
        connection.rollback()


class _Search:
    def __init__(
        self,
        connection: sqlite3.Connection,
        account_id: str,
        words: Sequence[str],
        filter: EntryFilter,
        bounds: Bounds,
    ) -> None:
        self._connection = connection
        self._sql = statements(_SQL)
        self._account_id = account_id
        self._query = words
        self._words = list(dict.fromkeys(words))
        self._within = within(account_id, filter)
        self._least = filter.min_confidence
        self._bounds = bounds
        self._weights = self._weighed()

    def found(self, limit: int) -> Findings:
        scores = self._scored(self._candidates())
        best: dict[int, tuple[float, int]] = {}
        for number, worth in scores.items():
            entry, told = number >> 20, (worth, -number)
            best[entry] = max(best.get(entry, told), told)
        ranked = nlargest(limit, ((worth, entry, -place) for entry, (worth, place) in best.items()))
        found = [self._told(number, worth) for worth, _, number in ranked]
        return Findings(found, self._matching())

    def _weighed(self) -> Mapping[str, float]:
        """What each word weighs, by how many of the account's passages have it."""
        row = rows.one(self._connection, self._sql["known"], self._account_id)
        passages = 0 if row is None else row[1]
        return {word: weight(self._count(word, passages), passages) for word in self._words}

    def _count(self, word: str, passages: int) -> int:
        asked = every(of_account(self._account_id), word)
        values = (asked, self._bounds.counted)
        count, first, last = self._connection.execute(self._sql["counted"], values).fetchone()
        if count < self._bounds.counted:
            return int(count)
        (newest,) = self._newest(every(of_account(self._account_id)), 1)
        reckoned: int = count * (newest - first + 1) // (last - first + 1)
        return min(passages, reckoned)

    def _newest(self, asked: str, limit: int) -> list[int]:
        found = self._connection.execute(self._sql["newest"], (asked, limit))
        return [number for (number,) in found]

    def _candidates(self) -> list[int]:
        """The passages that may match best, by what the index knows of them."""
        known: dict[int, int] = {}
        frequent: list[str] = []
        rare: list[str] = []
        for place, word in enumerate(self._words):
            numbers = self._newest(f"{self._within} AND {every(word)}", self._bounds.listed + 1)
            (frequent if len(numbers) > self._bounds.listed else rare).append(word)
            if len(numbers) > self._bounds.listed:
                numbers = numbers[: self._bounds.asked]
            for number in numbers:
                known[number] = known.get(number, 0) | 1 << place
        for asked, mask in self._questions(rare, frequent) if frequent else ():
            for number in self._newest(f"{self._within} AND {asked}", self._bounds.asked):
                known[number] = known.get(number, 0) | mask
        hopes = {mask: self._hope(mask) for mask in set(known.values())}
        return nlargest(self._bounds.ranked, known, key=lambda one: (hopes[known[one]], one))

    def _questions(self, rare: Sequence[str], frequent: list[str]) -> Iterator[tuple[str, int]]:
        """What is asked about frequent words, and what its answers are known to have."""
        frequent.sort(key=lambda word: -self._weights[word])
        top = frequent[:_COMBINED]
        for size in range(len(top), 0, -1):
            for together in combinations(top, size):
                if size > 1:
                    yield every(*together), self._mask(together)
                if rare:
                    yield f"{some(rare)} AND {every(*together)}", self._mask(together)
        for word in self._words:
            place = self._words.index(word)
            yield every(in_title(word)), 1 << place | 1 << place + 32
            yield every(often(word)), 1 << place | 1 << place + 64
        yield (
            every(*map(in_title, self._words)),
            sum(1 << place | 1 << place + 32 for place in range(len(self._words))),
        )

    def _mask(self, words: Sequence[str]) -> int:
        return sum(1 << self._words.index(word) for word in words)

    def _hope(self, mask: int) -> float:
        """How well a passage may match of which this is known."""
        return sum(
            self._weights[word]
            * sum(bonus * (mask >> place + 32 * number & 1) for number, bonus in enumerate(_BONUS))
            for place, word in enumerate(self._words)
        )

    def _scored(self, numbers: Sequence[int]) -> dict[int, float]:
        told = msgspec.json.encode(numbers).decode()
        values = (told, self._account_id, self._least)
        return {
            number: score(
                self._query,
                self._weights,
                title=title.split(),
                tags=tags.split(),
                text=text.split(),
            )
            for number, title, tags, text in self._connection.execute(
                self._sql["candidates"], values
            )
        }

    def _told(self, number: int, worth: float) -> Found:
        row = rows.one(self._connection, self._sql["found"], number)
        assert row is not None
        at, start, end, text = row[14:]
        return Found(entry_of(row), text[start - at : end - at], start, end, worth)

    def _matching(self) -> int:
        asked = f"{self._within} AND {some(self._words)}"
        values = (asked, self._bounds.counted, self._account_id, self._least)
        (count,) = self._connection.execute(self._sql["matching"], values).fetchone()
        return int(count)


def entry_of(row: rows.Row) -> Entry:
    """An entry as its statements tell it."""
    return Entry(
        id=row[0],
        account_id=row[1],
        type=row[2],
        title=row[3],
        format=row[4],
        domain=row[5],
        tags=msgspec.json.decode(row[6], type=list[str]),
        confidence=row[7],
        source=row[8],
        passages=row[9],
        characters=row[10],
        created_at=row[11],
        updated_at=row[12],
        version=row[13],
    )
