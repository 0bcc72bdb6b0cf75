"""What filters ask for, and where words weigh more, as words that no text has.

Forms of words are letters and digits alone; these begin with another sign. So the index finds
what an account may see, and what a filter lets pass, together with the words.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from chatloom.server.store.knowledge import Entry, EntryFilter

_OFTEN = 3
"""How often a passage has a word that it is marked for."""


def facets_of(entry: Entry) -> str:
    """All that an entry is found by besides its words."""
    domain = [] if entry.domain is None else [of_domain(entry.domain)]
    tags = dict.fromkeys(of_tag(one) for one in entry.tags)
    return " ".join(
        (
            of_account(entry.account_id),
            f"§t{entry.type}",
            _of_grade(entry.confidence),
            *domain,
            *tags,
        )
    )


def of_account(account_id: str) -> str:
    """Whose an entry is."""
    return f"§a{_digest(account_id)}"


def of_domain(name: str) -> str:
    """In which domain an entry is, however that is spelled."""
    return f"§d{_digest(name.strip().casefold())}"


def of_tag(name: str) -> str:
    """That an entry has a tag, however that is spelled."""
    return f"§g{_digest(name.strip().casefold())}"


def _of_grade(confidence: float) -> str:
    return f"§c{_grade(confidence)}"


def _grade(confidence: float) -> int:
    """Tenths of a confidence, rounded down; what is exact is asked of the entry itself."""
    return min(10, int(confidence * 10))


def in_title(word: str) -> str:
    """That the entry, whose first passage this is, has the word in its title or its tags."""
    return f"¶{word}"


def often(word: str) -> str:
    """That a passage has the word more than once or twice."""
    return f"‡{word}"


def marks(words: Sequence[str], heading: Iterable[str]) -> str:
    """How a passage is marked for its words, and for those its entry is headed by."""
    counted = Counter(words)
    return " ".join(
        (
            *(often(word) for word, count in counted.items() if count >= _OFTEN),
            *(in_title(word) for word in dict.fromkeys(heading)),
        )
    )


def within(account_id: str, filter: EntryFilter) -> str:
    """The part of a query that asks for an account, and for what *filter* lets pass."""
    parts = [every(of_account(account_id))]
    if filter.types is not None:
        parts.append(some(f"§t{one}" for one in filter.types))
    if filter.domains is not None:
        parts.append(some(of_domain(one) for one in filter.domains))
    parts += [every(of_tag(one)) for one in filter.tags]
    if filter.min_confidence > 0:
        parts.append(some(f"§c{tenth}" for tenth in range(_grade(filter.min_confidence), 11)))
    return " AND ".join(parts)


def every(*words: str) -> str:
    """Ask for all of *words*."""
    return " AND ".join(f'"{word}"' for word in words)


def some(words: Iterable[str]) -> str:
    """Ask for any of *words*; none of them are asked for by nothing at all."""
    return "(" + (" OR ".join(f'"{word}"' for word in words) or _NOTHING) + ")"


_NOTHING = '"§"'


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]
