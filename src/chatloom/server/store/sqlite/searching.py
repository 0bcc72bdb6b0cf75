"""Finding what an account knows by its words.

What a passage is worth is decided by `knowledge.ranking`, in Python; so only some of those that
have a word can be looked at. Which, the index says:

1. A word that few passages have is known with all of them. Of a frequent one, those are asked for
   that have it together with others of the query, often, or in their title, and the newest.
2. What is known of each passage by then says how well it could match. The best are ranked.

Where no word has more passages than are ranked, nothing is left out. Beyond that what is found is
worth some 99 % of what a ranking of everything would find; `bench.knowledge` measures the time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import chain, combinations
from typing import NamedTuple

import msgspec

from chatloom.server.knowledge.ranking import Question, weight
from chatloom.server.store.knowledge import Entry, EntryFilter, Findings, Found
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.indexing import EVERY, Index, in_title, often
from chatloom.server.store.sqlite.statements import statements

_SQL = "knowledge.sql"


class Bounds(NamedTuple):
    """How far a search looks."""

    counted: int = 5_000
    """Passages that are counted; of more, it is reckoned how many there are."""
    listed: int = 1_000
    """Passages that a word may have so that all of them are known."""
    asked: int = 200
    """Passages that a question about a frequent word is answered with."""
    ranked: int = 300
    matching: int = 10_000
    """Passages whose entries are counted."""


BOUNDS = Bounds()
_FREQUENT, _FILTERED = 4, 2
"""Frequent words, the rarest, that are asked for together; fewer where a filter makes it dear."""
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
        self._index = Index(account_id)
        self._within = self._index.within(filter)
        self._least = filter.min_confidence
        self._bounds = bounds
        self._lists: dict[str, list[int]] = {}
        """The newest passages that have each word; all of them, where these are few."""
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
        asked = self._index.every(word)
        numbers = self._lists[word] = self._newest(asked, self._bounds.listed + 1)
        if len(numbers) <= self._bounds.listed:
            return len(numbers)
        values = (asked, self._bounds.counted)
        count, first, last = self._connection.execute(self._sql["counted"], values).fetchone()
        if count < self._bounds.counted:
            return int(count)
        (newest,) = self._newest(self._index.every(EVERY), 1)
        reckoned: int = count * (newest - first + 1) // (last - first + 1)
        return min(passages, reckoned)

    def _newest(self, asked: str, limit: int) -> list[int]:
        found = self._connection.execute(self._sql["newest"], (asked, limit))
        return [number for (number,) in found]

    def _candidates(self) -> list[int]:
        """The passages that may match best, by what the index knows of them."""
        known: dict[int, int] = {}
        rare: list[str] = []
        for word in self._words:
            numbers, is_whole = self._having(word)
            if is_whole:
                rare.append(word)
            for number in numbers:
                known[number] = known.get(number, 0) | self._mask([word])
        frequent = [word for word in self._words if word not in rare]
        for asked, mask in self._questions(rare, frequent) if frequent else ():
            numbers = self._newest(self._within + asked, self._bounds.asked)
            for number in numbers:
                known[number] = known.get(number, 0) | mask
        hopes = {mask: self._hope(mask) for mask in set(known.values())}
        return nlargest(self._bounds.ranked, known, key=lambda one: (hopes[known[one]], one))

    def _having(self, word: str) -> tuple[list[int], bool]:
        """The passages that have a word and that may be told; whether these are all."""
        most = self._bounds.listed
        numbers = self._lists[word]
        if self._within:
            numbers = self._newest(self._within + self._index.every(word), most + 1)
        is_whole = len(numbers) <= most
        return numbers if is_whole else numbers[: self._bounds.asked], is_whole

    def _questions(self, rare: Sequence[str], frequent: Sequence[str]) -> Iterator[tuple[str, int]]:
        """What is asked about frequent words, and what its answers are known to have."""
        every = self._index.every
        most = _FILTERED if self._within else _FREQUENT
        rarest = sorted(frequent, key=lambda word: -self._weights[word])[:most]
        for together in _groups(rarest):
            yield every(*together), self._mask(together)
        for together in (rarest, *([word] for word in rarest[:2])) if rare else ():
            yield f"{self._index.some(rare)} AND {every(*together)}", self._mask(together)
        for word in rarest:
            others = [one for one in rarest if one != word]
            mask = self._mask([word], 2)
            if others:
                yield every(often(word), *others), self._mask(rarest) | mask
            yield every(often(word)), self._mask([word]) | mask
        for word in sorted(self._words, key=lambda word: -self._weights[word])[: most + 1]:
            yield every(in_title(word)), self._mask([word]) | self._mask([word], 1)

    def _mask(self, words: Sequence[str], kind: int = 0) -> int:
        """That a passage has *words*, as a set of bits; of the *kind* that `_BONUS` has."""
        return sum(1 << self._words.index(word) + 32 * kind for word in words)

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
        score = Question(self._query, self._weights).score
        found = self._connection.execute(self._sql["candidates"], values)
        scores: dict[int, float] = {}
        for number, words, heading in found:
            title, _, tags = heading.partition("\n")
            scores[number] = score(title.split(), tags.split(), words.split())
        return scores

    def _told(self, number: int, worth: float) -> Found:
        row = rows.one(self._connection, self._sql["found"], number)
        assert row is not None
        at, start, end, text = row[14:]
        return Found(entry_of(row), text[start - at : end - at], start, end, worth)

    def _matching(self) -> int:
        asked = self._within + self._index.some(self._words)
        values = (asked, self._bounds.matching, self._account_id, self._least)
        (count,) = self._connection.execute(self._sql["matching"], values).fetchone()
        return int(count)


def _groups(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Words that are asked for together: all, all but one, and pairs."""
    sizes = dict.fromkeys((len(words), len(words) - 1, 2))
    return chain.from_iterable(combinations(words, size) for size in sizes if size > 1)


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
