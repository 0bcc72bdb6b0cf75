"""What single sentences say of a choice: comparisons, conditions, questions, alternatives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from chatloom.server.chat.suggesting.passages import Passage
from chatloom.server.chat.suggesting.points import Divergence, Point, titled, trimmed

_OR = r"(?:or|oder|ou|eller|lub|или)"
_Found: TypeAlias = tuple[int, int]
"""Where in a sentence."""


class _Wording(NamedTuple):
    """A way to say that there is a choice."""

    reasoning: str
    confidence: float
    divergence: Divergence
    description: str
    find: Callable[[str], _Found | None]


def _whole(*patterns: str) -> Callable[[str], _Found | None]:
    """Find a sentence that holds all *patterns*, one behind the other."""
    compiled = [re.compile(pattern, re.I) for pattern in patterns]

    def find(words: str) -> _Found | None:
        at = 0
        for pattern in compiled:
            found = pattern.search(words, at)
            if found is None:
                return None
            at = found.end()
        return 0, len(words)

    return find


def _from(first: str, second: str) -> Callable[[str], _Found | None]:
    """Find what a sentence says from *first* on, where *second* follows."""
    whole, start = _whole(first, second), re.compile(first, re.I)

    def find(words: str) -> _Found | None:
        found = start.search(words)
        return (found.start(), len(words)) if found and whole(words) else None

    return find


_AGAINST = re.compile(r"(?<=[\w)\"'`]) (?:vs\.?|versus) (?=[\w(\"'`])", re.I)
_CLAUSE_END = re.compile(r"[,;:()\[\]?!—\u2013]|(?<!vs)\.(?: |$)", re.I)
_LEADING = re.compile(
    r"^.{0,80}\b(?:comparing|compare|between|about|on|consider|considering|of|is|are|was) ", re.I
)
_TRAILING = re.compile(
    r" (?:for|is|are|was|were|in|on|at|to|with|when|while|because|as|if|and|but|which|that)\b", re.I
)
_SIDE = 80
"""Characters to either side that may belong to what is compared."""


def _compared(words: str) -> _Found | None:
    """Find what is set against what, without the rest of the sentence."""
    found = _AGAINST.search(words)
    if found is None:
        return None
    left = words[max(0, found.start() - _SIDE) : found.start()]
    if len(left) == _SIDE:
        left = left.partition(" ")[2]
    for ended in [*_CLAUSE_END.finditer(left)][-1:]:
        left = left[ended.end() :]
    if leading := _LEADING.match(left):
        left = left[leading.end() :]
    right = words[found.end() : found.end() + _SIDE]
    if len(right) == _SIDE:
        right = right.rpartition(" ")[0]
    for pattern in (_CLAUSE_END, _TRAILING):
        right = right[: end.start()] if (end := pattern.search(right)) else right
    return found.start() - len(left.lstrip()), found.end() + len(right)


_QUESTION_MARKS = ("?", "\uff1f", "؟")


def is_question(words: str) -> bool:
    """Whether a sentence asks something, in whatever language."""
    return words[-_TAIL:].rstrip(" \"'”\u2019)").endswith(_QUESTION_MARKS)


_TAIL = 10
"""Characters in which a sentence ends."""


def _question(*patterns: str) -> Callable[[str], _Found | None]:
    """Find a question that holds all *patterns*."""
    asked = _whole(*patterns)
    return lambda words: asked(words) if is_question(words) else None


_WORDINGS = (
    _Wording("Sets one thing against another.", 0.85, "high", "Look closer at {}.", _compared),
    _Wording(
        "Says “either … or”.",
        0.85,
        "high",
        "Take one side of {}.",
        _from(r"\b(?:either|entweder)\b", rf"\b{_OR}\b"),
    ),
    _Wording(
        "Asks which of several it is to be.",
        0.85,
        "high",
        "Answer {} in a way of its own.",
        _question(rf"\b{_OR}\b"),
    ),
    _Wording(
        "Begins an alternative to what stands before.",
        0.82,
        "high",
        "Follow the other way: {}.",
        _whole(
            r"(?:^|[;,] )(?:or |and |but )?(?:alternatively|as an alternative|another (?:option"
            r"|approach|way|possibility|idea|alternative|route|choice)|alternativ)\b"
        ),
    ),
    _Wording(
        "Names a condition, and what else holds.",
        0.82,
        "high",
        "Follow the case of {}.",
        _whole(r"\b(?:if|wenn|falls)\b", r"\b(?:otherwise|else|if not|ansonsten|sonst)\b"),
    ),
    _Wording(
        "Names what somebody may want, and what follows from it.",
        0.8,
        "medium",
        "Follow the case of {}.",
        _whole(
            r"\bif (?:you|we|they|your)\b(?:['\u2019]re)?.{0,20}?\b(?:want|need|prefer|like|wish"
            r"|plan|rather|choose|care|value|looking|are|have|goal)\b"
        ),
    ),
    _Wording(
        "Says “whether … or”.",
        0.8,
        "high",
        "Decide {}.",
        _from(r"\bwhether\b", rf"\b{_OR}\b"),
    ),
    _Wording(
        "Says what could be done, or else.",
        0.8,
        "high",
        "Take one side of {}.",
        _whole(r"\b(?:you|we|i|they|one) (?:could|can|might|may|should)\b", rf"\b{_OR}\b"),
    ),
    _Wording(
        "Asks for a decision.",
        0.78,
        "medium",
        "Answer {} in a way of its own.",
        _question(
            r"^\W{0,3}(?:(?:and|so|but),? )?(?:which|should|shall|what about|how about"
            r"|would you|do you (?:want|prefer))\b"
        ),
    ),
    _Wording(
        "Shows the other side of what stands before.",
        0.75,
        "medium",
        "Follow the other side: {}.",
        _whole(
            r"(?:^|[;,] )(?:but |and )?(?:on the other hand|conversely|in contrast|by contrast"
            r"|instead|otherwise)\b,? "
        ),
    ),
    _Wording(
        "Says on what it depends.",
        0.75,
        "medium",
        "Follow one case of {}.",
        _whole(r"\b(?:depend(?:s|ing) (?:up)?on|it depends)\b"),
    ),
    _Wording(
        "Weighs one against another.",
        0.75,
        "medium",
        "Look closer at {}.",
        _whole(
            r"\b(?:compared (?:to|with)|differences? between|pros and cons|trade-?offs?"
            r"|rather than)\b"
        ),
    ),
    _Wording(
        "Names a condition.",
        0.6,
        "medium",
        "Follow the case of {}.",
        _whole(r"^\W{0,3}(?:if|unless|in case|wenn|falls|si)\b"),
    ),
)


def wording_point(text: str, sentence: Passage) -> Iterator[Point]:
    """The point that a sentence is, by the surest of its wordings."""
    for wording in _WORDINGS:
        if (found := wording.find(sentence.words)) is not None:
            start, end = trimmed(text, sentence.start + found[0], sentence.start + found[1])
            yield from _point(text, start, end, wording)
            return


def _point(text: str, start: int, end: int, wording: _Wording) -> Iterator[Point]:
    if title := titled(text[start:end]):
        yield Point(
            start=start,
            end=end,
            title=title,
            description=wording.description.format(f"“{title}”"),
            reasoning=wording.reasoning,
            confidence=wording.confidence,
            divergence=wording.divergence,
        )


_ALONE = _Wording("Asks something.", 0.6, "low", "Answer {}.", _question())
_OF_SEVERAL = _Wording(
    "One of several questions, each of which can be followed.",
    0.72,
    "low",
    "Answer {}.",
    _question(),
)


def question_point(text: str, question: Passage, *, is_alone: bool) -> Iterator[Point]:
    """The point that a question is which no other wording tells; others make it a likelier one."""
    start, end = trimmed(text, question.start, question.end)
    yield from _point(text, start, end, _ALONE if is_alone else _OF_SEVERAL)
