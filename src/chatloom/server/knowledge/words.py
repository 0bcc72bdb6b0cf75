"""Words as they are looked for: in lower case, without accents, English ones without endings.

A form is made of letters and digits alone, whatever was written, so it means nothing to
anybody who reads queries. ``getUserName`` is also ``user`` and ``name``; scripts that put no
blanks between words are read by pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from chatloom.server.knowledge.stemming import stem

LONGEST_WORD = 64
"""Characters; what is longer is several words."""
MOST_WORDS = 16
"""Different words of a query that are looked for."""


class Word(NamedTuple):
    """A word where it stands in a text."""

    start: int
    end: int
    forms: tuple[str, ...]
    """Itself first, then its parts."""


def words(text: str) -> Iterator[Word]:
    """Every word of *text*."""
    pattern = _ASCII if text.isascii() else _ANY
    for found in pattern.finditer(text):
        if forms := _forms(found[0]):
            yield Word(found.start(), found.end(), forms)


def forms(text: str) -> list[str]:
    """What *text* is found by: the forms of all its words, in order."""
    pattern = _ASCII if text.isascii() else _ANY
    return [form for word in pattern.findall(text) for form in _forms(word)]


def sought(query: str, *, even_plain: bool = True) -> list[str]:
    """What a query looks for: its telling words in order.

    Where it has none, that is all its words if *even_plain* ones are looked for, else nothing.
    """
    every: list[str] = []
    telling: list[str] = []
    for word in words(query):
        parts = word.forms if _is_unspaced(word.forms[0]) else word.forms[:1]
        every += parts
        if query[word.start : word.end].lower() not in _STOP_WORDS:
            telling += parts
    return _first_different(telling or (every if even_plain else []))


def _first_different(found: Sequence[str]) -> list[str]:
    known = set(list(dict.fromkeys(found))[:MOST_WORDS])
    return [one for one in found if one in known][: 4 * MOST_WORDS]


_ASCII = re.compile(rf"[A-Za-z0-9]{{1,{LONGEST_WORD}}}")
_ANY = re.compile(rf"(?:[^\W_][\u0300-\u036f]{{0,4}}){{1,{LONGEST_WORD}}}")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_UNSPACED = re.compile("[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def _is_unspaced(form: str) -> bool:
    return _UNSPACED.search(form) is not None


@lru_cache(maxsize=100_000)
def _forms(word: str) -> tuple[str, ...]:
    if word.isascii():
        whole = word.lower()
        found = [stem(whole) if whole.isalpha() else whole]
        parts = _PARTS.findall(word) if not (word.isalpha() and word[1:].islower()) else ()
        if len(parts) > 1:
            found += [stem(part.lower()) for part in parts if len(part) > 1]
        return tuple(dict.fromkeys(found))
    plain = unicodedata.normalize("NFKD", word).casefold()
    plain = "".join(one for one in unicodedata.normalize("NFKD", plain) if one.isalnum())
    if not plain:
        return ()
    if _is_unspaced(plain):
        return tuple(plain[at : at + 2] for at in range(max(1, len(plain) - 1)))
    return (stem(plain) if plain.isascii() and plain.isalpha() else plain,)


_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    a about above after again against all also am an and any are as at be because been before being
    below between both but by can could did do does doing done down during each few for from
    further get had has have having he her here hers him his how i if in into is it its itself just
    let like me more most my no nor not of off on once only or other our ours out over own please
    same she should so some such tell than that the their theirs them then there these they this
    those through to too under until up us very was we were what when where which while who whom
    why will with would you your yours
    """,
    )
)
