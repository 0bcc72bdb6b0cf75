"""What the Messages API makes of a request and of a turn's deltas, without HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.event_stream import HEARTBEAT, Event, EventStreamDecoder
from chatloom.server.chat.message import Message
from chatloom.server.chat.telling import Telling
from chatloom.server.chat.tree import path_hashes
from chatloom.server.models.driver import (
    Delta,
    Finish,
    FinishReason,
    Reasoning,
    Refusal,
    Served,
    Text,
    ToolCall,
    Usage,
)
from chatloom.server.protocols.anthropic import reading
from chatloom.server.protocols.anthropic.blocks import input_of, messages_of
from chatloom.server.protocols.anthropic.errors import anthropic_error
from chatloom.server.protocols.anthropic.layout import Wording
from chatloom.server.protocols.anthropic.telling import EventWriter, message_of, write_stream
from chatloom.server.refusal import Kind
from chatloom.server.refusal import Refusal as NoAnswer
from chatloom.wire import anthropic as wire
from support.house import a_house

SCHEMA = {"type": "object"}
EPHEMERAL: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}


@dataclass(frozen=True)
class Asked:
    """A turn's beginning."""

    told_as: str = ""
    conversation_id: str = "c"
    end_user: str | None = None
    protocol: str = "anthropic"
    streamed: bool = True
    started_at: int = 0


def told(deltas: Sequence[Delta], wording: Wording | None = None) -> Telling:
    """A turn in which *deltas* were said, and which went well."""
    kept = msgspec.json.encode(wording).decode() if wording else ""
    telling = Telling("0-1", Asked(kept), "script")
    telling.said = list(deltas)
    telling.answer.add(deltas)
    telling.outcome, telling.usage = "complete", telling.answer.usage
    return telling


WORDS = st.text(max_size=8)
SAID = st.one_of(
    st.builds(Text, WORDS),
    st.builds(Reasoning, WORDS),
    st.builds(Refusal, WORDS),
    st.builds(Served, st.just("someone")),
    st.builds(ToolCall, st.integers(0, 2), arguments=st.sampled_from(['{"a"', ": 1}", "", "nö"])),
)
REASONS: st.SearchStrategy[FinishReason] = st.sampled_from(get_args(FinishReason))


@st.composite
def answers(draw: st.DrawFn) -> list[Delta]:
    """Any answer: the first fragment of each call names it."""
    deltas: list[Delta] = []
    named: set[int] = set()
    for delta in draw(st.lists(SAID, max_size=20)):
        if isinstance(delta, ToolCall) and delta.index not in named:
            named.add(delta.index)
            name = f"call_{delta.index}"
            deltas.append(ToolCall(delta.index, name, "look", delta.arguments))
        else:
            deltas.append(delta)
    return [*deltas, Finish(draw(REASONS)), Usage(11, 7, cached_tokens=4)]


def events_of(raw: bytes) -> list[Event]:
    return EventStreamDecoder().feed(raw)


def assembled(events: Sequence[Event]) -> Any:
    """Put a message together from its events, as clients do."""
    message: Any = None
    inputs: dict[int, str] = {}
    for event in events:
        data = json.loads(event.data)
        assert data["type"] == event.event
        if event.event == "message_start":
            message = data["message"]
        elif event.event == "content_block_start":
            assert data["index"] == len(message["content"])
            message["content"].append(data["content_block"])
        elif event.event == "content_block_delta":
            added = data["delta"]
            block = message["content"][data["index"]]
            if added["type"] == "input_json_delta":
                inputs[data["index"]] = inputs.get(data["index"], "") + added["partial_json"]
            else:
                name = added["type"].removesuffix("_delta")
                block[name] += added[name]
        elif event.event == "message_delta":
            message |= {**data["delta"], "usage": data["usage"]}
    for index, text in inputs.items():
        message["content"][index]["input"] = input_of(text)
    return message


@given(answers(), st.sets(st.integers(0, 22)), st.booleans())
def test_events_make_the_message_however_the_deltas_come(
    deltas: list[Delta], cuts: set[int], quiet: bool
) -> None:
    turn = told(deltas, Wording(without_thinking=quiet))
    writer = EventWriter(turn, 0, turn.about.told_as)
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(deltas)), len(deltas)]
    raw = b"".join(writer.write(deltas[start:end]) for start, end in pairwise(places))
    assert assembled(events_of(raw)) == msgspec.to_builtins(message_of(turn)) | {
        "model": "someone" if isinstance(deltas[0], Served) else turn.served_model
    }
    assert raw == EventWriter(turn, 0, turn.about.told_as).write(deltas)


@given(answers(), st.integers(0, 22))
def test_what_is_written_from_anywhere_is_the_rest(deltas: list[Delta], after: int) -> None:
    turn = told(deltas)
    after = min(after, len(deltas))
    before = EventWriter(turn, 0, "").write(deltas[:after])
    rest = EventWriter(turn, after, "").write(deltas[after:])
    assert before + rest == EventWriter(turn, 0, "").write(deltas)


@given(answers())
def test_blocks_that_grow_have_begun_and_every_block_ends_once(deltas: list[Delta]) -> None:
    raw = EventWriter(told(deltas), 0, "").write(deltas)
    data = [json.loads(event.data) for event in events_of(raw)]
    begun = [one["index"] for one in data if one["type"] == "content_block_start"]
    assert begun == [one["index"] for one in data if one["type"] == "content_block_stop"]
    assert begun == list(range(len(begun)))


def test_the_text_of_an_answer_and_of_its_message_are_one() -> None:
    deltas: list[Delta] = [
        Text("a"),
        ToolCall(0, "x", "look", "{}"),
        Text("b"),
        Finish("stop"),
        Usage(1, 1),
    ]
    turn = told(deltas)
    content = msgspec.to_builtins(message_of(turn))["content"]
    again = messages_of([wire.InputMessage("assistant", content)])
    assert path_hashes(again) == path_hashes([turn.answer.choices[0].message()])


def test_usage_counts_what_was_cached_apart() -> None:
    usage = message_of(told([Finish("stop"), Usage(11, 7, cached_tokens=4)])).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (7, 4, 7)


def test_a_refusal_in_words_is_one() -> None:
    turn = told([Refusal("No."), Finish("stop"), Usage(1, 1)])
    answer = message_of(turn)
    assert (answer.content, answer.stop_reason) == ([wire.TextBlock("No.")], "refusal")


@pytest.mark.anyio
async def test_thoughts_that_are_not_told_do_not_make_a_stream_silent(tmp_path: Path) -> None:
    thinks: list[Delta] = [Served("script"), Reasoning("Hm.")]
    go_on = asyncio.Event()
    ending: list[Delta] = [Reasoning("So."), Text("Yes."), Finish("stop"), Usage(1, 1)]
    async with a_house(tmp_path, thinks[:1], thinks[1:], go_on, ending) as house:
        turn = await house.begun()
        wording = msgspec.json.encode(Wording(without_thinking=True)).decode()
        pieces: list[bytes] = []
        async for piece in write_stream(turn, turn.read(silence=0.01), 0, wording):
            pieces.append(piece)
            if len(pieces) == 4:
                go_on.set()
    assert HEARTBEAT in pieces
    events = events_of(b"".join(pieces))
    assert (events[0].event, events[-1].event) == ("message_start", "message_stop")
    assert assembled(events)["content"] == [{"type": "text", "text": "Yes."}]


def text(words: str, **more: object) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def use(input: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": "c", "name": "look", "input": input}


def called(arguments: str) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "look", "arguments": arguments}}


PDF: dict[str, Any] = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
FILE: dict[str, Any] = {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBE"}
PICTURE = {"type": "url", "url": "https://example.org/a.png"}
SHOWN: dict[str, Any] = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}

MESSAGES: list[tuple[str, Any, list[Message]]] = [
    ("user", "a", [Message("user", "a")]),
    ("user", [text("a", **EPHEMERAL)], [Message("user", "a", extra=EPHEMERAL)]),
    ("user", [text("a", role="system", tool_calls=["x"])], [Message("user", "a")]),
    (
        "user",
        [text("a", **EPHEMERAL), text("b")],
        [Message("user", [text("a"), text("b")], extra=EPHEMERAL)],
    ),
    ("user", [{"type": "image", "source": PICTURE}], [Message("user", [SHOWN])]),
    (
        "user",
        [{"type": "document", "source": PDF}],
        [Message("user", [{"type": "file", "file": FILE}])],
    ),
    (
        "user",
        [{"type": "document", "source": {"type": "text", "data": "a"}}],
        [Message("user", "a")],
    ),
    ("assistant", [], [Message("assistant", "")]),
    ("assistant", [text("a"), text("b", citations=[])], [Message("assistant", "ab")]),
    (
        "assistant",
        [text("a"), {"type": "redacted_thinking", "data": "x"}],
        [Message("assistant", "a")],
    ),
    ("assistant", [use({})], [Message("assistant", tool_calls=[called("{}")])]),
    (
        "assistant",
        [text("a"), use({"b": [1.5, None, "ö"]})],
        [Message("assistant", "a", tool_calls=[called('{"b":[1.5,null,"ö"]}')])],
    ),
    (
        "assistant",
        [use({"unparsed_arguments": "[no"})],
        [Message("assistant", tool_calls=[called("[no")])],
    ),
    ("system", [text("a")], [Message("system", "a")]),
]


@pytest.mark.parametrize(("role", "content", "expected"), MESSAGES)
def test_blocks_become_messages(role: Any, content: Any, expected: list[Message]) -> None:
    assert messages_of([wire.InputMessage(role, content)]) == expected


TOOL = {"name": "look", "description": "Looks.", "input_schema": SCHEMA}
FUNCTION = {"name": "look", "description": "Looks.", "parameters": SCHEMA}

ASKED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"temperature": 0, "top_p": 0.5}, {"temperature": 0, "top_p": 0.5}),
    ({"stop_sequences": ["", "x"]}, {"stop": ["x"]}),
    ({"tools": [TOOL]}, {"tools": [{"type": "function", "function": FUNCTION}]}),
    ({"tool_choice": {"type": "auto"}}, {"tool_choice": "auto"}),
    ({"tool_choice": {"type": "any"}}, {"tool_choice": "required"}),
    ({"tool_choice": {"type": "none"}}, {"tool_choice": "none"}),
    (
        {"tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True}},
        {
            "tool_choice": {"type": "function", "function": {"name": "look"}},
            "parallel_tool_calls": False,
        },
    ),
]


@pytest.mark.parametrize(("fields", "expected"), ASKED, ids=lambda value: str(value)[:50])
def test_what_is_asked_of_the_model(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    body: dict[str, Any] = {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "a"}],
    }
    if "tool_choice" in fields:
        fields = {"tools": [TOOL], **fields}
    parameters = reading.parameters_of(
        reading.read_request({**body, **fields}, wire.MessageRequest)
    )
    found = msgspec.to_builtins(parameters)
    assert found["max_tokens"] == 5
    assert {name: found[name] for name in expected} == expected


def test_the_provider_gets_what_has_no_other_place() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    body: dict[str, Any] = {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "a"}],
        "thinking": thinking,
        "top_k": 3,
        "service_tier": "auto",
        "metadata": {"user_id": "ann"},
    }
    request = reading.read_request(body, wire.MessageRequest)
    expected = {"thinking": thinking, "top_k": 3, "service_tier": "auto"}
    assert reading.provider_fields(request, body) == expected


TYPES: list[tuple[Kind, str]] = [
    ("invalid", "invalid_request_error"),
    ("unprocessable", "invalid_request_error"),
    ("unauthenticated", "authentication_error"),
    ("forbidden", "permission_error"),
    ("not_found", "not_found_error"),
    ("too_large", "request_too_large"),
    ("rate_limited", "rate_limit_error"),
    ("internal", "api_error"),
    ("provider_failed", "api_error"),
    ("unavailable", "overloaded_error"),
    ("timed_out", "timeout_error"),
    ("over_budget", "insufficient_credits"),
]


@pytest.mark.parametrize(("kind", "type"), TYPES)
def test_refusals_have_anthropics_types(kind: Kind, type: str) -> None:
    body: Any = anthropic_error(NoAnswer(kind, "no", code="so"))
    assert (body["type"], body["error"]["type"], body["error"]["message"]) == ("error", type, "no")
    assert body["error"]["details"]["error_code"] == "so"


def test_zaguans_own_refusals_keep_their_types_and_facts() -> None:
    facts: dict[str, Any] = {"band": "b", "required_tier": "pro", "current_tier": "free"}
    refusal = NoAnswer(
        "forbidden", "no", code="so", type="band_access_denied", extras=facts, retry_after=2
    )
    error: Any = anthropic_error(refusal)["error"]
    assert error["type"] == "band_access_denied"
    assert {name: error[name] for name in facts} == facts
    assert error["details"] == {"error_code": "so", "retry_after": 2, **facts}


NAMES = ["type", "text", "source", "data", "media_type", "url", "id", "name", "input", "content"]
ANYTHING = st.recursive(
    st.one_of(
        st.sampled_from(
            ["text", "image", "document", "tool_use", "tool_result", "base64", "x", ""]
        ),
        st.none(),
        st.integers(-2, 2),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(st.sampled_from(["user", "assistant", "system"]), ANYTHING, ANYTHING)
def test_whatever_is_sent_is_read_or_refused(role: str, content: Any, other: Any) -> None:
    body: dict[str, Any] = {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": role, "content": content}],
        "system": other,
        "output_config": {"format": other},
    }
    with suppress(NoAnswer):
        request = reading.read_request(body, wire.MessageRequest)
        reading.system_of(request)
        reading.parameters_of(request)
        path_hashes(messages_of(request.messages))
