"""Markdown as models write it, parsed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token


@cache
def _parser() -> MarkdownIt:
    # Without HTML and definitions of links, which would be left out of what is shown.
    parser = MarkdownIt("commonmark", {"html": False})
    return parser.enable(["table", "strikethrough"]).disable("reference")


def parse(text: str) -> list[Token]:
    """Parse *text*; what a terminal cannot show is put into words."""
    tokens = _parser().parse(text)
    for token in tokens:
        if token.children:
            token.children = list(_in_words(token.children))
    return tokens


def _in_words(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type == "softbreak":  # who writes a line end in a chat means one
            yield Token("hardbreak", "br", 0)
        elif token.type == "image":
            yield Token("text", "", 0, content=f"{token.content} ({token.attrs.get('src', '')})")
        elif token.markup != "autolink":  # or its address would be told twice
            yield token
