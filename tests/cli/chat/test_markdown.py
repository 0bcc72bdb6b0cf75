"""Markdown that is shown while it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatloom.cli.chat.display.blocks import Block, Blocks, Code
from chatloom.cli.chat.display.pages import MarkdownPage
from cli.chat.terminal import Terminal


def shown(*pieces: str, width: int = 80, height: int = 24) -> str:
    """What is on a terminal in the end, where *pieces* were drawn one after the other."""
    terminal = Terminal(width, height)
    page = MarkdownPage(terminal.console())
    for piece in pieces:
        page.add(piece)
        page.draw("a passing note")
    page.end()
    assert terminal.shows_cursor
    return terminal.text


def blocks(text: str) -> list[Block]:
    splitter = Blocks()
    return [*splitter.feed(text), *splitter.end()]


LINES = st.sampled_from(
    [
        "",
        "",
        "Rivers **find** the *sea* by `gravity` and [maps](https://example.org), mostly",
        "a very_long_word_" + "that_goes_on_" * 8,
        "日本語のテキストも正しく折り返されるべきです、とても長いので",
        "# One",
        "## Two",
        "===",
        "---",
        "- item",
        "* other",
        "  - nested",
        "    deeper",
        "1. first",
        "2) second",
        "10. tenth",
        "> quote",
        "> - in a quote",
        "```",
        "```python",
        "~~~~",
        "  ```",
        "    def code(): return '''",
        "\tx = 1  # tab",
        "| a | b |",
        "|---|--:|",
        "| 1 | 長江 |",
        "<div>not html</div>",
        "[1]: https://example.org",
        "![map](a.png)",
        "**open",
        "`open",
        "\\",
        "&amp; é e\u0301",
    ]
)
LETTERS = st.text("ab *_`#>|-1.\n\t~[]()<\\日", max_size=60)
TEXTS = st.lists(LINES | LETTERS, max_size=14).map("\n".join)


@st.composite
def partitioned(draw: st.DrawFn) -> list[str]:
    text = draw(TEXTS)
    cuts = draw(st.lists(st.integers(0, len(text)), max_size=20))
    places = [0, *sorted(cuts), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


@given(pieces=partitioned(), width=st.integers(12, 60), height=st.integers(2, 12))
@example(pieces=["one\n", "", "***\n", "\n"], width=20, height=2)
@example(pieces=["```py\na\nb", "\nc\n``", "`\nend"], width=20, height=3)
def test_any_split_of_the_text_gives_the_same_screen(
    pieces: list[str], width: int, height: int
) -> None:
    whole = shown("".join(pieces), width=width, height=1000)
    assert shown(*pieces, width=width, height=height) == whole


@given(text=TEXTS)
def test_no_word_is_lost(text: str) -> None:
    told = shown(text, width=100, height=1000)
    for word in re.findall(r"\b(?!amp)[a-z]{2,}|[\u3000-\u9fff]", text):
        assert word in told


CUT: dict[str, tuple[str, Sequence[str]]] = {
    "paragraphs": ("one\ntwo\n\n\nthree", ["one\ntwo", "three"]),
    "a heading needs no gap": ("# a\nb", ["# a", "b"]),
    "a heading above a line": ("a\n---\nb", ["a\n---", "b"]),
    "items": ("- a\n- b\n  more\n- c", ["- a", "- b\n  more", "- c"]),
    "what belongs to an item": ("1. a\n\n   b\n   - c\n2. d", ["1. a\n\n   b\n   - c", "2. d"]),
    "two lists": ("- a\n* b", ["- a", "* b"]),
    "a table": ("a\n| b |\n|---|\n| c |\n\nd", ["a", "| b |\n|---|\n| c |", "d"]),
    "code": ("a\n```py\n\n- b\n```\nc", ["a", "\n- b", "c"]),
    "longer fences": ("````\n```\n````\nc", ["```", "c"]),
    "code without an end": ("~~~\na\n", ["a"]),
}


@pytest.mark.parametrize(("text", "sources"), CUT.values(), ids=CUT)
def test_text_is_cut_into_blocks(text: str, sources: Sequence[str]) -> None:
    assert [block.source for block in blocks(text)] == sources


def test_items_stand_as_their_writer_set_them() -> None:
    assert shown("- a\n- b\n\n- c") == " • a\n • b\n\n • c"


def test_code_keeps_its_language_and_loses_its_indentation() -> None:
    (code,) = blocks("  ```rust x\n  a\n    b\n c\n  ```")
    assert code == Code("a\n  b\nc", True, "rust")


SEEN = {
    "a line end is one": ("Roses\nViolets", "Roses\nViolets"),
    "what looks like HTML": ("use Vec<T> and <br>", "use Vec<T> and <br>"),
    "links tell where to": ("[a](https://b.c)", "a (https://b.c)"),
    "bare links tell once": ("<https://b.c>", "https://b.c"),
    "pictures": ("![a](b.png)", "a (b.png)"),
    "definitions of links": ("[1]: https://b.c", "[1]: https://b.c"),
    "numbers go on": ("9. a\n10. b", " 9. a\n 10. b"),
    "code is no Markdown": ("```\n**a**\n```", "```\n**a**\n```"),
}


@pytest.mark.parametrize(("text", "expected"), SEEN.values(), ids=SEEN)
def test_nothing_is_left_out(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_long_code_reads_on_behind_the_terminals_height() -> None:
    code = [f"line {number}" for number in range(100)]
    text = "\n".join(["```", *code, "```"])
    terminal = Terminal(40, 8)
    page = MarkdownPage(terminal.console())
    for start in range(0, len(text), 7):
        page.add(text[start : start + 7])
        page.draw()
    page.end()
    assert terminal.text == text


def test_a_long_line_of_code_is_not_broken() -> None:
    line = "x" * 200
    terminal = Terminal(30, 10)
    page = MarkdownPage(terminal.console())
    page.add(f"```\n{line}\n```\n")
    page.end()
    assert terminal.text.replace("\n", "") == f"```{line}```"


def test_whole_blocks_are_drawn_once() -> None:
    """Else each piece of a long answer would cost more than the one before."""
    drawn: list[str] = []

    class Watched(Terminal):
        def write(self, text: str, /) -> int:
            drawn.append(text)
            return super().write(text)

    page = MarkdownPage(Watched().console())
    for number in range(200):
        page.add(f"paragraph {number}\n\n")
        page.draw()
    page.end()
    assert sum(text.count("paragraph 0\n") for text in drawn) <= 2
    assert max(map(len, drawn)) < 200


HALF = {
    "strong": ("a **b c", "a b c"),
    "about to be strong": ("a **", "a"),
    "code": ("a `b c", "a b c"),
    "maybe an item": ("a\n-", "a"),
    "maybe a fence": ("a\n``", "a"),
    "maybe the end of code": ("```\na\n``", "```\na\n```"),
}


@pytest.mark.parametrize(("text", "expected"), HALF.values(), ids=HALF)
def test_what_is_half_written_looks_as_it_will(text: str, expected: str) -> None:
    terminal = Terminal()
    page = MarkdownPage(terminal.console())
    page.add(text)
    page.draw()
    assert terminal.text == expected


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "\x1b[2J", "\x9b1A", "a\rb", "\x08\x7f"])
def test_an_answer_cannot_steer_the_terminal(text: str) -> None:
    inside = f"`{text}`\n\n```{text}\n{text}\n```\n"
    assert "\x1b" not in shown(text, inside)  # and the terminal refuses what it does not know
