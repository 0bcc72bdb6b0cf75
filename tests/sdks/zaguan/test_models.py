"""The models: strict in what is asked, tolerant of what is answered."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

import zaguan.models
from zaguan.models import (
    AnthropicMessage,
    ChatChunk,
    ChatRequest,
    ChatResponse,
    Config,
    ContentBlock,
    CreditsBalance,
    CreditsHistory,
    CreditsHistoryEntry,
    CreditsStats,
    Message,
    MessagesRequest,
    MessagesResponse,
    ModelCapabilities,
    ModelInfo,
    TokenDetails,
    Usage,
)

HI = Message(role="user", content="hi")

DOCUMENTED: dict[type[BaseModel], set[str]] = {
    Config: {"base_url", "api_key", "timeout"},
    Message: {"role", "content", "name"},
    ChatRequest: {
        *("model", "messages", "temperature", "max_tokens", "top_p", "stream", "tools"),
        *("tool_choice", "response_format", "provider_specific_params"),
    },
    TokenDetails: {
        *("reasoning_tokens", "cached_tokens", "audio_tokens"),
        *("accepted_prediction_tokens", "rejected_prediction_tokens"),
    },
    Usage: {
        *("prompt_tokens", "completion_tokens", "total_tokens"),
        *("prompt_tokens_details", "completion_tokens_details"),
    },
    zaguan.models.Choice: {"index", "message", "finish_reason"},
    ChatResponse: {"id", "object", "created", "model", "choices", "usage"},
    ModelInfo: {"id", "object", "owned_by", "description", "metadata"},
    ModelCapabilities: {
        *("model_id", "supports_vision", "supports_tools", "supports_reasoning"),
        *("max_context_tokens", "provider_specific"),
    },
    CreditsBalance: {"credits_remaining", "tier", "bands", "reset_date"},
}


@pytest.mark.parametrize(
    ("model", "fields"), DOCUMENTED.items(), ids=[one.__name__ for one in DOCUMENTED]
)
def test_every_documented_field_is_here(model: type[BaseModel], fields: set[str]) -> None:
    assert fields <= model.model_fields.keys()


def request(**fields: Any) -> ChatRequest:
    return ChatRequest(model="m", messages=[HI], **fields)


def test_the_habits_of_pydantic_1_work() -> None:
    asked = request(temperature=0.5)
    plain: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    plain |= {"temperature": 0.5, "stream": False}
    assert asked.dict(by_alias=True, exclude_none=True) == plain
    assert asked.dict()["max_tokens"] is None
    assert asked.dict(include={"model"}) == {"model": "m"}
    assert ChatRequest.parse_obj(plain) == asked
    assert '"temperature":0.5' in asked.json(exclude_none=True)
    assert "\n  " in asked.json(indent=2, exclude={"messages"})
    copied = asked.copy()
    copied.stream = True
    assert (asked.stream, copied.stream) == (False, True)
    assert asked.copy(update={"seed": 7}).seed == 7
    assert asked.copy(deep=True).messages[0] is not asked.messages[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Message.parse_obj({"role": "usre", "content": "hi"}),
        lambda: Message.parse_obj({"content": "hi"}),
        lambda: Message.parse_obj({"role": "user", "content": 5}),
        lambda: ChatRequest.parse_obj({"model": "m"}),
        lambda: request(temperature="warm"),
        lambda: request(messages=[{"role": "usre"}]),
        lambda: AnthropicMessage.parse_obj({"role": "tool", "content": "hi"}),
        lambda: MessagesRequest.parse_obj({"model": "m", "messages": []}),
        lambda: Config.parse_obj({"base_url": "x", "api_key": "k", "timout": 5}),
    ],
)
def test_what_cannot_be_meant_is_refused(make: Any) -> None:
    with pytest.raises((ValidationError, TypeError)):
        make()


def test_what_cannot_be_meant_is_refused_when_it_is_set_later_too() -> None:
    asked = request()
    with pytest.raises(ValidationError):
        asked.__setattr__("max_tokens", "many")
    with pytest.raises(ValidationError):
        asked.messages[0].__setattr__("role", "usre")


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool", "function"])
def test_every_role_may_speak(role: Any) -> None:
    assert Message(role=role, content="hi").role == role


def test_fields_nobody_knows_are_kept() -> None:
    assert request(future=[1]).dict(exclude_none=True)["future"] == [1]
    told = ModelInfo.parse_obj({"id": "m", "price": {"in": 1}})
    assert told.model_extra == {"price": {"in": 1}}
    assert told.dict()["price"] == {"in": 1}


def test_a_null_within_what_a_caller_made_is_kept() -> None:
    tools = [{"type": "function", "function": {"name": "f", "default": None}}]
    assert request(tools=tools).dict(exclude_none=True)["tools"] == tools


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"extra_body": {"a": 1}}, {"a": 1}),
        ({"provider_specific_params": {"a": 1}}, {"a": 1}),
        ({"extra_body": {"a": 1}, "provider_specific_params": {"a": 2, "b": 3}}, {"a": 1, "b": 3}),
        ({"extra_body": {}}, None),
        ({}, None),
    ],
)
def test_an_extra_body_is_written_where_providers_look(fields: Any, expected: Any) -> None:
    dumped = request(**fields).dict(exclude_none=True)
    assert dumped.get("provider_specific_params") == expected
    assert "extra_body" not in dumped


FULL: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 7,
    "model": "openai/gpt-4o",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    ],
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
    "metadata": {"credits_used": 1.5},
}


def test_a_whole_answer_says_what_was_told() -> None:
    answer = ChatResponse.parse_obj(FULL)
    assert answer.model_dump(exclude_unset=True) == FULL
    assert answer.text == "hi"
    details = answer.usage.completion_tokens_details
    assert details is not None
    assert details.reasoning_tokens == 1


def test_answers_can_be_pickled_and_copied() -> None:
    answer = ChatResponse.parse_obj(FULL)
    assert pickle.loads(pickle.dumps(answer)) == copy.deepcopy(answer) == answer


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (..., Usage()),
        (None, Usage()),
        ({}, Usage()),
        ({"prompt_tokens": 1, "completion_tokens": 2}, Usage(prompt_tokens=1, completion_tokens=2)),
        ({"prompt_tokens": 1.9, "completion_tokens": None}, Usage(prompt_tokens=1)),
        ({"total_tokens": 9}, Usage(total_tokens=9)),
    ],
)
def test_a_usage_that_is_missing_is_zero(usage: Any, expected: Usage) -> None:
    told = {name: value for name, value in (FULL | {"usage": usage}).items() if value is not ...}
    counted = ChatResponse.parse_obj(told).usage
    assert counted.dict() == expected.dict()
    assert counted.total_tokens >= counted.prompt_tokens


@pytest.mark.parametrize("role", ["model", None, "Assistant", 5])
def test_a_role_nobody_knows_is_the_assistants(role: Any) -> None:
    answer = ChatResponse.parse_obj({"choices": [{"message": {"role": role, "content": "x"}}]})
    message = answer.choices[0].message
    assert message is not None
    assert (message.role, answer.text) == ("assistant", "x")


def test_an_answer_with_a_tool_call_can_be_given_back() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    message = ChatResponse.parse_obj({"choices": [{"message": said}]}).choices[0].message
    assert message is not None
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.name == "f"
    told = ChatRequest(model="m", messages=[message]).dict(exclude_none=True)
    assert told["messages"] == [{"role": "assistant", "tool_calls": [call]}]


@pytest.mark.parametrize(
    "content", ["ab", [{"type": "text", "text": "a"}, {"type": "image"}, {"text": "b"}]]
)
def test_text_in_parts_is_joined(content: Any) -> None:
    said = {"choices": [{"message": {"role": "assistant", "content": content}}]}
    assert ChatResponse.parse_obj(said).text == "ab"


def test_an_answer_without_choices_has_no_text() -> None:
    assert ChatResponse.parse_obj({"choices": []}).text == ""
    assert ChatResponse.parse_obj({"choices": [{"index": 0}]}).text == ""


def test_a_chunk_needs_little() -> None:
    chunk = ChatChunk.parse_obj({"choices": [{"delta": {"content": "x"}}, {"delta": None}]})
    assert (chunk.text, chunk.choices[0].delta.role, chunk.usage) == ("x", None, None)
    only = ChatChunk.parse_obj({"choices": [], "usage": {"prompt_tokens": 5}})
    assert only.usage == Usage(prompt_tokens=5)


def test_fractional_credits_are_floored_and_kept() -> None:
    balance = CreditsBalance.parse_obj({"credits_remaining": 12.75, "credits_used": 3})
    assert (balance.credits_remaining, balance.exact("credits_remaining")) == (12, 12.75)
    assert (balance.credits_used, balance.exact("credits_used")) == (3, 3)
    assert balance.exact("credits_total") is None
    assert CreditsBalance.parse_obj({"credits_remaining": -0.5}).credits_remaining == -1
    entry = CreditsHistoryEntry.parse_obj({"credits_debited": 0.25, "cost": 0.1})
    assert (entry.credits_debited, entry.exact("credits_debited")) == (0, 0.25)
    assert pickle.loads(pickle.dumps(balance)).exact("credits_remaining") == 12.75
    balance.credits_remaining = 5
    assert balance.exact("credits_remaining") == 5


@pytest.mark.parametrize("nonsense", ["many", float("nan"), float("inf"), [1]])
def test_credits_that_are_no_number_are_refused(nonsense: Any) -> None:
    with pytest.raises(ValidationError):
        CreditsBalance.parse_obj({"credits_remaining": nonsense})


@pytest.mark.parametrize(
    "told",
    [
        {"entries": [{"id": "1"}], "total_entries": 5, "next_cursor": "c"},
        {"entries": [{"id": "1"}], "total": 5, "page": 1, "page_size": 1},
        {"entries": [{"id": "1"}], "total": 5, "has_more": True, "next_cursor": "c"},
    ],
)
def test_a_history_is_read_in_every_dialect(told: Any) -> None:
    history = CreditsHistory.parse_obj(told)
    assert (history.total_entries, history.total, history.entries[0].id) == (5, 5, "1")


def test_stats_are_read_in_every_dialect() -> None:
    sums: dict[str, Any] = {"total_credits_used": 5.5, "total_cost": 1.25, "total_requests": 9}
    flat = CreditsStats.parse_obj(sums | {"period": "day", "model_breakdown": [{"m": 1}]})
    told = sums | {"other": 1}
    summed = CreditsStats.parse_obj({"stats": [{"day": 1}], "summary": told})
    short = {"credits_used": 5.5, "cost": 1.25, "requests": 9}
    for stats in (flat, summed, CreditsStats.parse_obj({"summary": short})):
        assert (stats.total_credits_used, stats.total_cost, stats.total_requests) == (5, 1.25, 9)
        assert stats.exact("total_credits_used") == 5.5
    assert (flat.period, flat.model_breakdown) == ("day", [{"m": 1}])
    assert (summed.stats, summed.summary) == ([{"day": 1}], told)
    by = CreditsStats.parse_obj({"by_model": {"m": 1}, "by_day": [1], "average_latency_ms": 1.5})
    assert (by.by_model, by.by_day, by.average_latency_ms) == ({"m": 1}, [1], 1.5)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"supports_audio_in": True}, (True, True, None, None)),
        (
            {"supports_audio_input": True, "supports_audio_output": False},
            (True, True, False, False),
        ),
        ({"supports_audio_in": False, "supports_audio_input": True}, (False, True, None, None)),
        ({"supports_audio_in": None}, (None, None, None, None)),
    ],
)
def test_sound_is_told_in_both_spellings(told: Any, expected: Any) -> None:
    can = ModelCapabilities.parse_obj({"model_id": "m", **told})
    assert expected == (
        can.supports_audio_in,
        can.supports_audio_input,
        can.supports_audio_out,
        can.supports_audio_output,
    )


def test_an_answer_of_the_anthropic_wire_can_be_given_back() -> None:
    told: dict[str, Any] = {
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "hi"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
        ],
        "usage": {"output_tokens": 2},
    }
    answer = MessagesResponse.parse_obj(told)
    assert (answer.text, answer.usage.input_tokens) == ("hi", 0)
    again = AnthropicMessage(role="assistant", content=answer.content)
    assert again.dict(exclude_none=True)["content"] == told["content"]


def test_blocks_and_dicts_may_be_mixed() -> None:
    image = {"type": "image", "source": {"type": "url"}}
    message = AnthropicMessage(role="user", content=[ContentBlock(text="a"), image])
    assert message.dict(exclude_none=True)["content"] == [{"type": "text", "text": "a"}, image]
