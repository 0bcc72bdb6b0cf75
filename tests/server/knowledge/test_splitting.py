"""Texts are split where people would; nothing is lost, and every place is right."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.server.knowledge.splitting import LEAST, MOST, MOST_WHOLE, split

LINES = st.sampled_from(
    [
        "",
        "   ",
        "# Heading",
        "## Under it",
        "A sentence. Another one! A third?",
        "- an item",
        "  which goes on",
        "12. an item with a number",
        "```python",
        "```",
        "~~~",
        "    indented()",
        "| a | b |",
        "word " * 300,
        "x" * 2_500,
        "Über größe. 日本語のテキスト。" * 40,
        "\u2028",
        "\r",
    ]
)
TEXTS = st.one_of(
    st.lists(LINES, max_size=40).map("\n".join),
    st.lists(LINES, max_size=20).map("\r\n".join),
    st.text(max_size=3_000),
)


@given(TEXTS, st.booleans())
def test_passages_are_the_text_in_order(text: str, marked: bool) -> None:
    at = 0
    for start, end in split(text, marked=marked):
        assert not text[at:start].strip()
        assert start < end
        assert text[start:end] == text[start:end].strip()
        assert end - start <= MOST_WHOLE
        at = end
    assert not text[at:].strip()


def sentences(count: int) -> str:
    return " ".join(f"This is the sentence with the number {number}." for number in range(count))


@pytest.mark.parametrize("marked", [False, True])
def test_prose_ends_with_sentences(marked: bool) -> None:
    text = "\n\n".join(sentences(70) for _ in range(4))
    passages = split(text, marked=marked)
    assert all(text[start:end].endswith(".") for start, end in passages)
    sizes = [end - start for start, end in passages[:-1]]
    assert all(LEAST / 2 <= size <= MOST for size in sizes)


def test_a_short_text_is_one_passage() -> None:
    assert split("  Just this.\n", marked=False) == [(2, 12)]


def test_paragraphs_are_kept_whole() -> None:
    paragraphs = [sentences(9) for _ in range(12)]
    text = "\n\n".join(paragraphs)
    for start, end in split(text, marked=False):
        assert all(one in paragraphs for one in text[start:end].split("\n\n"))


def test_a_heading_stands_with_its_section() -> None:
    text = "\n\n".join(f"## Number {number}\n\n{sentences(15)}" for number in range(9))
    told = [text[start:end] for start, end in split(text, marked=True)]
    assert all(one.startswith("## Number") for one in told)
    assert len(told) == 9


def test_small_sections_share_a_passage() -> None:
    text = "\n\n".join(f"## Number {number}\n\nShort." for number in range(30))
    assert len(split(text, marked=True)) < 4


CODE = "```python\n" + "\n".join(f"print({number})  # and so on" for number in range(50)) + "\n```"


def test_code_is_kept_whole() -> None:
    assert 1_000 < len(CODE) < MOST_WHOLE
    text = f"{sentences(12)}\n\n{CODE}\n\n{sentences(12)}"
    assert any(CODE in text[start:end] for start, end in split(text, marked=True))


def test_long_code_is_cut_between_lines() -> None:
    text = "```\n" + "\n".join(f"line {number} of code" for number in range(300)) + "\n```"
    for start, end in split(text, marked=True):
        assert all(
            line in {"```"} or line.endswith("of code") for line in text[start:end].splitlines()
        )


def test_a_heading_in_code_is_none() -> None:
    text = f"{sentences(10)}\n\n```sh\n# a remark\nmake\n\n# another\nmake test\n```"
    told = [text[start:end] for start, end in split(text, marked=True)]
    assert any("# a remark" in one and "# another" in one for one in told)


def test_items_are_kept_whole() -> None:
    items = [f"- {sentences(4)}\n  {sentences(2)}" for _ in range(20)]
    text = "\n".join(items)
    told = [text[start:end] for start, end in split(text, marked=False)]
    assert all(one.startswith("- ") for one in told)
    assert sum(one.count("\n- ") + 1 for one in told) == 20


HARD = {
    "headings": "# h\n" * 50_000,
    "blank lines": "\n" * 500_000,
    "one word": "a" * 500_000,
    "items": "- x\n" * 50_000,
    "fences": "```\n" * 50_000,
    "stops": " ." * 200_000,
    "brackets": '."' * 200_000,
    "an item and nothing": "- x" + "\n\n" * 200_000,
}


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_no_text_takes_long(text: str) -> None:
    before = time.process_time()
    split(text, marked=True)
    assert time.process_time() - before < 10  # a second or so; quadratic would be minutes
