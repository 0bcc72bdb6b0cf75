"""What the Zaguan SDK sends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

import pytest

from chatloom.core.engine import Engine, Sync
from chatloom.core.http import Request, Response
from chatloom.core.manner import Manner
from chatloom.policies.identify import Identify
from chatloom.policies.retry import Retry
from support.scripted import Answer, Scripted, arriving
from zaguan import (
    AnthropicMessage,
    ChatRequest,
    CountTokensRequest,
    EmbeddingsRequest,
    Message,
    MessagesRequest,
)
from zaguan.errors import documented
from zaguan.operations import Zaguan

Call: TypeAlias = Callable[[Zaguan[Sync]], object]

CHAT = ChatRequest(model="m", messages=[Message(role="user", content="hi")])
MESSAGES = MessagesRequest(
    model="m", messages=[AnthropicMessage(role="user", content="hi")], max_tokens=9
)
HI = [{"role": "user", "content": "hi"}]
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def answer_to(body: bytes = b"") -> Response:
    """An answer that any call understands."""
    told: dict[str, Any] = {"choices": [], "data": [], "models": [], "credits_remaining": 1}
    return Response(200, {}, body or json.dumps(told | {"input_tokens": 1}).encode())


def sent_by(call: Call, *script: Answer, manner: Manner | None = None) -> Request:
    outside = Scripted(*script or (answer_to(),), chances=[0.123, 0.456, 0.789])
    call(Zaguan(Engine(Sync, outside, named=documented, manner=manner)))
    (request,) = outside.requests
    return request


def opened(call: Call) -> Request:
    return sent_by(call, arriving())


CALLS: dict[str, tuple[Call, str]] = {
    "chat": (lambda c: c.chat(CHAT), "POST /v1/chat/completions"),
    "chat_simple": (lambda c: c.chat_simple("hi"), "POST /v1/chat/completions"),
    "list_models": (lambda c: c.list_models(), "GET /v1/models"),
    "get_capabilities": (lambda c: c.get_capabilities(), "GET /v1/capabilities"),
    "balance": (lambda c: c.get_credits_balance(), "GET /v1/credits/balance"),
    "history": (lambda c: c.get_credits_history(), "GET /v1/credits/history"),
    "every page": (lambda c: list(c.iter_credits_history()), "GET /v1/credits/history"),
    "stats": (lambda c: c.get_credits_stats(), "GET /v1/credits/stats"),
    "health_check": (lambda c: c.health_check(), "GET /health"),
    "messages": (lambda c: c.messages(MESSAGES), "POST /v1/messages"),
    "count_tokens": (lambda c: c.count_tokens(MESSAGES), "POST /v1/messages/count_tokens"),
    "create_embeddings": (
        lambda c: c.create_embeddings(EmbeddingsRequest(model="m", input="hi")),
        "POST /v1/embeddings",
    ),
}


@pytest.mark.parametrize(("call", "line"), CALLS.values(), ids=CALLS)
def test_each_call_has_its_address_and_an_id(call: Call, line: str) -> None:
    request = sent_by(call)
    assert (str(request), request.query) == (line, ())
    assert UUID4.fullmatch(request.header("x-request-id") or "")
    is_anthropic = request.path.startswith("/v1/messages")
    assert request.header("anthropic-version") == ("2023-06-01" if is_anthropic else None)
    is_post = request.method == "POST"
    assert request.header("content-type") == ("application/json" if is_post else None)


NAMED: list[Call] = [
    lambda c: c.chat(CHAT, "mine"),
    lambda c: c.chat(CHAT, request_id="mine"),
    lambda c: c.chat_simple("hi", request_id="mine"),
    lambda c: c.chat_with_system("be brief", "hi", request_id="mine"),
    lambda c: c.list_models("mine"),
    lambda c: c.get_capabilities("mine"),
    lambda c: c.get_credits_balance("mine"),
    lambda c: c.get_credits_history(5, "cursor", "mine"),
    lambda c: list(c.iter_credits_history(request_id="mine")),
    lambda c: c.get_credits_stats("day", "mine"),
    lambda c: c.health_check("mine"),
    lambda c: c.create_embeddings(EmbeddingsRequest(model="m", input=["hi"]), "mine"),
    lambda c: c.messages(MESSAGES, "mine"),
    lambda c: c.count_tokens(MESSAGES, "mine"),
]


@pytest.mark.parametrize("call", NAMED)
def test_an_id_may_be_given(call: Call) -> None:
    assert sent_by(call).header("x-request-id") == "mine"


STREAMS: list[Call] = [
    lambda c: c.chat_stream(CHAT, "mine"),
    lambda c: c.messages_stream(MESSAGES, "mine"),
    lambda c: c.resume_chat("t1:4", "mine"),
    lambda c: c.resume_messages("t1:4", "mine"),
]


@pytest.mark.parametrize("call", STREAMS)
def test_an_id_may_be_given_to_a_stream(call: Call) -> None:
    request = opened(call)
    assert (request.header("x-request-id"), request.streamed) == ("mine", True)
    assert request.header("accept") == "text/event-stream"


def test_headers_of_the_client_stay_but_for_an_id_given() -> None:
    manner = Manner(headers=(("x-request-id", "common"), ("anthropic-version", "2099-01-01")))
    assert sent_by(lambda c: c.list_models(), manner=manner).header("x-request-id") == "common"
    request = sent_by(lambda c: c.messages(MESSAGES, "mine"), manner=manner)
    assert request.header("x-request-id") == "mine"
    assert request.header("anthropic-version") == "2099-01-01"
    names = [name for name, _ in request.headers]
    assert len(names) == len(set(names))


def test_ids_differ_from_call_to_call_and_not_from_try_to_try() -> None:
    busy = Response(429, {"retry-after": "1"}, b"{}")
    outside = Scripted(busy, answer_to(), answer_to(), chances=[i / 10 for i in range(1, 9)] * 2)
    client = Zaguan(Engine(Sync, outside, [Identify(), Retry(2)], named=documented))
    client.chat(CHAT)
    client.chat(CHAT)
    ids = [request.header("x-request-id") for request in outside.requests]
    assert ids[0] == ids[1] != ids[2]
    keys = [request.header("idempotency-key") for request in outside.requests]
    assert keys[0] == keys[1] != keys[2]


def body_of(request: Request) -> Any:
    return json.loads(request.body)


def test_the_least_is_sent_with_stream_told() -> None:
    sent = body_of(sent_by(lambda c: c.chat(CHAT)))
    assert sent == {"model": "m", "messages": HI, "stream": False}


@pytest.mark.parametrize("asked", [False, True, None])
def test_stream_is_as_the_call_wants_it_and_the_request_stays_as_it_is(asked: bool | None) -> None:
    request = CHAT.copy(update={"stream": asked}, deep=True)
    before = request.copy(deep=True)
    assert body_of(sent_by(lambda c: c.chat(request)))["stream"] is False
    assert body_of(opened(lambda c: c.chat_stream(request)))["stream"] is True
    assert request == before
    message = MESSAGES.copy(update={"stream": asked}, deep=True)
    assert body_of(sent_by(lambda c: c.messages(message)))["stream"] is False
    assert body_of(opened(lambda c: c.messages_stream(message)))["stream"] is True
    assert message.stream is asked


def test_everything_a_request_holds_is_sent() -> None:
    fields: dict[str, Any] = {
        "temperature": 0.5,
        "max_tokens": 9,
        "top_p": 0.5,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": None}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_object"},
        "n": 2,
        "stop": ["x"],
        "seed": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.5,
        "logit_bias": {"1": 0.5},
        "parallel_tool_calls": False,
        "modalities": ["text"],
        "audio": {"voice": "x"},
        "reasoning_effort": "high",
        "thinking": True,
        "verbosity": "low",
        "user": "u",
        "metadata": {"conversation_id": "c"},
        "store": False,
        "virtual_model_id": "v",
        "future": {"a": [1]},
    }
    request = ChatRequest.parse_obj({"model": "m", "messages": HI, **fields})
    sent = body_of(sent_by(lambda c: c.chat(request)))
    assert sent == {"model": "m", "messages": HI, "stream": False, **fields}


def test_extra_body_is_sent_where_providers_look() -> None:
    params = {"a": 1, "b": {"c": None}}
    request = CHAT.copy(update={"provider_specific_params": params, "extra_body": {"a": 2}})
    sent = body_of(sent_by(lambda c: c.chat(request)))
    assert sent["provider_specific_params"] == {"a": 2, "b": {"c": None}}
    assert "extra_body" not in sent
    assert (request.provider_specific_params, request.extra_body) == (params, {"a": 2})


def test_dicts_put_among_the_messages_are_sent_as_they_are() -> None:
    request = CHAT.copy(deep=True)
    messages: list[Any] = request.messages
    messages.append({"role": "assistant", "content": None, "x": 1})
    sent = body_of(sent_by(lambda c: c.chat(request)))
    assert sent["messages"][1] == {"role": "assistant", "content": None, "x": 1}


def test_the_short_ways_say_the_same() -> None:
    sent = body_of(sent_by(lambda c: c.chat_simple("hi")))
    assert sent == {"model": "openai/gpt-4o-mini", "messages": HI, "stream": False}
    sent = body_of(sent_by(lambda c: c.chat_with_system("be brief", "hi", "m")))
    system = {"role": "system", "content": "be brief"}
    assert sent == {"model": "m", "messages": [system, *HI], "stream": False}


def test_counting_leaves_out_what_only_an_answer_needs() -> None:
    asked = MESSAGES.copy(update={"system": "be brief", "top_k": 5, "future": 1})
    sent = body_of(sent_by(lambda c: c.count_tokens(asked)))
    assert sent == {"model": "m", "messages": HI, "system": "be brief", "future": 1}
    least = CountTokensRequest(model="m", messages=MESSAGES.messages)
    assert body_of(sent_by(lambda c: c.count_tokens(least))) == {"model": "m", "messages": HI}


def test_embeddings_are_asked_for_as_openai_does() -> None:
    asked = EmbeddingsRequest(model="m", input=["a", "b"], dimensions=5)
    sent = body_of(sent_by(lambda c: c.create_embeddings(asked)))
    assert sent == {"model": "m", "input": ["a", "b"], "encoding_format": "float", "dimensions": 5}


DAY = date(2026, 1, 2)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


ASKED: list[tuple[Call, dict[str, str]]] = [
    (lambda c: c.get_credits_history(5, "x y"), {"limit": "5", "cursor": "x y"}),
    (lambda c: c.get_credits_history(page=2, page_size=5), {"page": "2", "page_size": "5"}),
    (
        lambda c: c.get_credits_history(start_date=DAY, end_date="2026-02-01"),
        {"start_date": "2026-01-02", "end_date": "2026-02-01"},
    ),
    (
        lambda c: c.get_credits_history(model="m", provider="p", band="b", status="s"),
        {"model": "m", "provider": "p", "band": "b", "status": "s"},
    ),
    (
        lambda c: list(c.iter_credits_history(5, start_date=DAY, band="b")),
        {"limit": "5", "start_date": "2026-01-02", "band": "b"},
    ),
    (lambda c: c.get_credits_stats("day"), {"period": "day"}),
    (lambda c: c.get_credits_stats(group_by=["model", "day"]), {"group_by": "model,day"}),
    (lambda c: c.get_credits_stats(group_by="model"), {"group_by": "model"}),
    (
        lambda c: c.get_credits_stats(start_date=NOON, model="m", provider="p", band="b"),
        {"start_date": "2026-01-02T12:00:00+00:00", "model": "m", "provider": "p", "band": "b"},
    ),
    (
        lambda c: c.get_capabilities(provider="openai", supports_vision=True),
        {"provider": "openai", "supports_vision": "true"},
    ),
    (
        lambda c: c.get_capabilities(supports_tools=False, supports_reasoning=True),
        {"supports_tools": "false", "supports_reasoning": "true"},
    ),
]


@pytest.mark.parametrize(("call", "query"), ASKED)
def test_arguments_are_asked_for(call: Call, query: dict[str, str]) -> None:
    assert dict(sent_by(call).query) == query
