"""Citations: each quotes words that stand so in its source."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from chatloom.server.research.planning import words_of


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


_NUMBER = re.compile(r"\[(\d{1,3})\]")
_NUMBERS = re.compile(r"\[(\d{1,3}(?:\s{0,2}[,;]\s{0,2}\d{1,3}){1,20})\]")
_SENTENCE = re.compile(r"[^.!?\n]{1,600}(?:[.!?]+[\"'”)]{0,2}|\n|$)")
_LONGEST_QUOTE = 300


def cited(answer: str, passages: Sequence[Passage]) -> Synthesis | None:
    """Find what the numbers of *answer*, a model's, stand for; `None` where it cites nothing.

    Numbers of passages that do not exist are taken out of the text.
    """
    told = _NUMBERS.sub(lambda found: _apart(found[1]), answer)
    citations: list[Cited] = []
    known: dict[tuple[int, str], int] = {}

    def renumbered(found: re.Match[str]) -> str:
        index = int(found[1]) - 1
        if not 0 <= index < len(passages):
            return ""
        passage = passages[index]
        quote = best_sentence(passage.text, _claim(told, found.start()))
        if not quote:
            return ""
        place = (passage.source, quote)
        if place not in known:
            known[place] = len(known) + 1
            citations.append(Cited(known[place], passage.source, quote))
        return f"[{known[place]}]"

    text = _NUMBER.sub(renumbered, told).strip()
    return Synthesis(text, citations) if citations else None


def _apart(numbers: str) -> str:
    return "".join(f"[{one.strip()}]" for one in re.split("[,;]", numbers))


def _claim(text: str, end: int) -> str:
    """What is said in front of a number: its sentence, up to there."""
    before = _NUMBER.sub("", text[max(0, end - 600) : end]).rstrip()
    start = max(before.rfind(mark, 0, max(0, len(before) - 1)) for mark in ".!?\n")
    return before[start + 1 :]


def extracted(question: str, passages: Sequence[Passage], most: int = 6) -> Synthesis:
    """Answer with the sentences of *passages* that say most of what is asked, word for word."""
    wanted = set(words_of(question))
    ranked: list[tuple[float, int, int, str]] = []
    seen = set[str]()
    for place, passage in enumerate(passages):
        for sentence in sentences(passage.text):
            plain = " ".join(sentence.split())
            if plain.casefold() in seen or len(plain) < _SHORTEST:
                continue
            seen.add(plain.casefold())
            shared = len(wanted.intersection(words_of(sentence)))
            ranked.append((-shared / (1 + len(plain) / 400), place, passage.source, sentence))
    ranked.sort(key=lambda one: one[:2])
    chosen = sorted(ranked[:most], key=lambda one: one[1])
    citations = [
        Cited(number, source, sentence) for number, (_, _, source, sentence) in enumerate(chosen, 1)
    ]
    lines = [f"{' '.join(one.quote.split())} [{one.number}]" for one in citations]
    return Synthesis(" ".join(lines), citations)


_SHORTEST = 20
"""Characters of a sentence that says something."""


def sentences(text: str) -> list[str]:
    """The sentences of *text*, as they stand there."""
    found = (one.strip() for one in _SENTENCE.findall(text))
    return [one[:_LONGEST_QUOTE].strip() for one in found if one]


def best_sentence(text: str, claim: str) -> str:
    """The sentence of *text* that shares most words with *claim*; its first one where none does."""
    wanted = set(words_of(claim))
    found = sentences(text)
    if not found:
        return ""
    return max(found, key=lambda one: len(wanted.intersection(words_of(one))))
