"""What providers answer, in all their dialects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatloom.core.http import JSON
from chatloom.core.secret import Secret
from chatloom.server.models.driver import ModelInfo, Text, ToolCall
from chatloom.server.models.openai import OpenAI
from chatloom.server.settings import ProviderSettings
from server.models.asking import prompt
from server.models.provider import (
    COUNTED,
    DONE,
    KEY,
    USAGE,
    answers,
    ended,
    event,
    heard,
    kind,
    provider,
    run,
    said,
    streams,
)
from transports.scripted import Peer


def test_a_streamed_answer_arrives_as_deltas() -> None:
    usage: dict[str, JSON] = {"choices": [], "usage": USAGE}
    answered = heard(streams(said("Hel", role="assistant"), said("lo"), ended(), usage, DONE))
    assert answered.error is None
    assert answered.text() == "Hello"
    assert answered.reasons == ["stop"]
    assert answered.usage == COUNTED
    assert answered.served == ["real-model"]


def test_a_plain_answer_arrives_in_one_batch() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "Hello", "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    reply = answers({"model": "real-model", "choices": [choice], "usage": USAGE})
    answered = heard(reply, given=prompt(streamed=False))
    assert len(answered.batches) == 1
    assert (answered.text(), answered.calls()) == ("Hello", [("f", "{}")])
    assert (answered.reasons, answered.usage) == (["tool_calls"], COUNTED)


DIALECTS: list[tuple[str, list[object], str]] = [
    ("usage in the finish chunk", [said("Hi"), ended(usage=USAGE), DONE], "Hi"),
    (
        "usage per chunk",
        [{**said("Hi"), "usage": {**USAGE, "completion_tokens": 1}}, ended(usage=USAGE), DONE],
        "Hi",
    ),
    ("no [DONE]", [said("Hi"), ended(usage=USAGE)], "Hi"),
    (
        "no index",
        [
            {"choices": [{"delta": {"content": "Hi"}}]},
            {"choices": [{"finish_reason": "stop"}], "usage": USAGE},
        ],
        "Hi",
    ),
    (
        "nulls",
        [{"choices": None, "usage": None}, {**said("Hi"), "error": None}, ended(usage=USAGE)],
        "Hi",
    ),
    (
        "an empty finish reason",
        [
            {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": ""}]},
            ended(usage=USAGE),
        ],
        "Hi",
    ),
    (
        "a finish reason content",
        [
            {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "content"}]},
            ended(usage=USAGE),
        ],
        "Hi",
    ),
    ("an unknown finish reason", [said("Hi"), ended("eos_token", usage=USAGE)], "Hi"),
    ("content in parts", [said([{"type": "text", "text": "Hi"}]), ended(usage=USAGE)], "Hi"),
    ("an empty event", [b"", said("Hi"), ended(usage=USAGE)], "Hi"),
    (
        "unknown fields",
        [{**said("Hi"), "x_own": {"a": 1}, "object": "chunk"}, ended(usage=USAGE)],
        "Hi",
    ),
    ("DONE without a space", [said("Hi"), ended(usage=USAGE), b"[DONE] "], "Hi"),
]


@pytest.mark.parametrize(
    ("data", "text"), [row[1:] for row in DIALECTS], ids=[row[0] for row in DIALECTS]
)
def test_foreign_dialects_are_understood(data: list[object], text: str) -> None:
    answered = heard(streams(*data))
    assert answered.error is None
    assert (answered.text(), answered.reasons, answered.usage) == (text, ["stop"], COUNTED)


def test_a_forgotten_blank_line_at_the_end_is_forgiven() -> None:
    body = event(said("Hi")) + event(ended()).rstrip()

    def reply(peer: Peer) -> None:
        peer.answer(body, b"content-type: text/event-stream")

    assert heard(reply).error is None


def test_a_provider_that_does_not_stream_is_understood() -> None:
    choice = {"message": {"content": "Hi"}, "finish_reason": "stop"}
    answered = heard(answers({"choices": [choice], "usage": USAGE}))
    assert (answered.text(), answered.reasons, answered.error) == ("Hi", ["stop"], None)
    assert answered.served == ["some-model"]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_are_kept_apart(field: str) -> None:
    thinking = {"choices": [{"index": 0, "delta": {field: "Hmm"}}]}
    answered = heard(streams(thinking, said("Hi"), ended()))
    assert (answered.thoughts, answered.text()) == ("Hmm", "Hi")


def test_mistrals_thoughts_are_kept_apart() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hmm"}]},
        {"type": "text", "text": "Hi"},
    ]
    answered = heard(streams(said(parts), ended()))
    assert (answered.thoughts, answered.text()) == ("Hmm", "Hi")


def call(index: int | None = None, **fields: Any) -> dict[str, Any]:
    own_id = {"id": fields.pop("id")} if "id" in fields else {}
    return {**({} if index is None else {"index": index}), **own_id, "function": fields}


CALLS: list[tuple[str, list[list[dict[str, Any]]]]] = [
    (
        "as OpenAI writes them",
        [
            [call(0, id="c1", name="f", arguments="")],
            [call(0, arguments='{"a"')],
            [call(0, arguments=":1}")],
            [call(1, id="c2", name="g", arguments="{}")],
        ],
    ),
    (
        "without an index",
        [
            [call(id="c1", name="f", arguments='{"a"')],
            [call(arguments=":1}")],
            [call(id="c2", name="g", arguments="{}")],
        ],
    ),
    (
        "whole and at once",
        [[call(id="c1", name="f", arguments={"a": 1}), call(id="c2", name="g", arguments={})]],
    ),
    (
        "all numbered 0",
        [
            [call(0, id="c1", name="f", arguments='{"a":1}')],
            [call(0, id="c2", name="g", arguments="{}")],
        ],
    ),
    (
        "name and id repeated",
        [
            [call(0, id="c1", name="f", arguments='{"a":')],
            [call(0, id="c1", name="f", arguments="1}")],
            [call(1, id="c2", name="g", arguments="{}")],
        ],
    ),
    (
        "numbered from 1",
        [
            [call(1, id="c1", name="f", arguments='{"a":1}')],
            [call(2, id="c2", name="g", arguments="{}")],
        ],
    ),
]


@pytest.mark.parametrize("fragments", [row[1] for row in CALLS], ids=[row[0] for row in CALLS])
def test_tool_calls_are_put_together(fragments: list[list[dict[str, Any]]]) -> None:
    chunks = [said(None, tool_calls=calls) for calls in fragments]
    answered = heard(streams(*chunks, ended("tool_calls"), DONE))
    assert answered.calls() == [("f", '{"a":1}'), ("g", "{}")]
    assert answered.ids == ["c1", "c2"]
    assert sorted({d.index for d in answered.deltas if isinstance(d, ToolCall)}) == [0, 1]
    assert answered.reasons == ["tool_calls"]


def test_a_call_without_id_is_given_one() -> None:
    answered = heard(streams(said(None, tool_calls=[call(0, name="f", arguments="{}")]), ended()))
    assert len(answered.ids) == 1
    assert answered.ids[0].startswith("call_")
    assert answered.reasons == ["tool_calls"]


def test_the_older_function_call_is_a_tool_call() -> None:
    chunks = [
        said(None, function_call={"name": "f", "arguments": "{"}),
        said(None, function_call={"arguments": "}"}),
    ]
    answered = heard(streams(*chunks, ended("function_call")))
    assert (answered.calls(), answered.reasons) == ([("f", "{}")], ["tool_calls"])


def test_logprobs_travel_with_their_text() -> None:
    entries: list[JSON] = [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}]
    choice = {"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": entries}}
    answered = heard(streams({"choices": [choice]}, ended()))
    assert [d for d in answered.deltas if isinstance(d, Text)] == [Text("Hi", 0, entries)]


def test_each_choice_must_end() -> None:
    both = [said("A"), said("B", index=1), ended()]
    assert kind(heard(streams(*both, DONE), given=prompt(n=2))) == "truncated"
    answered = heard(streams(*both, ended("length", index=1), DONE), given=prompt(n=2))
    assert (answered.text(0), answered.text(1)) == ("A", "B")
    assert answered.reasons == ["stop", "length"]


@pytest.mark.parametrize(
    ("body", "listed"),
    [
        ({"data": [{"id": "a", "created": 5}, {"id": "b"}, {"name": "no id"}, 3]}, ["a", "b"]),
        ([{"id": "a"}], ["a"]),
        ({"data": None}, []),
        ("nothing", []),
    ],
)
def test_the_providers_models_are_listed(body: object, listed: list[str]) -> None:
    async def asks() -> None:
        with provider(answers(body)) as acme:
            assert [info.id for info in await acme.driver.models()] == listed
            assert acme.server.asked[0].target == "/v1/models"
            await acme.driver.close()

    run(asks())


def test_what_is_told_of_a_model_is_kept() -> None:
    told = {
        "id": "m",
        "created": 7,
        "description": "Good",
        "context_length": 1000,
        "top_provider": {"max_completion_tokens": 50},
        "supported_parameters": ["tools", "temperature"],
    }

    async def asks() -> None:
        with provider(answers({"data": [told]})) as acme:
            assert list(await acme.driver.models()) == [
                ModelInfo(
                    id="m",
                    provider="acme",
                    description="Good",
                    context_length=1000,
                    max_output_tokens=50,
                    capabilities=["chat", "streaming", "tools"],
                    created=7,
                )
            ]
            await acme.driver.close()

    run(asks())


def test_a_plain_answer_that_is_nonsense_is_no_answer() -> None:
    assert kind(heard(answers(b"<html>"), given=prompt(streamed=False))) == "truncated"
    unended = {"choices": [{"message": {"content": "Hi"}}]}
    answered = heard(answers(unended), given=prompt(streamed=False))
    assert (kind(answered), answered.text()) == ("truncated", "Hi")


def test_a_driver_without_a_key_signs_nothing() -> None:
    async def asks() -> None:
        with provider(streams(said("Hi"), ended(), DONE)) as acme:
            settings = ProviderSettings(base_url=f"{acme.server.url}/v1")
            driver = OpenAI("local", settings, None)
            async for _ in driver.answer(prompt()):
                pass
            assert acme.server.asked[0].all("authorization") == []
            await driver.close()
            await acme.driver.close()

    run(asks())


def test_the_events_may_be_split_anywhere() -> None:
    body = b"".join(map(event, [said("Häl"), said("lo"), ended(), DONE]))

    def reply(peer: Peer) -> None:
        peer.say(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for at in range(0, len(body), 7):
            peer.say(body[at : at + 7])
        peer.close()

    assert heard(reply).text() == json.loads('"Hällo"')


def test_a_secret_is_not_shown_by_the_driver() -> None:
    driver = OpenAI("acme", ProviderSettings(base_url="http://localhost:1/v1"), Secret(KEY))
    assert KEY not in repr(vars(driver))
