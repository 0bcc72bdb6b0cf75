"""Pieces of a passage that show what was sought in it."""

from __future__ import annotations

from collections.abc import Collection

from chatloom.server.knowledge.words import Word, words

_MOST = 3
_AROUND = 70
"""Characters to either side of what was sought."""


def marked(text: str, query: Collection[str]) -> list[str]:
    """Up to three pieces of *text* around words of *query*, those in ``**``, in order.

    The pieces with the most different words are taken.
    """
    wanted = frozenset(query)
    hits = [word for word in words(text) if wanted.intersection(word.forms)]
    pieces: list[list[Word]] = []
    for hit in hits:
        if pieces and hit.end - pieces[-1][0].start <= 2 * _AROUND:
            pieces[-1].append(hit)
        else:
            pieces.append([hit])
    best = sorted(pieces, key=lambda piece: -len(_different(piece, wanted)))[:_MOST]
    return [_told(text, piece) for piece in sorted(best, key=lambda piece: piece[0].start)]


def _different(piece: list[Word], wanted: frozenset[str]) -> frozenset[str]:
    return wanted.intersection(form for word in piece for form in word.forms)


def _told(text: str, piece: list[Word]) -> str:
    start, end = _start(text, piece[0].start), _end(text, piece[-1].end)
    told, at = "", start
    for word in piece:
        told += f"{text[at : word.start]}**{text[word.start : word.end]}**"
        at = word.end
    return " ".join((told + text[at:end]).split())


def _start(text: str, at: int) -> int:
    """Where a word begins, some characters before *at*."""
    if at <= _AROUND:
        return 0
    blank = text.find(" ", at - _AROUND, at)
    return at if blank == -1 else blank + 1


def _end(text: str, at: int) -> int:
    """Where a word ends, some characters behind *at*."""
    if len(text) - at <= _AROUND:
        return len(text)
    blank = text.rfind(" ", at, at + _AROUND)
    return at if blank == -1 else blank
