"""Answers over HTTP, plain and streamed: what they say, and in what form."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from chatloom.core.event_stream import EventStreamDecoder
from chatloom.server.protocols import completions
from support.house import WHOLE, a_house
from support.http import Answer, Events
from support.live import Live

ECHO = "loom/echo"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}

_numbers = count()


@pytest.fixture
def key() -> str:
    """A key nobody else has, and so an account of its own."""
    return f"completions-{next(_numbers)}"


def turn_of(live: Live, key: str, answer: Answer | Events) -> Any:
    return live.call("GET", f"/v1/turns/{answer.headers['x-chatloom-turn']}", key=key).json


def test_a_plain_answer_has_all_that_openai_promises(live: Live, key: str) -> None:
    answer = live.complete("Hello!", key=key, model=ECHO).json
    assert answer["id"].startswith("chatcmpl-")
    assert answer["object"] == "chat.completion"
    assert abs(answer["created"] - time.time()) < 60
    assert answer["model"] == ECHO
    choice = answer["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": "Hello!", "refusal": None}
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


def test_a_streamed_answer_says_the_same(live: Live, key: str) -> None:
    plain = live.complete("Tell me of looms.", key=key)
    told = live.events("Tell me of looms.", key=key)
    assert told.text == plain.text
    assert told.chunks[-1]["usage"] == plain.json["usage"]
    assert told.chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert {chunk["object"] for chunk in told.chunks} == {"chat.completion.chunk"}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_the_fingerprint_is_the_conversation(live: Live, key: str, streamed: bool) -> None:
    ask = live.events if streamed else live.complete
    answer = ask("Hello!", key=key)
    told = answer.chunks if isinstance(answer, Events) else [answer.json]
    (fingerprint,) = {one["system_fingerprint"] for one in told}
    conversation = live.call("GET", f"/v1/conversations/{fingerprint}", key=key).json
    assert [message["role"] for message in conversation["messages"]] == ["user", "assistant"]
    assert turn_of(live, key, answer)["conversation_id"] == fingerprint


def test_a_stream_keeps_to_the_format(live: Live, key: str) -> None:
    told = live.events("Tell me of looms.", key=key, n=2, stream_options={"include_usage": True})
    assert told.headers["content-type"].startswith("text/event-stream")
    assert told.ended
    assert told.raw.endswith(b"\n\ndata: [DONE]\n\n")
    assert b"\r" not in told.raw
    *events, last = told.blocks
    assert set(last) == {"data"}
    assert all(set(event) == {"id", "data"} for event in events)
    ids = [int(event["id"]) for event in events]
    assert ids == sorted(set(ids))


def test_usage_comes_with_the_last_finish(live: Live, key: str) -> None:
    told = live.events("Hello!", key=key, n=2)
    assert ["usage" in chunk for chunk in told.chunks].count(True) == 1
    assert told.chunks[-1]["usage"]["completion_tokens"] > 0
    assert told.chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_usage_comes_by_itself_when_asked_for(live: Live, key: str) -> None:
    told = live.events("Hello!", key=key, stream_options={"include_usage": True})
    assert ["usage" in chunk for chunk in told.chunks].count(True) == 1
    assert told.chunks[-1]["choices"] == []
    assert told.chunks[-2]["choices"][0]["finish_reason"] == "stop"


def test_several_answers_are_all_told_and_kept(live: Live, key: str) -> None:
    plain = live.complete("Tell me of looms.", key=key, n=3)
    texts = [choice["message"]["content"] for choice in plain.json["choices"]]
    assert len(set(texts)) == 3
    told = live.events("Tell me of looms.", key=key, n=3)
    said = ["", "", ""]
    for choice in (choice for chunk in told.chunks for choice in chunk["choices"]):
        said[choice["index"]] += choice["delta"].get("content") or ""
    assert said == texts
    conversation = plain.json["system_fingerprint"]
    assert live.rows(
        "SELECT count(*) FROM message WHERE conversation_id = ? AND role = 'assistant'",
        conversation,
    ) == [(3,)]


def test_a_tool_is_called(live: Live, key: str) -> None:
    answer = live.complete('!call get_weather {"city": "Paris"}', key=key, tools=[WEATHER]).json
    choice = answer["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}


def test_a_tool_call_is_streamed_in_pieces(live: Live, key: str) -> None:
    told = live.events('!call get_weather {"city": "Paris"}', key=key, tools=[WEATHER])
    deltas = [chunk["choices"][0]["delta"] for chunk in told.chunks]
    pieces = [piece for delta in deltas for piece in delta.get("tool_calls", ())]
    assert [piece["id"] for piece in pieces if "id" in piece] == [pieces[0]["id"]]
    assert pieces[0]["function"]["name"] == "get_weather"
    arguments = "".join(piece["function"]["arguments"] for piece in pieces)
    assert json.loads(arguments) == {"city": "Paris"}
    assert told.chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_logprobs_cover_the_whole_text(live: Live, key: str) -> None:
    asked: dict[str, Any] = {"model": ECHO, "logprobs": True, "top_logprobs": 2}
    plain = live.complete("One two three.", key=key, **asked).json["choices"][0]["logprobs"]
    told = live.events("One two three.", key=key, **asked)
    choices = [chunk["choices"][0] for chunk in told.chunks]
    streamed = [entry for one in choices if one["logprobs"] for entry in one["logprobs"]["content"]]
    assert streamed == plain["content"]
    assert "".join(entry["token"] for entry in streamed) == "One two three."


LIMITS: list[tuple[dict[str, object], str, str]] = [
    ({"stop": "three"}, "one two", "stop"),
    ({"stop": ["four", "two"]}, "one", "stop"),
    ({"max_tokens": 2}, "one two", "length"),
    ({"max_completion_tokens": 3, "max_tokens": 1}, "one two three", "length"),
    ({"max_tokens": 100}, "one two three four", "stop"),
]


@pytest.mark.parametrize(("limits", "text", "reason"), LIMITS)
def test_limits_are_obeyed(
    live: Live, key: str, limits: dict[str, Any], text: str, reason: str
) -> None:
    plain = live.complete("one two three four", key=key, model=ECHO, **limits)
    told = live.events("one two three four", key=key, model=ECHO, **limits)
    assert (plain.text.strip(), told.text.strip()) == (text, text)
    assert plain.json["choices"][0]["finish_reason"] == reason
    assert told.chunks[-1]["choices"][0]["finish_reason"] == reason
    outcome = "length" if reason == "length" else "complete"
    assert turn_of(live, key, plain)["outcome"] == turn_of(live, key, told)["outcome"] == outcome


FORMATS: list[dict[str, object]] = [
    {"type": "json_object"},
    {
        "type": "json_schema",
        "json_schema": {
            "name": "answer",
            "schema": {
                "type": "object",
                "properties": {"answer": {"type": "integer"}},
                "required": ["answer"],
            },
        },
    },
]


@pytest.mark.parametrize("wanted", FORMATS, ids=lambda wanted: str(wanted["type"]))
def test_a_response_format_is_obeyed(live: Live, key: str, wanted: dict[str, object]) -> None:
    answer = live.complete("How many looms?", key=key, response_format=wanted)
    assert isinstance(json.loads(answer.text), dict)
    assert json.loads(live.events("How many looms?", key=key, response_format=wanted).text)


def test_content_may_come_in_parts(live: Live, key: str) -> None:
    parts = [
        {"type": "text", "text": "What is"},
        "on this picture?",
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
    ]
    answer = live.complete([{"role": "user", "content": parts}], key=key, model=ECHO)
    assert answer.text == "What is\non this picture?"
    conversation = answer.json["system_fingerprint"]
    kept = live.call("GET", f"/v1/conversations/{conversation}", key=key).json["messages"][0]
    assert kept["content"] == [parts[0], {"type": "text", "text": parts[1]}, parts[2]]


@pytest.mark.anyio
async def test_a_silent_stream_says_that_it_is_still_there(tmp_path: Path) -> None:
    silence = asyncio.Event()
    async with a_house(tmp_path, silence, WHOLE) as house:
        turn = await house.begun()
        pieces: list[bytes] = []
        async for piece in completions.write_stream(turn, turn.read(silence=0.01)):
            pieces.append(piece)
            if len(pieces) == 3:
                silence.set()
    assert pieces[0] == pieces[1] == b": still here\n"
    events = EventStreamDecoder().feed(b"".join(pieces))
    assert [event.data for event in events][-1] == b"[DONE]"
    assert b"All" in events[0].data
