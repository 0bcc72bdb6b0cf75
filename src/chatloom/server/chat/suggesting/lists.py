"""Lists: every item is somewhere a talk could go, in whatever language it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from chatloom.server.chat.suggesting.passages import Passage, sentences
from chatloom.server.chat.suggesting.points import Divergence, Point, titled, trimmed

_MARKER = re.compile(
    r"(?P<indent>[ \t]{0,24})"
    r"(?:(?P<bulleted>[-*•\u2013—‣·+][ \t]{1,4})"
    r"|(?P<numbered>\(?\d{1,2}[.)][ \t]{1,4}|\d{1,2}[、\uff0e][ \t]{0,4}|[①-⑳][ \t]{0,4})"
    r"|(?P<lettered>\(?[A-Za-z][.)][ \t]{1,4}))(?=\S)"
)
_CHOICE = re.compile(
    r"\b(?:options?|alternatives?|choices?|approach(?:es)?|ways?|possibilit(?:y|ies)|ideas?|paths?"
    r"|directions?|methods?|strateg(?:y|ies)|solutions?|candidates?|either|choose|consider"
    r"|could|suggestions?|recommendations?|m[öo]glichkeiten|alternativen|opciones|opzioni)\b",
    re.I,
)
_ORDER = re.compile(r"\b(?:steps?|instructions?|procedure|how to|recipe|in order)\b", re.I)


class _Run:
    """Items of one list, as far as they have been seen."""

    def __init__(self, kind: str, indent: int, lead: str) -> None:
        self.kind = kind
        self.indent = indent
        self.lead = lead
        self.items: list[Passage] = []

    def points(self) -> Iterator[Point]:
        """Its items, where it is a list at all."""
        if len(self.items) < 2:
            return
        confidence, divergence, what = self._worth()
        count = len(self.items)
        reasoning = f"An item of a {self.kind} list of {count}"
        if self.lead:
            reasoning += f" that is introduced by “{titled(self.lead)}”"
        for item in self.items:
            if title := titled(item.words):
                yield Point(
                    start=item.start,
                    end=item.end,
                    title=title,
                    description=f"Go on with “{title}”, one of {count} {what}.",
                    reasoning=f"{reasoning}.",
                    confidence=confidence,
                    divergence=divergence,
                )

    def _worth(self) -> tuple[float, Divergence, str]:
        if _ORDER.search(self.lead):
            return 0.5, "low", "steps"
        if _CHOICE.search(self.lead):
            return 0.9, "high", "alternatives"
        if self.lead.endswith((":", "?", "\uff1a", "\uff1f")):
            return 0.78, "medium", "points listed here"
        return 0.72, "medium", "points listed here"


def list_points(text: str, lines: Iterable[Passage]) -> Iterator[Point]:
    """The items of all lists, those inside items of others too."""
    runs: list[_Run] = []
    lead, blanks = "", 0
    for line in lines:
        if not line.words.strip():
            blanks += 1
            continue
        found = _MARKER.match(line.words)
        if found is None:
            indent = len(line.words) - len(line.words.lstrip(" \t"))
            while runs and (indent <= runs[-1].indent or blanks > 1):
                yield from runs.pop().points()
            lead = line.words[-_LEAD:].strip().rpartition(". ")[2]
        else:
            kind, indent = found.lastgroup or "", len(found["indent"])
            while runs and runs[-1].indent > indent:
                yield from runs.pop().points()
            if runs and runs[-1].indent == indent and (runs[-1].kind != kind or blanks > 2):
                yield from runs.pop().points()
            if not runs or runs[-1].indent < indent:
                runs.append(_Run(kind, indent, lead))
            if (item := _item(text, line, found.end())) is not None:
                runs[-1].items.append(item)
                lead = item.words[-_LEAD:]
        blanks = 0
    for run in reversed(runs):
        yield from run.points()


_LEAD = 200
"""Characters of what stands above a list that are looked at."""


def _item(text: str, line: Passage, at: int) -> Passage | None:
    start, end = trimmed(text, line.start + at, line.end)
    words = text[start:end]
    return Passage(start, end, words) if any(map(str.isalnum, words)) else None


class _Mark(NamedTuple):
    start: int
    end: int
    number: int


_INLINE = re.compile(r"(?<![\w(])\(?(?:(\d{1,2})|([a-h]))\)[ \t]{1,2}(?=\w)")


def inline_points(text: str, line: Passage) -> Iterator[Point]:
    """The items of a list that stands within a line: (1) one, (2) another."""
    marks: list[_Mark] = []
    for found in _INLINE.finditer(line.words):
        number = int(found[1]) if found[1] else ord(found[2]) - ord("a") + 1
        if number == 1 or not marks or number != marks[-1].number + 1:
            yield from _inline(text, line, marks)
            marks = []
        if number == len(marks) + 1:
            marks.append(_Mark(found.start(), found.end(), number))
    yield from _inline(text, line, marks)


def _inline(text: str, line: Passage, marks: list[_Mark]) -> Iterator[Point]:
    if len(marks) < 2:
        return
    for at, mark in enumerate(marks):
        end = marks[at + 1].start if at + 1 < len(marks) else len(line.words)
        rest = line.part(mark.end, min(end, mark.end + _LONGEST_INLINE))
        first = next(sentences(rest), rest)
        words = _JOINT.sub("", first.words.rstrip(" \t,;.!"))
        start, end = trimmed(text, rest.start, first.start + len(words))
        if title := titled(text[start:end]):
            yield Point(
                start=start,
                end=end,
                title=title,
                description=f"Go on with “{title}”, one of {len(marks)} points named here.",
                reasoning=f"One of {len(marks)} points that are numbered within a line.",
                confidence=0.8,
                divergence="medium",
            )


_LONGEST_INLINE = 600
_JOINT = re.compile(r"[,;]? (?:and|or|und|oder|et|ou)$", re.I)
