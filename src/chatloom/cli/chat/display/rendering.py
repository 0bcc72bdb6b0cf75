"""Blocks of Markdown as lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, TypeAlias

from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.markdown import CodeBlock, Heading, HorizontalRule, ListItem, Markdown, MarkdownElement
from rich.segment import Segment
from rich.syntax import Syntax
from rich.text import Text
from rich.theme import Theme

from chatloom.cli.chat.display.blocks import Block, Code
from chatloom.cli.chat.display.parsing import parse

Line: TypeAlias = list[Segment]

WIDEST = 100
"""Columns; longer lines of prose are hard to read."""

THEME = Theme(
    {
        "markdown.h1": "bold cyan",
        "markdown.h2": "bold cyan",
        "markdown.h3": "bold",
        "markdown.h4": "bold",
        "markdown.h5": "italic",
        "markdown.h6": "italic",
        "markdown.code": "cyan",
        "markdown.item.bullet": "cyan",
        "markdown.item.number": "cyan",
        "markdown.block_quote": "italic",
        "markdown.hr": "dim",
        "markdown.link": "underline",
        "markdown.link_url": "blue",
        "markdown.table.header": "bold",
        "markdown.table.border": "dim",
        "chat.fence": "dim",
        "chat.note": "dim",
        "chat.problem": "red",
    }
)
"""The terminal's own colours, which can be read on its own background."""

_COLOURS = "ansi_dark"
_CONTEXT = 100
"""Lines above, of which the colours of a line of code may depend."""


class _Heading(Heading):
    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {}


class _CodeBlock(CodeBlock):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("\n").join(code_lines(str(self.text).rstrip("\n"), self.lexer_name))


class _ListItem(ListItem):
    def render_number(
        self, console: Console, options: ConsoleOptions, number: int, last_number: int
    ) -> RenderResult:
        numeral = f" {number}. "
        inside = options.update(width=options.max_width - len(numeral))
        style = console.get_style("markdown.item.number")
        for at, line in enumerate(console.render_lines(self.elements, inside, style=self.style)):
            yield Segment(" " * len(numeral) if at else numeral, style)
            yield from line
            yield Segment.line()


class _Rule(HorizontalRule):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("───", console.get_style("markdown.hr"))


class _Rendered(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _CodeBlock,
        "code_block": _CodeBlock,
        "hr": _Rule,
        "list_item_open": _ListItem,
    }

    def __init__(self, source: str) -> None:
        super().__init__("", justify="default", hyperlinks=False)
        self.parsed = parse(source)


def lines_of(block: Block, console: Console, start: int = 0) -> list[Line]:
    """Write *block* as lines, from the one numbered *start*.

    They are no wider than the terminal; code may be.
    """
    if isinstance(block, Code):
        return _lines_of_code(block, console, start)
    options = console.options.update(width=min(console.width, WIDEST), height=None)
    lines = console.render_lines(_Rendered(block.source), options, pad=False)
    return _without_gaps([_stripped(line) for line in lines])[start:]


def changing(block: Block, lines: Sequence[Line]) -> int:
    """How many of *lines*, its last ones, may read otherwise once *block* has grown."""
    if isinstance(block, Code):
        return 2 if block.source else 1  # the line being written, and the closing fence
    return len(lines)


def _lines_of_code(block: Code, console: Console, start: int) -> list[Line]:
    fence = console.get_style("chat.fence")
    head = [] if start else [[Segment(f"```{block.language}", fence)]]
    return [*head, *_code_from(max(0, start - 1), block, console), [Segment("```", fence)]]


def _code_from(start: int, block: Code, console: Console) -> Iterator[Line]:
    context = max(0, start - _CONTEXT)
    code = "\n".join(block.source.split("\n")[context:])
    for line in code_lines(code, block.language)[start - context :] if block.source else ():
        yield list(line.render(console, end=""))


def code_lines(code: str, language: str) -> list[Text]:
    """Colour *code*, line by line."""
    code = code.expandtabs(4)
    plain = code.split("\n")
    text = Syntax(code, language or "text", theme=_COLOURS).highlight(code)
    lines = list(text.split("\n", allow_blank=True))[: len(plain)]
    # Colours are not worth a single changed character.
    return lines if [line.plain for line in lines] == plain else list(map(Text, plain))


def _stripped(line: Iterable[Segment]) -> Line:
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        text, style, _ = kept[-1]
        kept[-1] = Segment(text.rstrip(), style)
    return kept


def _without_gaps(lines: list[Line]) -> list[Line]:
    while lines and not lines[0]:
        del lines[0]
    while lines and not lines[-1]:
        del lines[-1]
    return lines
