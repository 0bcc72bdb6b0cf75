"""Alternatives that a text names one behind the other: option A and option B, first and second."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from chatloom.server.chat.suggesting.passages import Passage, sentences
from chatloom.server.chat.suggesting.points import Divergence, Point, titled, trimmed

_LABEL = re.compile(
    r"\b(?P<noun>options?|alternatives?|choices?|approach|plan|variant|scenario|path|method"
    r"|strategy|solution|variante|opci[óo]n|opzione|ansatz|szenario)"
    r" (?P<label>[A-Z]|\d{1,2}|one|two|three|four|five)(?![\w-])"
    r"(?P<mark>[\"'*_`)]{0,3}\s?[:.)\u2013—-]{0,2}[\"'*_`]{0,3})",
    re.I,
)


class _Labelled(NamedTuple):
    name: str
    said: Passage
    """From the label on."""
    title: str


def labelled_points(text: str, lines: Iterable[Passage]) -> Iterator[Point]:
    """What is called an option, a plan and so on by letter or number, where there are several."""
    by_noun: dict[str, list[_Labelled]] = {}
    for line in lines:
        found = [one for one in _LABEL.finditer(line.words) if _is_label(one)]
        for at, one in enumerate(found):
            end = found[at + 1].start() if at + 1 < len(found) else len(line.words)
            rest = line.part(one.start(), min(end, one.start() + _LONGEST))
            noun = one["noun"].lower().rstrip("s")
            by_noun.setdefault(noun, []).append(_labelled(text, rest, one))
    for labelled in by_noun.values():
        count = len({one.name for one in labelled})
        if count > 1:
            yield from (_named(one, count) for one in labelled)


def _is_label(found: re.Match[str]) -> bool:
    """Whether a letter names something: not in "the option a user has"."""
    return found["label"] not in {"a", "i", "I"} or bool(found["mark"].strip())


_LONGEST = 400
_LOOSE_END = re.compile(
    r"[\s,;:]{0,4}(?:\b(?:and|or|und|oder|while|but|whereas)\b)?[\s,;:]{0,4}$", re.I
)


def _labelled(text: str, rest: Passage, found: re.Match[str]) -> _Labelled:
    """What *rest* says from a label on, up to the end of its sentence, or the next label."""
    mark = found.end() - found.start()
    behind = rest.part(mark, len(rest.words))
    first = next(sentences(behind), behind)
    tail = first.words[-_TAIL:]
    loose = _LOOSE_END.search(tail)
    told = first.words[: len(first.words) - (len(tail) - loose.start() if loose else 0)]
    start, end = trimmed(text, rest.start, first.start + len(told))
    label = found["label"]
    name = f"{found['noun'].capitalize()} {label.upper() if len(label) == 1 else label.lower()}"
    # "Option A is cheap" says all in one; "Option A: a cheap one" calls it by its name first.
    title = titled(told if found["mark"].strip() else text[start:end])
    return _Labelled(name, Passage(start, end, text[start:end]), title or name)


_TAIL = 20
"""Characters of a loose end that are looked at."""


def _named(one: _Labelled, count: int) -> Point:
    return Point(
        start=one.said.start,
        end=one.said.end,
        title=one.title,
        description=f"Go on with “{one.title}”, one of {count} alternatives named here.",
        reasoning=f"The text names {count} alternatives by letter or number; this is {one.name}.",
        confidence=0.95,
        divergence="high",
    )


_SEVERAL = re.compile(
    r"\b(?:(?P<choice>options|alternatives|choices|approaches|ways|methods|strategies|solutions"
    r"|possibilities|paths|directions|routes|candidates|m[öo]glichkeiten|alternativen)"
    r"|(?P<topic>ideas|topics|areas|aspects|factors|themes|questions|languages|frameworks|tools"
    r"|libraries|themen|aspekte))\b[^:,.;!?]{0,60}?"
    r"(?::|,? such as|,? including|,? namely| are| like) ",
    re.I,
)
_BETWEEN = re.compile(r",? (?:and|or|und|oder|et|ou|y|o|e) |, ", re.I)
_LONGEST_NAME = 60


def enumerated_points(text: str, sentence: Passage) -> Iterator[Point]:
    """The items of an enumeration behind a word for several: approaches such as A, B and C."""
    found = _SEVERAL.search(sentence.words)
    if found is None:
        return
    rest = sentence.part(found.end(), min(len(sentence.words), found.end() + _LONGEST))
    items = list(_items(rest))
    if len(items) < 2 or any(not 0 < len(item.words) <= _LONGEST_NAME for item in items):
        return
    is_choice = found["choice"] is not None
    for item in items:
        if title := titled(item.words):
            yield Point(
                start=item.start,
                end=item.end,
                title=title,
                description=f"Go on with “{title}”, one of {len(items)} that are named here.",
                reasoning=f"One of {len(items)} {(found['choice'] or found['topic']).lower()}"
                " that a sentence names.",
                confidence=0.85 if is_choice else 0.75,
                divergence="high" if is_choice else "low",
            )


def _items(rest: Passage) -> Iterator[Passage]:
    start = 0
    ends = [(one.start(), one.end()) for one in _BETWEEN.finditer(rest.words)]
    for end, following in [*ends, (len(rest.words), len(rest.words))]:
        piece = rest.words[start:end]
        bare = piece.strip(" \t.!?:;,()\"'")
        at = start + piece.find(bare)
        yield rest.part(at, at + len(bare))
        start = following


_ORDINAL = re.compile(
    r"^\W{0,3}(?:and |but )?(?P<ordinal>first(?:ly)?|second(?:ly)?|third(?:ly)?|fourth(?:ly)?"
    r"|finally|lastly|on the one hand|erstens|zweitens|drittens)(?: of all)?(?:,| is\b|:)",
    re.I,
)
_FIRST = frozenset({"first", "firstly", "on the one hand", "erstens"})


class Ordinals:
    """Sentences that are counted: first …, second …, finally …"""

    def __init__(self, text: str) -> None:
        self._text = text
        self._counted: list[tuple[Passage, int]] = []

    def hear(self, sentence: Passage) -> Iterator[Point]:
        """Hear the next sentence; tells what was counted where it counts anew."""
        found = _ORDINAL.match(sentence.words)
        if found is None:
            return
        if found["ordinal"].lower() in _FIRST:
            yield from self.end()
            self._counted = [(sentence, found.end())]
        elif self._counted:
            self._counted.append((sentence, found.end()))

    def end(self) -> Iterator[Point]:
        """Tell what was counted, where it was more than one."""
        count = len(self._counted)
        for sentence, behind in self._counted if count > 1 else ():
            start, end = trimmed(self._text, sentence.start, sentence.end)
            if title := titled(sentence.words[behind:]):
                yield _ordinal(start, end, title, count)
        self._counted = []


def _ordinal(start: int, end: int, title: str, count: int) -> Point:
    divergence: Divergence = "low"
    return Point(
        start=start,
        end=end,
        title=title,
        description=f"Go on with “{title}”, one of {count} points that are counted here.",
        reasoning=f"One of {count} sentences that are counted: first, second and so on.",
        confidence=0.75,
        divergence=divergence,
    )
