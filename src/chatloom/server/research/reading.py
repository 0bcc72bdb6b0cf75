"""What is read of a source: its text, in passages that bear on the question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec

from chatloom.server.research.citing import Passage
from chatloom.server.research.planning import words_of
from chatloom.server.research.sources import Page, SourceError

_LONGEST_TEXT = 400_000
"""Characters of a page that are read."""
_PASSAGE = 900
"""Characters of a passage, about."""
_HTML = ("text/html", "application/xhtml+xml")


async def text_of(page: Page) -> str:
    """The readable text of a page. Raises `SourceError` where it has none."""
    kind = page.content_type.partition(";")[0].strip().lower()
    if kind in _HTML:
        return await asyncio.to_thread(_extract, page.body)
    if kind.startswith("text/") or kind in {"application/json", "application/xml"}:
        return page.body.decode("utf-8", "replace")[:_LONGEST_TEXT]
    raise SourceError(f"{kind or 'something without a type'} is nothing that can be read here")


def _extract(body: bytes) -> str:
    if find_spec("trafilatura") is None:
        raise SourceError("web pages are read with trafilatura: pip install 'chatloom[knowledge]'")
    import trafilatura

    text = trafilatura.extract(body.decode("utf-8", "replace"), include_comments=False)
    if not text:
        raise SourceError("the page has no text that could be read")
    return text[:_LONGEST_TEXT]


def passages_of(source: int, text: str, question: str, most: int) -> list[Passage]:
    """The *most* passages of a source's text that bear most on the question, as they stand there.

    Passages end at paragraphs where they can, else at sentences or words.
    """
    wanted = set(words_of(question))
    parts = _split(text)
    weights = [len(wanted.intersection(words_of(part))) for part in parts]
    ranked = sorted(range(len(parts)), key=lambda place: (-weights[place], place))[:most]
    return [Passage(source, parts[place]) for place in sorted(ranked)]


def _split(text: str) -> Sequence[str]:
    parts: list[str] = []
    start = 0
    while start < len(text):
        end = min(len(text), start + _PASSAGE)
        if end < len(text):
            end = _border(text, start, end)
        part = text[start:end].strip()
        if part:
            parts.append(part)
        start = end
    return parts


def _border(text: str, start: int, end: int) -> int:
    """Where to end a passage that would end at *end*: not before half of it."""
    half = start + _PASSAGE // 2
    for mark in ("\n\n", "\n", ". ", " "):
        found = text.rfind(mark, half, end)
        if found != -1:
            return found + len(mark)
    return end
