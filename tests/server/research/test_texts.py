"""What is made of strangers' texts: queries, passages, citations; in time, whatever they hold."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloom.server.research.citing import Passage, Synthesis, cited, extracted, sentences
from chatloom.server.research.planning import EFFORTS, queries_of
from chatloom.server.research.reading import passages_of

TREES = [
    Passage(1, "Oaks grow slowly. They live for a thousand years, or more."),
    Passage(1, "An oak's acorns feed jays."),
    Passage(2, "Birches grow fast.\nThey die young."),
]
ODD = st.text(alphabet=' ab[]19,;-\u2013`.!?\n"”٣１。é\u2028', max_size=300)
PASSAGES = st.lists(st.builds(Passage, st.integers(1, 3), ODD), max_size=4)


def numbers(text: str) -> list[int]:
    return [
        int(one)
        for one in re.findall(r"\[(\d+)\]", re.sub(r"(?s)```.*?(```|\Z)|`[^`]*`", "", text))
    ]


def check(made: Synthesis, passages: list[Passage]) -> None:
    """Numbers run from 1, each has one citation, and what it quotes stands in its source."""
    assert [one.number for one in made.citations] == list(range(1, len(made.citations) + 1))
    for one in made.citations:
        assert one.quote
        assert any(one.quote in it.text for it in passages if it.source == one.source)


@pytest.mark.parametrize(
    ("told", "text", "quotes"),
    [
        ("Slow, oaks grow [1].", "Slow, oaks grow [1].", ["Oaks grow slowly."]),
        ("Jays eat acorns.[2]", "Jays eat acorns.[1]", ["An oak's acorns feed jays."]),
        (
            "Both grow [1, 3]; live years [1].",
            "Both grow [1][2]; live years [3].",
            ["Oaks grow slowly.", "Birches grow fast.", "They live for a thousand years, or more."],
        ),
        (
            "Die young [3-3] [1][1]",
            "Die young [1] [2][2]",
            ["They die young.", "Oaks grow slowly."],
        ),
        ("All [1\u20133].", "All [1][2][3].", None),
        ("Birches die young [3], say some [99].", "Birches die young [1], say some.", None),
        ("Grow [0] slowly [4] [1] [2024].", "Grow slowly [1].", None),
        ("Grow [ 3 ] [1234567890123456789]", "Grow [1]", ["Birches grow fast."]),
        (
            "Slowly\uff3b1\uff3d grow [\u0661]",
            "Slowly\uff3b1\uff3d grow [1]",
            ["Oaks grow slowly."],
        ),
        (
            "`a[1]` grow [3]\n```\nb[2]\n```",
            "`a[1]` grow [1]\n```\nb[2]\n```",
            ["Birches grow fast."],
        ),
        ("[1] Oaks grow.", "[1] Oaks grow.", ["Oaks grow slowly."]),
        ("So [[99]1] it [1]", "So [ 1] it [1]", None),
    ],
)
def test_numbers_become_citations(told: str, text: str, quotes: list[str] | None) -> None:
    made = cited(told, TREES)
    assert made is not None
    assert made.text == text
    check(made, TREES)
    if quotes is not None:
        assert [one.quote for one in made.citations] == quotes


@pytest.mark.parametrize(
    "told", ["", "Oaks.", "Oaks [9].", "`[1]`", "[one]", "[1", "[-1]", "[1.5]"]
)
def test_an_answer_that_cites_nothing_is_none(told: str) -> None:
    assert cited(told, TREES) is None


@settings(deadline=None)
@given(ODD, PASSAGES)
def test_citations_are_sound_whatever_is_told(told: str, passages: list[Passage]) -> None:
    made = cited(told, passages)
    if made is not None:
        check(made, passages)
        plain = told.count("`") == 0
        if plain:
            assert set(numbers(made.text)) == {one.number for one in made.citations}


@settings(deadline=None)
@given(ODD, PASSAGES)
def test_extracts_are_sound_whatever_is_found(question: str, passages: list[Passage]) -> None:
    made = extracted(question, passages)
    check(made, passages)
    if not any("`" in one.text for one in passages):
        assert numbers(made.text) == [one.number for one in made.citations]
    assert len(made.citations) <= 6


def test_footnotes_of_a_page_are_not_taken_for_citations() -> None:
    page = [Passage(1, "Oaks[4] grow slowly in the shade.[5][6] Nobody knows why[1, 2] they do.")]
    made = extracted("Why do oaks grow slowly?", page)
    assert made.text == "Oaks grow slowly in the shade. [1]"
    assert made.citations[0].quote in page[0].text


def test_what_does_not_bear_on_the_question_is_left_out_where_something_does() -> None:
    made = extracted(
        "How fast do birches grow?", [*TREES, Passage(3, "Buy now, pay never at all!")]
    )
    assert "Birches grow fast." in made.text
    assert "Buy now" not in made.text


def test_other_forms_of_a_word_bear_on_the_question_too() -> None:
    text = "Customers pay by card. We retry a failed payment three times. 木は年に一度育つ。"
    passages = [Passage(1, text)]
    assert "retry" in extracted("How often are payments retried?", passages, 1).text
    assert extracted("木は何度育つか", passages, 1).citations[0].quote == "木は年に一度育つ。"


def test_short_sentences_are_better_than_none() -> None:
    assert extracted("What?", [Passage(1, "No.")]).text == "No. [1]"


def test_sentences_do_not_end_within_numbers_and_names() -> None:
    assert sentences("Use v1.2.3 of it. See example.com/a?b=c now! 木は育つ。葉が出る。") == [
        "Use v1.2.3 of it.", "See example.com/a?b=c now!", "木は育つ。", "葉が出る。",
    ]  # fmt: skip


HOSTILE = {
    "numbers": "[1]" * 33_333,
    "lists": "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1" * 2_500,
    "brackets": "[" * 100_000,
    "spaces": " " * 100_000,
    "spaced": ("    " + "[") * 20_000,
    "ticks": "`a" * 50_000,
    "fences": "```" * 33_333,
    "letters": "a" * 100_000,
    "words": "oak " * 25_000,
    "digits": "9" * 100_000,
    "bracketed digits": "[" + "9" * 100_000,
    "stops": "." * 100_000,
    "quotes": '."' * 50_000,
    "lines": "\n" * 100_000,
    "commas": "a, " * 33_333,
    "ands": "and " * 25_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_take_little_time(text: str) -> None:
    began = time.process_time()
    for passages in (TREES, [Passage(1, text)]):
        cited(text, passages)
        cited("Oaks [1] " * 300, passages)
        extracted(text, passages)
    passages_of(1, text, text, 4)
    queries_of(text[:2000], text, 6)
    assert time.process_time() - began < 3


QUESTIONS = st.one_of(ODD, st.text(min_size=1, max_size=2000))


@given(QUESTIONS.filter(lambda one: bool(one.strip())), st.text(max_size=500), st.integers(1, 6))
def test_queries_are_few_short_and_different(question: str, told: str, count: int) -> None:
    queries = queries_of(question, told, count)
    assert 1 <= len(queries) <= count
    assert all(0 < len(one) <= 200 for one in queries)
    assert len({one.casefold() for one in queries}) == len(queries)
    plain = " ".join(question.split())
    if len(plain) <= 200:
        assert queries[0] == plain


def test_queries_are_the_question_then_what_was_told_then_its_parts() -> None:
    told = """Sure! Here you go:
        1. oak lifespan
        - "birch growth rate"
        * OAK LIFESPAN
        Quercus age
        That is all I know."""
    question = "How long does an oak live, and how fast does a birch grow?"
    assert queries_of(question, told, 6) == [
        question,
        "oak lifespan",
        "birch growth rate",
        "Quercus age",
        "long oak live fast birch grow",
        "How long does an oak live",
    ]


def test_more_depth_is_more_of_everything() -> None:
    shallow, medium, deep = (EFFORTS[depth] for depth in ("shallow", "medium", "deep"))
    for name in ("queries", "results", "sources", "passages"):
        assert getattr(shallow, name) < getattr(medium, name) < getattr(deep, name)


@given(st.one_of(ODD, st.text(max_size=5000)), ODD, st.integers(1, 5))
def test_passages_stand_in_their_text(text: str, question: str, most: int) -> None:
    passages = passages_of(7, text, question, most)
    assert len(passages) <= most
    places = [text.index(one.text) for one in passages]
    assert all(one.source == 7 and 0 < len(one.text) <= 900 for one in passages)
    assert bool(passages) == bool(text.strip())
    assert len(places) == len(passages)


def test_the_passages_that_bear_most_on_the_question_are_taken() -> None:
    filler = "Something else entirely is said here, again and again. " * 40
    text = f"{filler}\n\nOaks live for a thousand years.\n\n{filler}"
    assert any(
        "thousand years" in one.text for one in passages_of(1, text, "How long do oaks live?", 1)
    )
