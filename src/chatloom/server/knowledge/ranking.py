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

from collections import Counter
from collections.abc import Mapping, Sequence
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


def score(
    query: Sequence[str],
    weights: Mapping[str, float],
    *,
    title: Sequence[str],
    tags: Sequence[str],
    text: Sequence[str],
) -> float:
    """How well a passage matches *query*; all are forms of words, in order."""
    wanted = dict.fromkeys(query)
    whole = sum(weights[word] for word in wanted)
    if not whole:
        return 0.0
    here = [(place, form) for place, form in enumerate(text) if form in wanted]
    often = Counter(form for _, form in here)
    cover = sum(
        weights[word] * _strength(often[word], word in title, word in tags) for word in wanted
    )
    if len(wanted) == 1:
        return cover / whole
    heading = [(place, form) for place, form in enumerate(title) if form in wanted]
    return (1 - _NEAR) * cover / whole + _NEAR * _near(query, here, heading)


def _strength(often: int, in_title: bool, in_tags: bool) -> float:
    missing = 1 - (_TEXT + _OFTEN * (1 - 1 / often)) if often else 1.0
    if in_title:
        missing *= 1 - _TITLE
    if in_tags:
        missing *= 1 - _TAGS
    return 1 - missing


def _near(query: Sequence[str], *places: Sequence[tuple[int, str]]) -> float:
    pairs = {(first, second) for first, second in pairwise(query) if first != second}
    close = {
        (first, second)
        for hits in places
        for number, (place, first) in enumerate(hits)
        for at, second in hits[number + 1 : number + 1 + _CLOSE]
        if at - place <= _CLOSE
    }
    return len(pairs & close) / len(pairs) if pairs else 0.0
