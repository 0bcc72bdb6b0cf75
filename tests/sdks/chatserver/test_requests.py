"""What the ChatServer SDK sends."""

from __future__ import annotations

import json
from collections import UserDict
from typing import Any

import pytest

from chatloom.core.engine import Engine, Sync
from chatloom.core.http import JSON, Response
from chatserver_sdk import ChatCompletionRequest, Message, MessageRole
from chatserver_sdk.completions import ChatServer
from chatserver_sdk.exceptions import documented
from support.scripted import Answer, Scripted, arriving

DEFAULTS = {
    "model": "loom/echo",
    "messages": [{"role": "user", "content": "hi"}],
    "temperature": 0.7,
    "max_tokens": 4000,
    "top_p": 1.0,
    "stream": False,
}


def client(*script: Answer) -> tuple[ChatServer[Sync], Scripted]:
    outside = Scripted(*script)
    return ChatServer(Engine(Sync, outside, named=documented)), outside


def plain() -> Response:
    """An answer that says nothing."""
    return Response(200, {}, b'{"choices": []}')


def payload(*positional: Any, **named: Any) -> dict[str, Any]:
    """Ask, and give what was sent."""
    answer = arriving(b"data: [DONE]\n\n") if named.get("stream") else plain()
    chat, outside = client(answer)
    chat.create_completion(*positional, **named)
    (request,) = outside.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.header("content-type") == "application/json"
    body: dict[str, Any] = json.loads(request.body)
    return body


def test_the_least_is_sent_with_the_documents_defaults() -> None:
    assert payload("loom/echo", ["hi"]) == DEFAULTS


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"temperature": 0}, {"temperature": 0}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"stream": True}, {"stream": True}),
        ({"system_prompt": "be brief"}, {"system_prompt": "be brief"}),
        ({"system_prompt": ""}, {}),
        ({"user": "u1"}, {"user": "u1", "metadata": {"user_id": "u1"}}),
        ({"session_id": "s1"}, {"metadata": {"session_id": "s1"}}),
        ({"organization_id": "o1"}, {"metadata": {"organization_id": "o1"}}),
        ({"workflow": "w"}, {"metadata": {"workflow": "w"}}),
        ({"variables": {"a": 1}}, {"metadata": {"variables": {"a": 1}}}),
        ({"allowed_tools": ["t"]}, {"metadata": {"allowed_tools": ["t"]}}),
        ({"allowed_tools": []}, {"metadata": {"allowed_tools": []}}),
        ({"setting_sources": ["s"]}, {"metadata": {"setting_sources": ["s"]}}),
        ({"mcp_servers": {"m": {}}}, {"metadata": {"mcp_servers": {"m": {}}}}),
        ({"metadata": {"ticket": 7}}, {"metadata": {"ticket": 7}}),
        ({"metadata": {}}, {}),
        ({"metadata": None}, {}),
    ],
)
def test_each_argument_has_its_place(arguments: dict[str, Any], sent: dict[str, Any]) -> None:
    assert payload("loom/echo", ["hi"], **arguments) == DEFAULTS | sent


def test_arguments_may_be_given_by_position() -> None:
    sent = payload("m", ["hi"], 0.1, 9, 0.2, False, "u1", "be brief")
    assert sent == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.1,
        "max_tokens": 9,
        "top_p": 0.2,
        "stream": False,
        "user": "u1",
        "system_prompt": "be brief",
        "metadata": {"user_id": "u1"},
    }


def test_what_metadata_says_wins_over_the_arguments() -> None:
    metadata = {"user_id": "mine", "session_id": "theirs", "extra": [1]}
    sent = payload("m", ["hi"], user="u1", session_id="s1", workflow="w", metadata=metadata)
    assert sent["metadata"] == {**metadata, "workflow": "w"}
    assert sent["user"] == "u1"
    assert metadata == {"user_id": "mine", "session_id": "theirs", "extra": [1]}


CALL: dict[str, JSON] = {
    "id": "c1",
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
}


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["a", "b"], [("user", "a"), ("user", "b")], id="strings"),
        pytest.param(
            [Message(MessageRole.SYSTEM, "a"), Message(MessageRole.USER, "b")],
            [("system", "a"), ("user", "b")],
            id="objects",
        ),
        pytest.param(
            [{"role": "system", "content": "a"}, {"role": MessageRole.ASSISTANT, "content": "b"}],
            [("system", "a"), ("assistant", "b")],
            id="dicts",
        ),
        pytest.param(
            ["a", {"role": "assistant", "content": "b"}, Message(MessageRole.USER, "c")],
            [("user", "a"), ("assistant", "b"), ("user", "c")],
            id="mixed",
        ),
        pytest.param(("a",), [("user", "a")], id="a tuple"),
        pytest.param([UserDict(role="user", content="a")], [("user", "a")], id="a mapping"),
    ],
)
def test_messages_may_have_any_form(messages: Any, sent: list[tuple[str, str]]) -> None:
    expected = [{"role": role, "content": content} for role, content in sent]
    assert payload("m", messages)["messages"] == expected


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (
            Message(MessageRole.ASSISTANT, "", tool_calls=[CALL]),
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
        ),
        (
            Message(MessageRole.TOOL, "42", tool_call_id="c1"),
            {"role": "tool", "content": "42", "tool_call_id": "c1"},
        ),
        (
            Message(MessageRole.USER, "hi", name="Ada"),
            {"role": "user", "content": "hi", "name": "Ada"},
        ),
        (
            {"role": "user", "content": [{"type": "text", "text": "hi"}], "custom": 1},
            {"role": "user", "content": [{"type": "text", "text": "hi"}], "custom": 1},
        ),
    ],
)
def test_messages_are_sent_with_all_they_hold(message: Any, sent: dict[str, Any]) -> None:
    assert payload("m", [message])["messages"] == [sent]


def test_the_callers_messages_are_left_as_they_are() -> None:
    message = {"role": MessageRole.USER, "content": "hi"}
    payload("m", [message])
    assert message == {"role": MessageRole.USER, "content": "hi"}


def test_a_text_in_place_of_the_list_is_a_mistake() -> None:
    chat, outside = client()
    with pytest.raises(TypeError, match=r"did you mean \[text\]"):
        chat.create_completion("m", "hi")
    assert outside.requests == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_stream_is_asked_for_as_one(stream: bool) -> None:
    chat, outside = client(arriving(b"data: [DONE]\n\n") if stream else plain())
    if stream:
        chat.create_completion("m", ["hi"], stream=True)
    else:
        chat.create_completion("m", ["hi"])
    (request,) = outside.requests
    assert (request.streamed, request.header("accept") == "text/event-stream") == (stream, stream)


def test_models_are_listed() -> None:
    chat, outside = client(plain())
    chat.list_models()
    (request,) = outside.requests
    assert (request.method, request.path, request.query) == ("GET", "/v1/models", ())
    assert (request.body, request.header("content-type")) == (b"", None)


@pytest.mark.parametrize(
    ("request_", "sent"),
    [
        (
            ChatCompletionRequest("loom/echo", [Message(MessageRole.USER, "hi")]),
            DEFAULTS,
        ),
        (
            ChatCompletionRequest(
                "loom/echo",
                [Message(MessageRole.USER, "hi")],
                temperature=0,
                max_tokens=5,
                top_p=0.5,
                stream=True,
                user="u1",
                system_prompt="be brief",
                metadata={"a": 1},
            ),
            DEFAULTS
            | {"temperature": 0, "max_tokens": 5, "top_p": 0.5, "stream": True, "user": "u1"}
            | {"system_prompt": "be brief", "metadata": {"a": 1}},
        ),
    ],
    ids=["least", "all"],
)
def test_a_request_object_says_the_same(
    request_: ChatCompletionRequest, sent: dict[str, Any]
) -> None:
    assert request_.to_dict() == sent
