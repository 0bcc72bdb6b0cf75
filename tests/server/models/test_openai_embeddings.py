"""Embeddings of OpenAI-compatible providers: what is asked, and what is made of their answers."""

from __future__ import annotations

from typing import Any

import pytest

from chatloom.core.http import JSON
from chatloom.server.models.driver import Usage
from chatloom.server.models.vectors import packed
from server.models.embedding import inputs, vectors_of
from server.models.provider import KEY, Reply, answers, heard, kind, provider, refuses, run

ONE, TWO = [1.0, -2.5], [0.5, 0.25]
USAGE: dict[str, JSON] = {"prompt_tokens": 5, "total_tokens": 5}


def embeds(*embeddings: object, usage: JSON = USAGE, **fields: object) -> Reply:
    """Answer with these embeddings, in their order."""
    data = [
        {"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(embeddings)
    ]
    body = {"object": "list", "data": data, "model": "real-model", "usage": usage}
    return answers({**body, **fields})


def test_the_request_asks_for_base64_and_says_nothing_else() -> None:
    async def asks() -> None:
        with provider(embeds(packed(ONE), packed(TWO))) as acme:
            await acme.asked(inputs("a", [1, 2], dimensions=2))
            await acme.driver.close()
            (request,) = acme.server.asked
            assert request.target == "/v1/embeddings"
            assert request.all("authorization") == [f"Bearer {KEY}"]
            assert acme.bodies == [
                {
                    "model": "some-model",
                    "input": ["a", [1, 2]],
                    "encoding_format": "base64",
                    "dimensions": 2,
                }
            ]

    run(asks())


@pytest.mark.parametrize("told", [(ONE, TWO), (packed(ONE), packed(TWO)), (ONE, packed(TWO))])
def test_base64_and_floats_are_both_understood(told: tuple[object, object]) -> None:
    answered = heard(embeds(*told), given=inputs("a", "b"))
    assert vectors_of(answered) == {0: ONE, 1: TWO}
    assert (answered.served, answered.reasons) == (["real-model"], ["stop", "stop"])
    assert answered.usage == Usage(5, 0)


def test_embeddings_may_come_in_any_order() -> None:
    data = [{"index": 1, "embedding": TWO}, {"index": 0, "embedding": ONE}]
    assert vectors_of(heard(answers({"data": data}), given=inputs("a", "b"))) == {0: ONE, 1: TWO}


def test_embeddings_without_a_number_are_in_order() -> None:
    answered = heard(
        answers({"data": [{"embedding": ONE}, {"embedding": TWO}]}), given=inputs("a", "b")
    )
    assert vectors_of(answered) == {0: ONE, 1: TWO}
    assert (answered.served, answered.usage) == (["some-model"], None)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"total_tokens": 7}, Usage(7, 0)),
        ({"prompt_tokens": 7}, Usage(7, 0)),
        ({"prompt_tokens": 7, "total_tokens": 7, "completion_tokens": 3}, Usage(7, 0)),
        ({"prompt_tokens": -7}, None),
        ({"prompt_tokens": "many"}, None),
        ([], None),
        (None, None),
    ],
)
def test_usage_is_what_was_asked_with(told: JSON, expected: Usage | None) -> None:
    assert heard(embeds(ONE, usage=told), given=inputs("a")).usage == expected


WRONG: list[Any] = [
    {},
    {"data": []},
    {"data": [{"index": 0, "embedding": ONE}]},
    {"data": [{"index": 0, "embedding": ONE}, {"index": 0, "embedding": TWO}]},
    {"data": [{"index": 0, "embedding": ONE}, {"index": 2, "embedding": TWO}]},
    {"data": [{"embedding": ONE}, {"embedding": TWO}, {"embedding": TWO}]},
    {"data": [{"embedding": ONE}, {"embedding": []}]},
    {"data": [{"embedding": ONE}, {"embedding": "AAA"}]},
    {"data": [{"embedding": ONE}, {"embedding": "AADAfw=="}]},
    {"data": [{"embedding": ONE}, {"embedding": [1e300]}]},
    {"data": [{"embedding": ONE}, {"embedding": None}]},
    {"data": {"embedding": ONE}},
    b"<html>",
]


@pytest.mark.parametrize("body", WRONG, ids=lambda body: str(body)[:60])
def test_what_is_not_one_vector_for_each_input_is_no_answer(body: object) -> None:
    answered = heard(answers(body), given=inputs("a", "b"))
    assert (kind(answered), answered.deltas) == ("truncated", [])


def test_an_error_that_comes_as_an_answer_is_one() -> None:
    reply = answers({"error": {"message": "too long", "type": "invalid_request_error"}})
    answered = heard(reply, given=inputs("a"))
    assert kind(answered) == "rejected"
    assert answered.error is not None
    assert "too long" in answered.error.message


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, "rejected"), (401, "unauthorized"), (404, "not_found"), (429, "rate_limited")],
)
def test_refusals_mean_what_they_mean_for_chats(status: int, expected: str) -> None:
    assert kind(heard(refuses(status), given=inputs("a"))) == expected


def test_a_provider_that_refuses_base64_is_asked_for_floats_from_then_on() -> None:
    refusal = refuses(400, "Unsupported parameter", param="encoding_format")

    async def asks() -> None:
        with provider(refusal, embeds(ONE)) as acme:
            for _ in range(2):
                assert vectors_of(await acme.asked(inputs("a"))) == {0: ONE}
            await acme.driver.close()
            told = [body.get("encoding_format") for body in acme.bodies]
            assert told == ["base64", None, None]

    run(asks())


def test_dimensions_that_a_model_does_not_take_are_not_left_out() -> None:
    refusal = refuses(400, "Unsupported parameter", param="dimensions")
    answered = heard(refusal, embeds(ONE), given=inputs("a", dimensions=2))
    assert kind(answered) == "rejected"


def test_a_refused_attempt_is_tried_again() -> None:
    refusal = refuses(429, "slow down", b"retry-after: 0")
    answered = heard(refusal, embeds(ONE), given=inputs("a"), max_retries=1)
    assert vectors_of(answered) == {0: ONE}
