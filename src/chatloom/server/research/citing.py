"""Citations: each quotes words that stand so in its source.

Answers and passages are others' texts, of any length and kind: what is done with them takes time
in proportion to their length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from chatloom.server.research.planning import sense_of


class Passage(msgspec.Struct, frozen=True):
    """A part of a source, as it stands there."""

    source: int
    """The source's number, from 1."""
    text: str


class Cited(msgspec.Struct, frozen=True):
    """A citation: what a number in the answer stands for."""

    number: int
    source: int
    quote: str


class Synthesis(msgspec.Struct, frozen=True):
    """An answer, its numbers renumbered from 1 in their order, and what they stand for."""

    text: str
    citations: list[Cited]


# A number, several, or a range, with the space in front of them; or code, which is left alone.
_REFERENCE = re.compile(
    r"(?P<code>```.*?(?:```|\Z)|`[^`\n]{1,400}`)"
    r"|(?<!\s)(?P<space>[ \t]{0,4})\[[ \t]{0,2}"
    r"(?P<numbers>\d{1,30}(?:\s{0,2}[,;\u2013-]\s{0,2}\d{1,30}){0,20})[ \t]{0,2}\]"
    r"|\[[ \t]{0,2}(?P<leading>\d{1,30}(?:\s{0,2}[,;\u2013-]\s{0,2}\d{1,30}){0,20})[ \t]{0,2}\]",
    re.DOTALL,
)
_BRACKETS = re.compile(r"\[[\d\s,;\u2013-]{1,80}\]")
# Footnotes stand behind the full stop.
_SENTENCE_END = re.compile(
    r"[.!?\u2026][\"'\u201d\u2019)\]]{0,2}(?:\[\d{1,3}\]){0,9}(?=\s)|[\u3002\uff01\uff1f]|\n"
)
_LONGEST_QUOTE = 300
_CLAIM = 600
"""Characters in front of a number that may belong to what it stands behind."""
_MOST_CITED = 200
"""Numbers of an answer that are looked up."""


def cited(answer: str, passages: Sequence[Passage]) -> Synthesis | None:
    """Find what the numbers of *answer*, a model's, stand for; `None` where it cites nothing.

    Numbers of passages that do not exist are taken out of the text; code is left as it is.
    """
    lookup = _Lookup(passages)
    pieces: list[str] = []
    claim, end = "", 0
    for found in _REFERENCE.finditer(answer):
        said = answer[end : found.start()]
        claim = (claim + said)[-_CLAIM:]
        end = found.end()
        if found["code"] is not None:
            pieces += [said, found[0]]
            continue
        numbers = _numbers(found["numbers"] or found["leading"], len(passages))
        told = "".join(map(lookup.number, numbers, [_last_sentence(claim)] * len(numbers)))
        pieces += [said, (found["space"] or "") + told if told else _nothing(answer, found)]
    text = "".join([*pieces, answer[end:]]).strip()
    return Synthesis(text, lookup.citations) if lookup.citations else None


def _nothing(answer: str, found: re.Match[str]) -> str:
    """What takes the place of a number taken out: what is around must not become another."""
    at, end = found.span()
    before, behind = answer[max(0, at - 1) : at], answer[end : end + 1]
    return " " if before == "[" or behind == "]" or behind.isdigit() else ""


class _Lookup:
    """Finds the sentences that numbers stand for, and numbers these."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.citations: list[Cited] = []
        self._passages = passages
        self._known: dict[tuple[int, str], int] = {}
        self._sentences: dict[int, list[_Weighed]] = {}
        self._looked_up = 0

    def number(self, named: int, claim: str) -> str:
        """The reference that takes the place of passage *named* behind *claim*; or nothing."""
        if not 1 <= named <= len(self._passages) or self._looked_up >= _MOST_CITED:
            return ""
        self._looked_up += 1
        found = self._sentences.get(named)
        if found is None:
            found = self._sentences[named] = _weighed(self._passages[named - 1].text)
        if not found:
            return ""
        place = (self._passages[named - 1].source, _best(found, claim))
        number = self._known.setdefault(place, len(self._known) + 1)
        if number > len(self.citations):
            self.citations.append(Cited(number, *place))
        return f"[{number}]"


def _numbers(told: str, most: int) -> list[int]:
    """The numbers in a reference such as ``1, 3`` or ``2-4``; of a range, those that may exist."""
    numbers: list[int] = []
    for part in re.split("[,;]", told):
        first, *rest = [int(one) for one in re.split("[\u2013-]", part)]
        numbers += range(first, min(rest[-1], most) + 1) if rest else [first]
    return list(dict.fromkeys(numbers))


def _last_sentence(text: str) -> str:
    """What is said last: for a number behind a full stop, the sentence in front of that."""
    text = text.rstrip()
    start = max(text.rfind(mark, 0, max(0, len(text) - 1)) for mark in (". ", "! ", "? ", "\n"))
    return text[start + 1 :]


def extracted(question: str, passages: Sequence[Passage], most: int = 6) -> Synthesis:
    """Answer with the sentences of *passages* that say most of what is asked, word for word.

    Where none has a word of the question, with the first ones; brackets that look like our
    numbers are left out of the text, but not of the quotes.
    """
    wanted = sense_of(question)
    ranked: list[tuple[float, int, int, str]] = []
    seen = set[str]()
    for place, passage in enumerate(passages):
        for sentence in sentences(passage.text):
            plain = _plain(sentence)
            if plain.casefold() in seen or not plain:
                continue
            seen.add(plain.casefold())
            shared = len(wanted & sense_of(sentence))
            is_short = len(plain) < _SHORTEST
            weight = (0.1 if is_short else 1) * shared / (1 + len(plain) / 400)
            ranked.append((-weight, place, passage.source, sentence))
    bearing = [one for one in ranked if one[0]] or ranked
    bearing.sort(key=lambda one: one[:2])
    chosen = sorted(bearing[:most], key=lambda one: one[1])
    citations = [
        Cited(number, source, sentence) for number, (_, _, source, sentence) in enumerate(chosen, 1)
    ]
    return Synthesis(
        " ".join(f"{_plain(one.quote)} [{one.number}]" for one in citations), citations
    )


_SHORTEST = 20
"""Characters of a sentence that says something."""


def _plain(sentence: str) -> str:
    # What was around brackets may look like some itself, and is set apart.
    return " ".join(_BRACKETS.sub(" ", _BRACKETS.sub("", sentence)).split())


def sentences(text: str) -> list[str]:
    """The sentences of *text*, as they stand there; of long ones their beginnings."""
    found: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        found.append(text[start : end.end()])
        start = end.end()
    found.append(text[start:])
    return [told for one in found if (told := one.strip()[:_LONGEST_QUOTE].strip())]


class _Weighed(msgspec.Struct, frozen=True):
    sentence: str
    sense: frozenset[str]


def _weighed(text: str) -> list[_Weighed]:
    return [_Weighed(one, sense_of(one)) for one in sentences(text)]


def _best(found: Sequence[_Weighed], claim: str) -> str:
    wanted = sense_of(claim)
    return max(found, key=lambda one: len(wanted & one.sense)).sentence
