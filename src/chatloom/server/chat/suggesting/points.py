"""A point where a talk could branch, and which of many are worth telling."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

Divergence: TypeAlias = Literal["low", "medium", "high"]
"""How far branches lead apart: `high` for alternatives of which one is taken, `medium` for ways
of which several can be, `low` for topics that a talk may come to anyway."""

LONGEST_TRIGGER = 280
"""Characters that a point's own text has at most."""
LONGEST_TITLE = 60


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One point: characters from `start` up to and without `end`.

    *confidence* says how surely a choice is left there. From 0.9 on the text names alternatives
    as such; from 0.8 on it says that there is a choice; from 0.7 on it has a form which mostly
    offers one; below, a form which sometimes does. A model's own confidence is as it says.
    """

    start: int
    end: int
    title: str
    description: str
    reasoning: str
    confidence: float
    divergence: Divergence


def chosen(points: Iterable[Point], threshold: float, length: int) -> list[Point]:
    """Those of a text of *length* that are sure enough, the surest first; none overlap.

    Of equally sure ones the first given wins.
    """
    taken, kept = bytearray(length), list[Point]()
    for point in sorted(points, key=lambda one: -one.confidence):
        if point.confidence < threshold:
            break
        if taken.find(1, point.start, point.end) < 0:
            taken[point.start : point.end] = b"\1" * (point.end - point.start)
            kept.append(point)
    return sorted(kept, key=lambda one: (-one.confidence, one.start))


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The same without space around it, and no longer than a trigger may be."""
    piece = text[start : min(end, start + _LOOKED_AT)]
    start += len(piece) - len(piece.lstrip())
    piece = piece.strip()
    if len(piece) > LONGEST_TRIGGER:
        cut = piece.rfind(" ", LONGEST_TRIGGER // 2, LONGEST_TRIGGER)
        piece = piece[: cut if cut > 0 else LONGEST_TRIGGER].rstrip()
    return start, start + len(piece)


_LOOKED_AT = 1000
"""Characters of a passage that are looked at; the rest would be cut off anyway."""


def titled(words: str) -> str:
    """A title made of *words*: their headline where they have one, else how they begin.

    Empty where there is not a single letter or digit.
    """
    plain = " ".join(words[:_LOOKED_AT].translate(_MARKUP).split())
    for mark in _HEADLINE_ENDS:
        head = plain[: LONGEST_TITLE + len(mark)].partition(mark)
        if head[1] and len(head[0]) > 1:
            plain = head[0]
            break
    plain = plain.strip(" .:;,!-\u2013—")
    if not any(map(str.isalnum, plain)):
        return ""
    if len(plain) > LONGEST_TITLE:
        cut = plain.rfind(" ", LONGEST_TITLE // 2, LONGEST_TITLE)
        plain = plain[: cut if cut > 0 else LONGEST_TITLE - 1].rstrip(" ,;:") + "…"
    return plain[:1].upper() + plain[1:]


_MARKUP = str.maketrans("", "", '*`_#"“”')
_HEADLINE_ENDS = (": ", " \u2013 ", " — ", " - ", "\uff1a")
