"""How well a passage matches a query: a number from 0 to 1.

    score = cover                                for a query of one word
          = 0.85 cover + 0.15 near               for others

*cover* is the share of the query's words that the passage has, each weighed by how rare it is
among the account's passages. A word counts for more the more places it stands in: the text
(0.7, and up to 0.95 the more often), the entry's title (0.8), its tags (0.6); of what one place
leaves open the next fills its part. *near* is the share of neighbouring words of the query that
stand close behind each other here too.

So it depends on query, passage, and how common words are in the account: neither on what
else was found, nor on filters and limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import log

_TITLE = 0.8
_TAGS = 0.6
_TEXT = 0.7
_OFTEN = 0.25
_NEAR = 0.15
_CLOSE = 3
"""Words that the second of two may stand behind the first."""
_LEAST = 0.1
"""What a word weighs that every passage has."""


def weight(having: int, passages: int) -> float:
    """What a word weighs that so many of the passages have (BM25's inverse document frequency)."""
    others = max(0, passages - having)
    return max(_LEAST, log(1 + (others + 0.5) / (having + 0.5)))


class Question:
    """What is looked for: words in order, in their forms, and what each of them weighs."""

    def __init__(self, words: Sequence[str], weights: Mapping[str, float]) -> None:
        self._weights = {word: weights[word] for word in words}
        self._whole = sum(self._weights.values())
        self._pairs = {(first, second) for first, second in pairwise(words) if first != second}

    def score(self, title: Sequence[str], tags: Sequence[str], text: Sequence[str]) -> float:
        """How well a passage answers it: with its text, and its entry's title and tags."""
        weights = self._weights
        here = [(place, form) for place, form in enumerate(text) if form in weights]
        often: dict[str, int] = {}
        for _, form in here:
            often[form] = often.get(form, 0) + 1
        cover = 0.0
        for word, weight in weights.items():
            cover += weight * _strength(often.get(word, 0), word in title, word in tags)
        if len(weights) < 2:
            return cover / self._whole if weights else 0.0
        heading = [(place, form) for place, form in enumerate(title) if form in weights]
        near = len(self._pairs & {*_close(here), *_close(heading)}) / len(self._pairs)
        return (1 - _NEAR) * cover / self._whole + _NEAR * near


def _strength(often: int, in_title: bool, in_tags: bool) -> float:
    missing = 1 - (_TEXT + _OFTEN * (1 - 1 / often)) if often else 1.0
    if in_title:
        missing *= 1 - _TITLE
    if in_tags:
        missing *= 1 - _TAGS
    return 1 - missing


def _close(hits: Sequence[tuple[int, str]]) -> Iterator[tuple[str, str]]:
    """The pairs of which the second word stands close behind the first."""
    for number, (place, first) in enumerate(hits):
        for at, second in hits[number + 1 : number + 1 + _CLOSE]:
            if at - place > _CLOSE:
                break
            yield first, second
