"""What providers are asked."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from server.models.asking import prompt
from server.models.provider import (
    DONE,
    KEY,
    Reply,
    answers,
    ended,
    heard,
    kind,
    provider,
    refuses,
    run,
    said,
    streams,
)


def test_the_request_says_what_was_asked_and_nothing_else() -> None:
    async def asks() -> None:
        with provider(streams(said("x"), ended(), DONE)) as acme:
            await acme.asked(prompt("Hi", temperature=0.0, extra={"user": "ada", "top_k": 3}))
            await acme.driver.close()
            (request,) = acme.server.asked
            assert request.target == "/v1/chat/completions"
            assert request.all("authorization") == [f"Bearer {KEY}"]
            assert acme.bodies == [
                {
                    "user": "ada",
                    "top_k": 3,
                    "model": "some-model",
                    "messages": [{"role": "user", "content": "Hi"}],
                    "temperature": 0.0,
                    "stream": True,
                    "stream_options": {"include_usage": True},
                }
            ]

    run(asks())


def test_all_parameters_are_passed_on() -> None:
    asked: dict[str, Any] = {
        "max_tokens": 5,
        "top_p": 0.5,
        "n": 2,
        "stop": ["x"],
        "seed": 0,
        "logprobs": True,
        "top_logprobs": 0,
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
        "logit_bias": {"5": -1.0},
    }

    async def asks() -> None:
        with provider(refuses(400)) as acme:
            await acme.asked(prompt("Hi", streamed=False, **asked))
            await acme.driver.close()
            (body,) = acme.bodies
            assert {name: body[name] for name in asked} == asked
            assert body.keys() - asked.keys() == {"model", "messages"}

    run(asks())


def test_no_more_is_asked_for_than_money_was_set_aside_for() -> None:
    async def asks() -> None:
        with provider(refuses(400)) as acme:
            more: dict[str, JSON] = {"n": 100, "best_of": 100, "max_completion_tokens": 10**6}
            for streamed in (False, True):
                await acme.asked(prompt(streamed=streamed, max_tokens=5, extra=more))
            await acme.driver.close()
            for body in acme.bodies:
                assert not more.keys() & body.keys()
                assert body["max_tokens"] == 5

    run(asks())


def test_no_other_model_is_asked_than_the_one_that_was_allowed() -> None:
    async def asks() -> None:
        with provider(refuses(400)) as acme:
            others: dict[str, JSON] = {
                "models": ["dear/one"],
                "fallbacks": [{"model": "dear/one"}],
                "route": "fallback",
            }
            await acme.asked(
                prompt(streamed=False, extra={**others, "provider": {"sort": "price"}})
            )
            await acme.driver.close()
            (body,) = acme.bodies
            assert not others.keys() & body.keys()
            assert body["provider"] == {"sort": "price"}

    run(asks())


def unsupported(name: str, instead: str = "") -> Reply:
    hint = f" Use '{instead}' instead." if instead else ""
    message = f"Unsupported parameter: '{name}' is not supported with this model.{hint}"
    return refuses(400, message, param=name, code="unsupported_parameter")


REFUSALS: list[tuple[dict[str, Any], Reply, set[str], dict[str, Any]]] = [
    (
        {"max_tokens": 7},
        unsupported("max_tokens", "max_completion_tokens"),
        {"max_tokens"},
        {"max_completion_tokens": 7},
    ),
    (
        {"temperature": 0.2},
        refuses(400, "Unsupported value: 'temperature' does not support 0.2 with this model."),
        {"temperature"},
        {},
    ),
    ({"top_p": 0.2, "temperature": 1.0}, unsupported("top_p"), {"top_p"}, {"temperature": 1.0}),
    (
        {},
        answers(
            {
                "detail": [
                    {"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}
                ]
            },
            422,
        ),
        {"stream_options"},
        {},
    ),
]


@pytest.mark.parametrize(("asked_for", "refusal", "gone", "kept"), REFUSALS)
def test_what_a_model_does_not_take_is_left_out_from_then_on(
    asked_for: dict[str, Any], refusal: Reply, gone: set[str], kept: dict[str, Any]
) -> None:
    async def asks() -> None:
        with provider(refusal, streams(said("Hi"), ended(), DONE)) as acme:
            for _ in range(2):
                assert (await acme.asked(prompt(**asked_for))).text() == "Hi"
            first, *later = acme.bodies
            assert gone <= first.keys()
            assert len(later) == 2
            for body in later:
                assert not gone & body.keys()
                assert {name: body[name] for name in kept} == kept
            await acme.asked(prompt(model="another", **asked_for))
            assert gone <= acme.bodies[-1].keys()
            await acme.driver.close()

    run(asks())


def test_several_refusals_in_a_row_are_all_obeyed() -> None:
    refusals = [unsupported("max_tokens", "max_completion_tokens"), unsupported("temperature")]
    given = prompt(max_tokens=3, temperature=0.1)
    assert heard(*refusals, streams(said("Hi"), ended()), given=given).text() == "Hi"


@pytest.mark.parametrize(
    ("asked_for", "refusal"),
    [
        ({"temperature": 5.0}, refuses(400, "temperature must be at most 2", param="temperature")),
        ({"stop": ["x"]}, unsupported("stop")),
        ({}, unsupported("temperature")),
        ({"temperature": 0.1}, unsupported("temperature")),
    ],
)
def test_other_refusals_are_passed_on(asked_for: dict[str, Any], refusal: Reply) -> None:
    assert kind(heard(refusal, given=prompt(**asked_for))) == "rejected"


def test_a_refusal_that_quotes_somebody_teaches_nothing() -> None:
    quoted = refuses(
        400,
        "Invalid schema for function 'temperature unsupported'",
        param="tools[0].function.parameters",
        code="invalid_function_parameters",
    )

    async def asks() -> None:
        with provider(quoted, streams(said("Hi"), ended(), DONE)) as acme:
            assert (await acme.asked(prompt(temperature=0.2))).error is not None
            await acme.asked(prompt(temperature=0.2))
            assert acme.bodies[-1]["temperature"] == 0.2
            await acme.driver.close()

    run(asks())


def test_what_a_message_says_to_its_provider_alone_is_forwarded() -> None:
    message = Message(role="assistant", content="Hm.", extra={"reasoning_content": "thinking"})

    async def asks() -> None:
        with provider(streams(said("Hi"), ended(), DONE)) as acme:
            asked = msgspec.structs.replace(prompt(), messages=[message])
            await acme.asked(asked)
            assert acme.bodies[-1]["messages"] == [
                {"role": "assistant", "content": "Hm.", "reasoning_content": "thinking"}
            ]
            await acme.driver.close()

    run(asks())
