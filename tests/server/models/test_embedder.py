"""``loom/embed``: honest about what texts share, and the same everywhere."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.server.models.driver import Input, Prompt, Usage
from chatloom.server.models.offline import embedder, scribe
from chatloom.server.models.offline.echo import Echo
from chatloom.server.models.offline.embedder import DIMENSIONS, Embedder, embedding
from chatloom.server.models.offline.scribe import Scribe
from chatloom.server.models.vectors import unpacked
from server.models.asking import Answered, ask, prompt
from server.models.embedding import inputs, nearness, vectors_of

GOLDEN: list[tuple[Input, str]] = [
    ("The weaver throws the shuttle.", "AAAAAOsmPj4wnQ4/AAAAAAAAAAAwnQ4/6yY+vjCdDr8="),
    ("Größe 北京", "AACAPgAAgD4AAEC/AAAAAAAAAAAAAAAAAACAvgAAAL8="),
    ([1, 15339, 1917], "Os0TvzrNE78AAAAAOs0TvwAAAAAAAAAAAAAAAAAAAAA="),
]


def embedded(*given: Input, dimensions: int | None = None) -> list[list[float]]:
    found = vectors_of(ask(Embedder(), inputs(*given, dimensions=dimensions)))
    return [found[at] for at in range(len(given))]


def refused(asked: Prompt) -> tuple[str, str | None]:
    error = ask(Embedder(), asked).error
    assert error is not None
    return error.kind, error.param


@pytest.mark.parametrize(("given", "expected"), GOLDEN)
def test_a_vector_is_the_same_on_every_machine(given: Input, expected: str) -> None:
    assert embedding(given, 8) == expected


def test_an_answer_has_a_vector_and_an_end_for_each_input() -> None:
    answered = ask(Embedder(), inputs("one", "two words", [1, 2, 3]))
    assert {len(vector) for vector in vectors_of(answered).values()} == {DIMENSIONS}
    assert list(vectors_of(answered)) == [0, 1, 2]
    assert (answered.served, answered.reasons) == (["loom/embed"], ["stop"] * 3)
    assert answered.usage == Usage(1 + 2 + 3, 0)


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("How do I weave a basket?", "Weaving baskets by hand", "Stock markets fell today"),
        ("the cat sat on the mat", "a cat upon a mat", "quarterly revenue grew"),
        ("Straße", "STRASSE", "Gasse"),
        ("color", "colour", "weight"),
        ("今日は天気がいい", "天気がいい日", "株価が下がった"),
    ],
)
def test_what_shares_words_or_their_pieces_is_nearer(text: str, near: str, far: str) -> None:
    own, nearer, farther = embedded(text, near, far, dimensions=1024)
    assert nearness(own, nearer) > nearness(own, farther) + 0.1


def test_texts_that_share_tokens_are_nearer() -> None:
    own, near, far = embedded([1, 2, 3], [3, 2, 9], [7, 8, 9])
    assert nearness(own, near) > 0.5 > nearness(own, far)


def test_what_shares_nothing_is_far() -> None:
    own, other = embedded("zebra", "milk", dimensions=3072)
    assert abs(nearness(own, other)) < 0.1


@given(
    text=st.text(min_size=1, max_size=30)
    | st.lists(st.integers(0, 100_000), min_size=1, max_size=30),
    dimensions=st.integers(1, 40),
)
def test_whatever_is_embedded_has_the_length_1(text: Input, dimensions: int) -> None:
    vector = unpacked(embedding(text, dimensions))
    assert len(vector) == dimensions
    assert math.isclose(nearness(vector, vector), 1, rel_tol=1e-5)


def test_its_price_is_the_scribes_without_an_answer() -> None:
    price = Embedder().price(embedder.NAME)
    assert price is not None
    assert (price.prompt, price.completion) == (scribe.PRICE.prompt, 0)


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (inputs("x", dimensions=3073), "dimensions"),
        (inputs(*["x"] * 2000, dimensions=1001), "dimensions"),
        (inputs("x " * 8193), "input"),
        (inputs([1] * 8193), "input"),
        (inputs(*["x" * 8_000] * 126), "input"),
        (inputs("x", options={"tokens": "3"}), "model"),
        (inputs("x", options={"wrong": "3"}), "model"),
        (prompt("Hello"), "model"),
    ],
)
def test_what_it_cannot_do_is_refused(asked: Prompt, param: str) -> None:
    assert refused(asked) == ("rejected", param)


@pytest.mark.parametrize("driver", [Echo(), Scribe()])
def test_models_that_chat_do_not_embed(driver: Echo | Scribe) -> None:
    error = ask(driver, inputs("x")).error
    assert error is not None
    assert (error.kind, error.param) == ("rejected", "model")


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"cut": "3"}, "truncated"),
        ({"malformed": "0"}, "truncated"),
        ({"stall": "1", "idle": "0.01"}, "timed_out"),
    ],
)
def test_a_fault_leaves_nothing_of_the_answer(options: dict[str, str], kind: str) -> None:
    answered = ask(Embedder(), inputs("x", "y", options=options))
    assert answered.error is not None
    assert (answered.error.kind, answered.deltas) == (kind, [])


def test_the_first_attempts_can_be_refused() -> None:
    driver = Embedder()

    def asked(key: str) -> Answered:
        return ask(driver, inputs("x", options={"429": "1"}, key=key))

    first, again, other = asked("a"), asked("a"), asked("b")
    assert first.error is not None
    assert (first.error.kind, first.error.retry_after) == ("rate_limited", 1.0)
    assert again.error is None
    assert other.error is not None
