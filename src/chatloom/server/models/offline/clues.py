"""What a prompt offers to fill a schema with: its numbers, names and quotations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from chatloom.core.http import JSON
from chatloom.server.models.offline.prose import topics

_QUOTED = re.compile(r"[\"“]([^\"“”\n]{1,200})[\"”]|(?<!\w)'([^'\n]{1,200})'(?!\w)")
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,10})?(?!\w)")
_NAME = re.compile(r"(?<=[^\W\d_] )[A-Z]\w+(?: [A-Z]\w+){0,3}|(?<=[,:] )[A-Z]\w+(?: [A-Z]\w+){0,3}")
_SUM = re.compile(r"[\d +*/().^%-]{3,200}")
_FORMATS = {
    "date": re.compile(r"\b\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])\b"),
    "email": re.compile(r"\b[\w.+-]{1,64}@[a-zA-Z\d-]{1,63}\.[a-zA-Z]{2,20}\b"),
    "uri": re.compile(r"\bhttps?://[\w.-]{1,200}(?:/[\w./-]{0,200})?"),
}
_FREE_TEXT = frozenset(
    ("query", "q", "question", "prompt", "text", "message", "input", "content", "search", "task")
)
_SUMS = frozenset(("expression", "formula", "equation", "calculation"))


class Clues:
    """Values found in *text*, each handed out once; *speech* answers free questions."""

    def __init__(self, text: str, speech: str, chance: Random) -> None:
        self.text = text[:4000]
        self.chance = chance
        self._speech = speech[:1000]
        self._phrases: list[str] = [
            quoted or single for quoted, single in _QUOTED.findall(self.text)
        ]
        self._phrases += _NAME.findall(self.text)
        self._numbers = [float(number) for number in _NUMBER.findall(self.text)]
        self._topics: list[str] = topics(self.text) or ["something"]

    def choose(self, choices: Sequence[JSON]) -> JSON:
        """The one of *choices* that the text names, else any."""
        for choice in choices:
            if isinstance(choice, str) and choice and names(self.text, choice):
                return choice
        return choices[int(self.chance.random() * len(choices))]

    def string(self, key: str) -> str:
        """Some text for a property named *key*."""
        if labelled := self._labelled(key):
            return labelled
        if key in _SUMS and (sums := self._sums()):
            return max(sums, key=len)
        if key in _FREE_TEXT and self._speech:
            return self._speech
        if self._phrases:
            return self._phrases.pop(0)
        return self._topics[int(self.chance.random() * len(self._topics))]

    def formatted(self, form: str) -> str | None:
        """The first piece of the text that is a *form*, where one can be told from the others."""
        pattern = _FORMATS.get(form)
        found = pattern.search(self.text) if pattern else None
        return found[0] if found else None

    def number(self, low: float, high: float, *, whole: bool) -> float | None:
        """The next number of the text between *low* and *high*."""
        for number in self._numbers:
            if low <= number <= high and not (whole and number % 1):
                self._numbers.remove(number)
                return number
        return None

    def _sums(self) -> list[str]:
        runs: list[str] = _SUM.findall(self.text)
        return [run.strip() for run in runs if any(mark.isdigit() for mark in run)]

    def _labelled(self, key: str) -> str | None:
        words = [re.escape(word) for word in re.split(r"[\W_]+", key[:64]) if word]
        if not words:
            return None
        label = r"[ _-]".join(words)
        found = re.search(
            rf"(?<!\w){label}(?:\s?[:=]|\s(?:is|of|as))\s?(?:[\"']([^\"'\n]+)[\"']|([\w@./+-]*\w))",
            self.text,
            re.I,
        )
        return (found[1] or found[2]) if found else None


def names(text: str, word: str) -> bool:
    """Whether *word* stands in *text* by itself, in any case."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.I) is not None
