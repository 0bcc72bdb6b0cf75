"""What is searched for: the question itself, and what a model would ask besides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from chatloom.server.chat.message import Message
from chatloom.server.knowledge.words import forms

Depth: TypeAlias = Literal["shallow", "medium", "deep"]


class Effort(msgspec.Struct, frozen=True):
    """How much is done for a question."""

    queries: int
    results: int
    """Of each query, from each provider."""
    sources: int
    """That are read, where the request does not say."""
    passages: int
    """That the model is told."""


EFFORTS: Mapping[Depth, Effort] = {
    "shallow": Effort(queries=1, results=5, sources=3, passages=6),
    "medium": Effort(queries=3, results=8, sources=6, passages=12),
    "deep": Effort(queries=6, results=12, sources=12, passages=24),
}

_LONGEST = 200
"""Characters of a query."""

_TASK = (
    "Somebody asks a question. Name {count} short search queries that together would find what is"
    " needed to answer it: other words for it, its parts, what it presupposes. One query on each"
    " line, nothing else."
)


def request_for_queries(question: str, count: int) -> list[Message]:
    """Ask a model for *count* more queries."""
    task = _TASK.format(count=count)
    return [Message(role="system", content=task), Message(role="user", content=question)]


def queries_of(question: str, told: str, count: int) -> list[str]:
    """The question, and what a model told of it as far as that can be searched for.

    At most *count*; where the model told nothing usable, parts of the question itself.
    """
    lines = [_MARK.sub("", line).strip().strip("\"'“”") for line in told.splitlines()]
    named = [line for line in lines if 2 < len(line) <= _LONGEST and _is_query(line, question)]
    queries: dict[str, str] = {}
    for one in (_short(question), *named, *_parts(question)):
        if one:
            queries.setdefault(" ".join(_SPELLED.findall(one.casefold())) or one, one)
    return list(queries.values())[:count]


_SPELLED = re.compile(r"\w+")
_MARK = re.compile(r"^\s{0,8}(?:[-*•]|\d{1,3}[.)])\s{1,4}")
_WORD = re.compile(r"\w{3,40}")


def words_of(text: str) -> list[str]:
    """The words of *text* that say something, in lower case."""
    return [word for word in _WORD.findall(text.casefold()) if word not in STOP_WORDS]


def sense_of(text: str) -> frozenset[str]:
    """What *text* is about: the forms of its words, by which other texts about it are known."""
    return frozenset(forms(text)) - _SENSELESS


def _is_query(line: str, question: str) -> bool:
    """Whether a line is to be searched for, and no talk: other words for it share none with it."""
    count = len(line.split())
    if line[-1] in ".!:,;\u3002":
        return False
    is_about = not sense_of(question).isdisjoint(sense_of(line))
    return count <= (_MOST_WORDS if is_about else _FEW_WORDS)


_MOST_WORDS = 16
_FEW_WORDS = 7


def _short(question: str) -> str:
    told = " ".join(question.split())
    if len(told) <= _LONGEST:
        return told
    return " ".join(words_of(told))[:_LONGEST].rpartition(" ")[0] or told[:_LONGEST]


def _parts(question: str) -> Sequence[str]:
    """The clauses of a question, and its words without the rest."""
    clauses = [part.strip() for part in _CLAUSE.split(question)]
    return [
        " ".join(words_of(question))[:_LONGEST],
        *(one for one in clauses if len(words_of(one)) > 1 and len(one) <= _LONGEST),
    ]


_CLAUSE = re.compile(r"[,;:?.!]|\band\b|\bor\b|\bund\b|\boder\b")

# English, then the commonest of German, French and Spanish.
_STOP = """
the and for are was were has had have with that this these those from into how what why when where
which who whom does did can could should would will shall about not but you your our their its his
her they them than then there here also any all some more most other such only
an in on at of to is it do be by we he if or as so my no up us me am
der die das und oder ein eine einer eines ist sind wie was warum wann wer welche nicht mit von auf
aus bei zum zur le la du de et en un el les des une est pour dans avec que qui los las una por
para con
"""
STOP_WORDS = frozenset(_STOP.split())
"""Words that say nothing about what is sought."""
_SENSELESS = frozenset(forms(_STOP)) | frozenset("abcdefghijklmnopqrstuvwxyz")
