"""Branch points in texts: which there are, that they are where they say, at what work."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from types import FrameType
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloom.server.chat.suggesting.model import points_told
from chatloom.server.chat.suggesting.patterns import points_in
from chatloom.server.chat.suggesting.points import LONGEST_TITLE, LONGEST_TRIGGER, Point, chosen

MODULES = ("lists", "naming", "passages", "patterns", "points", "wording")


def triggers(text: str, threshold: float = 0.7) -> list[str]:
    found = sorted(chosen(points_in(text), threshold, len(text)), key=lambda one: one.start)
    return [text[point.start : point.end] for point in found]


FOUND: dict[str, tuple[str, list[str]]] = {
    "numbered": ("1. tea\n2. coffee\n", ["tea", "coffee"]),
    "numbered, apart": ("1) tea\n\n2) coffee", ["tea", "coffee"]),
    "lettered": ("a) tea\nb) coffee", ["tea", "coffee"]),
    "bulleted": ("Drinks:\n- tea\n* coffee\n", ["tea", "coffee"]),
    "numbered and bulleted": ("- tea\n1. coffee\n", []),
    "of one": ("- tea\nand nothing else", []),
    "nested": ("- hot\n  - tea\n  - coffee\n- cold", ["hot", "tea", "coffee", "cold"]),
    "in another script": ("1、東京\n2、大阪", ["東京", "大阪"]),
    "arabic question": ("هل هذا أم ذاك؟ ولماذا؟", ["هل هذا أم ذاك؟", "ولماذا؟"]),
    "inline": ("We (1) stay, (2) go, or (3) wait.", ["stay", "go", "wait"]),
    "options": (
        "Option A is slow; option B is fast. Done.",
        ["Option A is slow", "option B is fast."],
    ),
    "options on lines": (
        "**Option 1:** Stay.\n**Option 2:** Go.",
        ["Option 1:** Stay.", "Option 2:** Go."],
    ),
    "one option": ("Option A is slow.", []),
    "an option a user has": ("The option a user has, and the option a client has.", []),
    "either or": ("You either stay or go.", ["either stay or go."]),
    "whether or": ("Say whether you stay or go.", ["whether you stay or go."]),
    "could or": ("We could stay or go.", ["We could stay or go."]),
    "alternatively": ("Stay. Alternatively, go.", ["Alternatively, go."]),
    "other hand": ("It is far. On the other hand, it is nice.", ["On the other hand, it is nice."]),
    "instead": ("It rains. Instead, stay home.", ["Instead, stay home."]),
    "a choice asked for": ("Should we stay?", ["Should we stay?"]),
    "tea or coffee": ("Tea or coffee?", ["Tea or coffee?"]),
    "tee oder kaffee": ("Tee oder Kaffee?", ["Tee oder Kaffee?"]),
    "one question": ("How does it work?", []),
    "two questions": ("How does it work? Why now?", ["How does it work?", "Why now?"]),
    "versus": ("Compare Flask vs. Django for this.", ["Flask vs. Django"]),
    "versus, several": ("React vs Vue vs Svelte, again.", ["React vs Vue vs Svelte"]),
    "pros": ("There are pros and cons.", ["There are pros and cons."]),
    "conditions": (
        "If you want speed, cache; otherwise do not.",
        ["If you want speed, cache; otherwise do not."],
    ),
    "a condition": ("If it rains, we stay.", []),
    "depends": ("It depends on the weather.", ["It depends on the weather."]),
    "first and second": (
        "First, tea. Then more. Second, coffee.",
        ["First, tea.", "Second, coffee."],
    ),
    "first alone": ("First, tea. Then coffee.", []),
    "enumerated": ("Two ways: by train, by bus, or on foot.", ["by train", "by bus", "on foot"]),
    "named": (
        "Some frameworks, such as Flask and Django.",
        ["Flask", "Django"],
    ),
    "steps": ("Steps:\n1. boil\n2. wait", []),
    "prose": ("We went home. It was late. Nobody spoke.", []),
    "code": ("```\n1. tea\n2. coffee\nwhy? how?\n```", []),
    "an address": ("See http://x.org/?a=1 and http://x.org/?b=2 there.", []),
    "nothing": (" \n\t\n ", []),
}


@pytest.mark.parametrize(("text", "expected"), FOUND.values(), ids=FOUND)
def test_points_are_found(text: str, expected: list[str]) -> None:
    assert triggers(text) == expected


def test_the_surest_come_first() -> None:
    text = "Option A: tea. Option B: coffee.\n- x\n- y\nTea or coffee? Why?"
    found = chosen(points_in(text), 0, len(text))
    assert [one.confidence for one in found] == sorted(one.confidence for one in found)[::-1]
    assert found[0].confidence == 0.95


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("- **Flask**: small\n- x", "Flask"),
        ("- `Django` \u2013 large\n- x", "Django"),
        ("- http://example.org/a\n- x", "Http://example.org/a"),
        ("- " + "word " * 100 + "\n- x", "Word " + "word " * 10 + "word…"),
        ("- " + "x" * 500 + "\n- y", "X" + "x" * 58 + "…"),
    ],
)
def test_titles_come_from_the_text(text: str, title: str) -> None:
    (first, *_) = chosen(points_in(text), 0, len(text))
    assert first.title == title
    assert len(first.title) <= LONGEST_TITLE


WORDS = st.sampled_from(
    [
        *(
            "\n",
            "\n\n",
            "- ",
            "1. ",
            "2) ",
            "(1) ",
            "(2) ",
            "Option A",
            "option B: ",
            "either ",
            "or ",
        ),
        *("vs. ", "if you want ", "otherwise ", "? ", "! ", ". ", ", ", ": ", "ways", "such as "),
        *(
            "First, ",
            "Second, ",
            "tea ",
            "\u00e9",
            "🎉",
            "東京\uff1f",
            "\t",
            "  ",
            "```\n",
            "**",
            "“",
            "\u2028",
        ),
        *("\0", "\r", "whether ", "alternatively ", "؟", "a", "word " * 80),
    ]
)
TEXTS = st.one_of(st.lists(WORDS, max_size=60).map("".join), st.text(max_size=400))


def check(points: list[Point], text: str) -> None:
    """Whether every point is where it says, says what it must, and overlaps no other."""
    end = 0
    for point in sorted(points, key=lambda one: one.start):
        assert end <= point.start < point.end <= len(text)
        end = point.end
        trigger = text[point.start : point.end]
        assert trigger == trigger.strip()
        assert len(trigger) <= LONGEST_TRIGGER
        assert 0 < len(point.title) <= LONGEST_TITLE
        assert 0 <= point.confidence <= 1
        assert point.description
        assert point.reasoning


@settings(max_examples=200, deadline=None)
@given(text=TEXTS, threshold=st.floats(0, 1))
def test_every_point_is_where_it_says(text: str, threshold: float) -> None:
    found = chosen(points_in(text), threshold, len(text))
    check(found, text)
    assert all(point.confidence >= threshold for point in found)
    assert found == sorted(found, key=lambda one: (-one.confidence, one.start))


JSONS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["quote", "title", "confidence", "divergence", "branch_points", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, answer=JSONS.map(json.dumps) | TEXTS)
def test_no_answer_of_a_model_leads_astray(text: str, answer: str) -> None:
    found = points_told(answer, text)
    check(chosen(found or [], 0, len(text)), text)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, data=st.data())
def test_what_is_quoted_is_found(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    quote = text[start : start + data.draw(st.integers(0, 100))]
    found = points_told(json.dumps([{"quote": quote, "title": "t"}]), text)
    if len(quote.strip()) > 1:
        assert found is not None
        assert text[found[0].start : found[0].end] == quote.strip()


TEXT = "Drink “green  tea”, or\ncoffee. It\u2019s fine."
TOLD = {
    "as it stands": ("coffee", "coffee"),
    "other spaces": ("green tea", "green  tea"),
    "a line end": ("or coffee", "or\ncoffee"),
    "other quotes": ('"green tea"', "green  tea"),
    "other apostrophes": ("It's fine", "It\u2019s fine"),
    "other capitals": ("COFFEE", "coffee"),
    "dots around": ("…it's fine…", "It\u2019s fine"),
}


@pytest.mark.parametrize(("quote", "expected"), TOLD.values(), ids=TOLD)
def test_quotations_may_differ_a_little(quote: str, expected: str) -> None:
    (point,) = points_told(json.dumps([{"quote": quote}]), TEXT) or []
    assert TEXT[point.start : point.end].strip("“”") == expected


ANSWERS = {
    "a list": ('[{"quote": "coffee"}]', 1),
    "an object": ('{"branch_points": [{"quote": "coffee"}]}', 1),
    "by another name": ('{"suggestions": [{"triggerText": "coffee"}]}', 1),
    "in a fence": ('Sure!\n```json\n{"branch_points": [{"quote": "coffee"}]}\n```', 1),
    "with words around": ('Here: [{"quote": "coffee"}] Done.', 1),
    "some of use": ('[{"quote": "coffee"}, {"quote": "cocoa"}, 7, null, {}]', 1),
    "twice": ('[{"quote": "e"}, {"quote": "ee"}, {"quote": "ee"}]', 2),
    "nothing found": ("[]", 0),
    "cut off": ('{"branch_points": [{"quote": "cof', None),
    "all invented": ('[{"quote": "cocoa"}]', None),
    "prose": ("I find none.", None),
    "empty": ("", None),
    "a number": ("7", None),
    "deep": ("[" * 100_000, None),
    "surrogates": ('["\\ud800"]', None),
}


@pytest.mark.parametrize(("answer", "count"), ANSWERS.values(), ids=ANSWERS)
def test_answers_are_read_with_patience(answer: str, count: int | None) -> None:
    found = points_told(answer, TEXT)
    assert (None if found is None else len(found)) == count


@pytest.mark.parametrize(
    ("told", "confidence"),
    [(0.4, 0.4), (-1, 0.0), (95, 1.0), (10**400, 1.0), ("high", 0.7), (None, 0.7), (True, 0.7)],
)
def test_a_models_confidence_is_kept_in_bounds(told: object, confidence: float) -> None:
    (point,) = points_told(json.dumps([{"quote": "coffee", "confidence": told}]), TEXT) or []
    assert point.confidence == confidence


def patterns() -> Iterator[re.Pattern[str]]:
    """Every pattern of the modules that look at texts, also those inside closures."""
    for name in MODULES:
        module = import_module(f"chatloom.server.chat.suggesting.{name}")
        for value in vars(module).values():
            yield from _within(value)


def _within(value: Any) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list):
        for one in cast("tuple[Any, ...]", value):
            yield from _within(one)
    else:
        for cell in getattr(value, "__closure__", None) or ():
            yield from _within(cell.cell_contents)


def most_work(parsed: Any) -> int:
    """What a pattern can take at one place at most: all its repetitions, multiplied."""
    work = 1
    for operation, argument in parsed:
        name = str(operation)
        if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            _, most, inner = argument
            work *= int(most) * most_work(inner)
        elif name == "BRANCH":
            work *= sum(most_work(inner) for inner in argument[1])
        elif name == "SUBPATTERN":
            work *= most_work(argument[3])
        elif name in {"ASSERT", "ASSERT_NOT"}:
            work *= most_work(argument[1])
    return work


def test_no_pattern_repeats_without_bounds() -> None:
    parser: Any = import_module("re._parser")
    known = list(patterns())
    assert len(known) > 25
    for pattern in known:
        assert most_work(parser.parse(pattern.pattern, pattern.flags)) < 20_000, pattern.pattern


HOSTILE = [
    *(
        "- x\n",
        "  - x\n - y\n",
        "option a ",
        "Option A. ",
        "either or ",
        "a vs ",
        "? ",
        ". ",
        "(1) a ",
    ),
    *(
        "ways: a, ",
        "ways such as ",
        "if you ",
        "First, a. ",
        "\n",
        " ",
        "\t",
        "x",
        "why? ",
        "or ",
        "ways ",
    ),
    *("1. a\n2. b\n\n", "```\n", "“", "whether ", "e.g. ", "vs. ", "We could "),
]


def lines_run(text: str) -> int:
    """How many lines of ours run to find the points of *text*."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        if "suggesting" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        chosen(points_in(text), 0, len(text))
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
def test_work_grows_as_the_text_does(piece: str) -> None:
    small, large = (lines_run((piece * size)[:size]) for size in (2_000, 8_000))
    assert large <= 4.2 * small + 1_000


@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
def test_the_longest_texts_are_looked_at(piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    check(chosen(points_in(text), 0, len(text)), text)
