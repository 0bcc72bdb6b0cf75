"""What passages are indexed by: words, what filters ask for, and where words weigh more.

Forms of words are letters and digits alone; the signs here are none. And each account has words of
its own: all begin with its name in the index, so a query reaches nobody else's, and nobody
else's make it slow.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from typing import get_args

from chatloom.server.store.knowledge import Entry, EntryFilter, EntryType

_OFTEN = 3
"""How often a passage has a word that it is marked for."""
EVERY = "§"
"""What all passages have."""


def facets_of(entry: Entry) -> str:
    """What filters may ask of an entry, as words."""
    domain = [] if entry.domain is None else [of_domain(entry.domain)]
    tags = dict.fromkeys(of_tag(one) for one in entry.tags)
    sure = (_at_least(tenth) for tenth in range(1, _tenth(entry.confidence) + 1))
    types = (_of_types(some) for some in _SOME_TYPES if entry.type in some)
    return " ".join((*types, *sure, *domain, *tags))


_TYPES: tuple[EntryType, ...] = get_args(EntryType)
_SOME_TYPES = [
    frozenset(some) for size in range(1, len(_TYPES)) for some in combinations(_TYPES, size)
]
"""Every choice of types: each has a word of its own, as asking for any of several takes longer."""


def _of_types(types: Collection[str]) -> str:
    """That an entry is of one of *types*."""
    return "§t" + "".join(sorted(one[0] for one in types))


def of_domain(name: str) -> str:
    """That an entry is in a domain, however that is spelled."""
    return f"§d{_digest(name.strip().casefold())}"


def of_tag(name: str) -> str:
    """That an entry has a tag, however that is spelled."""
    return f"§g{_digest(name.strip().casefold())}"


def in_title(word: str) -> str:
    """That the entry, whose first passage this is, has the word in its title or its tags."""
    return f"¶{word}"


def often(word: str) -> str:
    """That a passage has the word more than once or twice."""
    return f"‡{word}"


def _at_least(tenth: int) -> str:
    """That an entry is so sure at least: what is exact is asked of the entry itself."""
    return f"§c{tenth}"


def _tenth(confidence: float) -> int:
    """Tenths of a confidence, rounded down."""
    return min(10, int(confidence * 10))


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


class Index:
    """The index's words of one account, and queries for them."""

    def __init__(self, account_id: str) -> None:
        self._name = _digest(account_id)[:12]

    def row(
        self, facets: str, heading: Iterable[str], words: Sequence[str], *, is_first: bool
    ) -> str:
        """What a passage is indexed by: its words, and those its entry is headed by."""
        heading = list(heading)
        counted = Counter(words)
        marks = [often(word) for word, count in counted.items() if count >= _OFTEN]
        if is_first:
            marks += map(in_title, heading)
        every = dict.fromkeys((EVERY, *facets.split(), *marks, *heading, *counted))
        return " ".join(self._name + word for word in every)

    def every(self, *words: str) -> str:
        """Ask for all of *words*."""
        return " AND ".join(f'"{self._name}{word}"' for word in words)

    def some(self, words: Iterable[str]) -> str:
        """Ask for any of *words*; none of them are asked for by nothing at all."""
        told = [f'"{self._name}{word}"' for word in words]
        return f"({' OR '.join(told)})" if told else f'"{self._name}"'

    def within(self, filter: EntryFilter) -> str:
        """Ask for what *filter* lets pass; nothing to be asked where that is all."""
        parts: list[str] = []
        if filter.types is not None:
            types = frozenset(filter.types)
            parts += [self.every(_of_types(types))] if len(types) < len(_TYPES) else []
        if filter.domains is not None:
            parts.append(self.some(of_domain(one) for one in filter.domains))
        parts += [self.every(of_tag(one)) for one in filter.tags]
        if tenth := _tenth(filter.min_confidence):
            parts.append(self.every(_at_least(tenth)))
        return "".join(f"{part} AND " for part in parts)
