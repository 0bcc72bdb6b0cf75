"""What the ChatServer SDK makes of an answer: tolerant of what servers really say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloom.core.engine import Engine, Sync
from chatloom.core.http import Response
from chatserver_sdk import (
    ChatCompletionChoice,
    ChatCompletionResponse,
    ChatServerError,
    Message,
    MessageRole,
    ModelInfo,
    ModelsResponse,
    UnreadableAnswerError,
    UsageInfo,
)
from chatserver_sdk.completions import ChatServer
from chatserver_sdk.exceptions import documented
from support.scripted import Scripted

FULL: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1767268800,
    "model": "loom/echo",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "hi"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    "system_fingerprint": "s1",
}


def answering(body: bytes) -> ChatServer[Sync]:
    outside = Scripted(Response(200, {"x-request-id": "r1"}, body))
    return ChatServer(Engine(Sync, outside, named=documented))


def completion(**changes: Any) -> ChatCompletionResponse:
    body = {name: value for name, value in (FULL | changes).items() if value is not ...}
    return answering(json.dumps(body).encode()).create_completion("m", ["hi"])


def message(**said: Any) -> Message:
    return completion(choices=[{"message": said}]).choices[0].message


def test_a_whole_answer_is_read() -> None:
    assert completion() == ChatCompletionResponse(
        id="chatcmpl-1",
        object="chat.completion",
        created=1767268800,
        model="loom/echo",
        choices=[ChatCompletionChoice(0, Message(MessageRole.ASSISTANT, "hi"), "stop")],
        usage=UsageInfo(1, 2, 3),
        system_fingerprint="s1",
    )


@pytest.mark.parametrize("said", [{"content": None}, {}, {"content": 5}, {"content": []}])
def test_an_answer_without_text_has_empty_text(said: dict[str, Any]) -> None:
    assert message(**said).content == ""


def test_text_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    assert message(content=parts).content == "ab"


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("assistant", MessageRole.ASSISTANT),
        ("tool", MessageRole.TOOL),
        ("developer", MessageRole.DEVELOPER),
        ("model", MessageRole.ASSISTANT),
        (None, MessageRole.ASSISTANT),
        (["user"], MessageRole.ASSISTANT),
    ],
)
def test_a_role_nobody_knows_is_the_assistants(role: Any, expected: MessageRole) -> None:
    assert message(role=role).role is expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (..., UsageInfo(0, 0, 0)),
        (None, UsageInfo(0, 0, 0)),
        ({}, UsageInfo(0, 0, 0)),
        ({"prompt_tokens": 1, "completion_tokens": 2}, UsageInfo(1, 2, 3)),
        ({"prompt_tokens": 1.0, "completion_tokens": None}, UsageInfo(1, 0, 1)),
        ({"total_tokens": 9, "cached": 4}, UsageInfo(0, 0, 9, {"cached": 4})),
    ],
)
def test_usage_that_is_missing_is_zero(usage: Any, expected: UsageInfo) -> None:
    assert completion(usage=usage).usage == expected


@pytest.mark.parametrize("choices", [[], ["x"]])
def test_an_answer_may_have_no_choices(choices: Any) -> None:
    assert completion(choices=choices).choices == []


@pytest.mark.parametrize("choices", [..., None, {}, "x"])
def test_an_answer_without_a_list_of_choices_is_none(choices: Any) -> None:
    with pytest.raises(UnreadableAnswerError, match="holds no choices"):
        completion(choices=choices)


def test_what_the_document_does_not_name_is_kept() -> None:
    choice = {"message": {"content": "hi", "refusal": None}, "logprobs": [1]}
    answer = completion(choices=[choice], credits={"left": 5})
    assert answer.extra == {"credits": {"left": 5}}
    assert answer.choices[0].extra == {"logprobs": [1]}
    assert answer.choices[0].message.extra == {"refusal": None}


def test_tool_calls_are_read_and_can_be_sent_back() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = message(content=None, tool_calls=[call])
    assert said.tool_calls == [call]
    assert said.to_dict() == {"role": "assistant", "content": "", "tool_calls": [call]}


def test_an_answer_that_says_nothing_else_is_an_answer_too() -> None:
    assert answering(b'{"choices": []}').create_completion("m", ["hi"]) == ChatCompletionResponse(
        "", "chat.completion", 0, "", [], UsageInfo()
    )


MODEL: dict[str, Any] = {
    "id": "loom/echo",
    "object": "model",
    "created": 1,
    "owned_by": "chatloom",
    "provider": "loom",
    "description": "says it again",
    "context_length": 8192,
    "capabilities": ["chat"],
}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            MODEL,
            ModelInfo("loom/echo", "model", 1, "chatloom", "loom", "says it again", 8192, ["chat"]),
        ),
        ({"id": "m"}, ModelInfo("m")),
        ({"id": "m", "max_tokens": 5}, ModelInfo("m", context_length=5, extra={"max_tokens": 5})),
        ({"id": "m", "owned_by": None, "capabilities": None}, ModelInfo("m")),
        ({"id": "m", "price": 1}, ModelInfo("m", extra={"price": 1})),
    ],
    ids=["whole", "least", "an older server", "nulls", "extra"],
)
def test_models_are_read(model: dict[str, Any], expected: ModelInfo) -> None:
    body = json.dumps({"object": "list", "data": [model]}).encode()
    assert answering(body).list_models() == ModelsResponse([expected])


@pytest.mark.parametrize("body", [b"{}", b'{"data": null}', b'{"data": [1]}'])
def test_there_may_be_no_models(body: bytes) -> None:
    assert answering(body).list_models().data == []


NONSENSE = [b"", b"null", b"[]", b'"hi"', b"5", b"<html>", b'{"id": "\xff"}', b"[" * 100_000]


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: repr(body[:10]))
def test_an_answer_that_is_no_object_is_an_error(body: bytes) -> None:
    with pytest.raises(ChatServerError, match="not what it should be") as caught:
        answering(body).create_completion("m", ["hi"])
    assert (caught.value.status_code, caught.value.request_id) == (200, "r1")


KEYS = st.sampled_from([*FULL, *MODEL, "data", "message", "content"])
JSON = st.recursive(
    st.sampled_from([None, True, 5, 0.5, 10**30, "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=5,
)


@settings(deadline=None)
@given(body=st.dictionaries(KEYS, JSON, max_size=5))
def test_no_object_is_beyond_reading(body: dict[str, Any]) -> None:
    assert isinstance(ChatCompletionResponse.from_dict(body), ChatCompletionResponse)
    assert isinstance(ModelsResponse.from_dict(body), ModelsResponse)


def test_messages_and_their_dicts_say_the_same() -> None:
    said = Message(MessageRole.TOOL, "42", name="f", tool_call_id="c1")
    assert Message.from_dict(said.to_dict()) == said
