"""The Anthropic wire of the Zaguan SDK."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from chatloom.core.engine import Async, Engine, Sync
from chatloom.core.errors import TransportError
from chatloom.core.http import Response
from chatloom.core.manner import Manner
from support.scripted import Scripted, arriving
from zaguan import (
    AnthropicMessage,
    APIError,
    AsyncMessagesStream,
    MessagesRequest,
    MessagesResponse,
    MessagesStream,
    MessagesStreamEvent,
    RateLimitError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from zaguan.errors import documented
from zaguan.operations import Zaguan

HI = MessagesRequest(
    model="m", messages=[AnthropicMessage(role="user", content="hi")], max_tokens=9
)


def event(type_: str, id_: str = "", **said: Any) -> bytes:
    data = json.dumps({"type": type_, **said}).encode()
    numbered = b"id: %s\n" % id_.encode() if id_ else b""
    return b"event: %s\n%sdata: %s\n\n" % (type_.encode(), numbered, data)


def block(index: int, id_: str = "", **said: Any) -> bytes:
    return event("content_block_start", id_, index=index, content_block=said)


def delta(index: int, id_: str = "", **said: Any) -> bytes:
    return event("content_block_delta", id_, index=index, delta=said)


def text(said: str, id_: str = "", index: int = 0) -> bytes:
    return delta(index, id_, type="text_delta", text=said)


def stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


USAGE = {"input_tokens": 3, "output_tokens": 1}
START = event(
    "message_start",
    message={
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": None,
        "usage": USAGE,
    },
)
OPEN = block(0, type="text", text="")
ENDED = event(
    "message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 5, "x": 1}
)
END = event("message_stop")
DONE = stop(0) + ENDED + END
ONCE, UPON = text("once "), text("upon")


def streamed(*pieces: bytes | Exception, **headers: str) -> MessagesStream:
    engine = Engine(Sync, Scripted(arriving(*pieces, **headers)), named=documented)
    return Zaguan(engine).messages_stream(HI)


def test_a_plain_answer_is_read() -> None:
    said = {"id": "msg_1", "content": [{"type": "text", "text": "hi"}], "usage": USAGE}
    outside = Scripted(Response(200, {}, json.dumps(said).encode()))
    answer = Zaguan(Engine(Sync, outside, named=documented)).messages(HI)
    assert (answer.id, answer.text, answer.usage.input_tokens) == ("msg_1", "hi", 3)


def test_tokens_are_counted() -> None:
    outside = Scripted(Response(200, {}, b'{"input_tokens": 12}'))
    assert Zaguan(Engine(Sync, outside, named=documented)).count_tokens(HI).input_tokens == 12


def test_iterating_gives_the_events() -> None:
    events = list(streamed(START, OPEN, ONCE, event("ping"), UPON, DONE))
    assert all(isinstance(one, MessagesStreamEvent) for one in events)
    assert [one.type for one in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert "".join(one.text for one in events) == "once upon"


def test_collect_gives_the_whole_answer() -> None:
    stream = streamed(START, OPEN, ONCE, UPON, DONE)
    assert next(stream).type == "message_start"
    whole = stream.collect()
    assert (whole, whole.text, stream.text) == (stream.response, "once upon", "once upon")
    assert whole == MessagesResponse.parse_obj(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [{"type": "text", "text": "once upon"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 3, "output_tokens": 5, "x": 1},
        }
    )


def test_blocks_of_every_kind_are_put_together() -> None:
    whole = streamed(
        START,
        block(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="h"),
        delta(0, type="thinking_delta", thinking="m"),
        delta(0, type="signature_delta", signature="s"),
        stop(0),
        block(1, type="tool_use", id="t1", name="f", input={}),
        delta(1, type="input_json_delta", partial_json=""),
        delta(1, type="input_json_delta", partial_json='{"a":'),
        delta(1, type="input_json_delta", partial_json="[1]}"),
        stop(1),
        block(2, type="text", text="so"),
        delta(2, type="citations_delta", citation={"url": "u"}),
        text(" it is", index=2),
        DONE,
    ).collect()
    assert [one.dict(exclude_none=True) for one in whole.content] == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1]}},
        {"type": "text", "text": "so it is", "citations": [{"url": "u"}]},
    ]


def test_an_input_that_was_cut_off_is_kept_as_it_is() -> None:
    cut = delta(0, type="input_json_delta", partial_json='{"a":')
    opened = block(0, type="tool_use", id="t1", name="f", input={})
    (one,) = streamed(START, opened, cut, DONE).collect().content
    assert (one.input, one.model_extra) == ({}, {"partial_json": '{"a":'})


def test_a_zero_does_not_undo_a_count() -> None:
    ended = event("message_delta", delta={"stop_reason": "x"}, usage={**USAGE, "input_tokens": 0})
    assert streamed(START, OPEN, ended, END).collect().usage.input_tokens == 3


def test_async_streams_give_the_same() -> None:
    script = arriving(START, OPEN, ONCE, UPON, DONE)
    engine = Engine(Async, Scripted(script, suspends=True), named=documented)

    async def main() -> None:
        async with Zaguan(engine).messages_stream(HI) as stream:
            assert isinstance(stream, AsyncMessagesStream)
            texts = [one.text async for one in stream]
            assert "".join(texts) == stream.response.text == "once upon"

    asyncio.run(main())


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([], id="no end"),
        pytest.param([stop(0), ENDED], id="a stop reason alone"),
        pytest.param([stop(0), END], id="an end alone"),
        pytest.param([b"data: [DONE]\n\n"], id="the end of the other wire"),
        pytest.param([TransportError("lost")], id="lost"),
        pytest.param([b"data: {\n\n", DONE], id="no JSON"),
        pytest.param([b'data: {"text": "x"}\n\n', DONE], id="no type"),
    ],
)
def test_a_stream_cut_short_never_looks_whole(pieces: list[bytes | Exception]) -> None:
    stream = streamed(START, OPEN, ONCE, *pieces)
    with pytest.raises(StreamTruncatedError) as caught:
        list(stream)
    assert (caught.value.text, list(stream)) == ("once ", [])
    told = caught.value.usage
    assert isinstance(told, dict)
    assert told["input_tokens"] == 3


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (event("error", error={"type": "overloaded_error", "message": "too busy"}), "too busy"),
        (b'data: {"type":"error","error":{"message":"too busy"}}\n\n', "too busy"),
        (event("error"), "said no more"),
    ],
)
def test_an_error_in_the_stream_raises(said: bytes, message: str) -> None:
    with pytest.raises(StreamInterruptedError, match=message) as caught:
        list(streamed(START, OPEN, ONCE, said, DONE))
    assert caught.value.text == "once "


def test_an_error_in_the_stream_may_tell_the_usage() -> None:
    said = event("error", error={"message": "no"}, usage={"input_tokens": 3, "output_tokens": 7})
    with pytest.raises(StreamInterruptedError) as caught:
        streamed(START, OPEN, ONCE, said).collect()
    assert caught.value.usage == {"input_tokens": 3, "output_tokens": 7}


@pytest.mark.parametrize(
    ("status", "type_", "kind"),
    [(429, "rate_limit_error", RateLimitError), (529, "overloaded_error", APIError)],
)
def test_a_refusal_in_anthropics_words_is_understood(status: int, type_: str, kind: type) -> None:
    body = json.dumps({"type": "error", "error": {"type": type_, "message": "no"}}).encode()
    client = Zaguan(Engine(Sync, Scripted(Response(status, {}, body)), named=documented))
    with pytest.raises(APIError, match="no") as caught:
        client.messages_stream(HI)
    assert (type(caught.value), caught.value.code) == (kind, type_)


GROUPS = [
    START + OPEN + text("once ", "1"),
    text("upon ", "2"),
    stop(0) + block(1, type="text", text="") + text("a time", "3", 1),
    stop(1) + ENDED + END,
]
WHOLE = b"".join(GROUPS)
CUTS = [
    *range(0, len(WHOLE), 37),
    *(i + 2 for i in range(len(WHOLE)) if WHOLE[i:].startswith(b"\n\n")),
]


def behind(number: int) -> bytes:
    """What the server tells behind an event: whole groups."""
    return b"".join(GROUPS[number:])


def last_seen(body: bytes) -> int:
    """The last id among the whole events of a body that was cut."""
    whole = body[: body.rfind(b"\n\n") + 2]
    return max((number for number in (1, 2, 3) if b"id: %d\n" % number in whole), default=0)


@pytest.mark.parametrize("place", sorted(set(CUTS) - {len(WHOLE)}))
def test_a_stream_goes_on_with_nothing_lost_or_repeated(place: int) -> None:
    first = WHOLE[:place]
    rest = behind(last_seen(first))
    second = rest[: len(rest) // 3]
    third = behind(max(last_seen(first), last_seen(second)))
    outside = Scripted(*[arriving(body, x_chatloom_turn="t1") for body in (first, second, third)])
    engine = Engine(Sync, outside, named=documented, manner=Manner(max_retries=2))
    assert list(Zaguan(engine).messages_stream(HI)) == list(streamed(WHOLE))


def test_a_token_is_behind_the_last_whole_group() -> None:
    stream = streamed(WHOLE, x_chatloom_turn="t1")
    tokens = [(one.type, stream.resume_token) for one in stream]
    assert tokens[0] == ("message_start", "t1:")
    assert tokens[2:5] == [
        ("content_block_delta", "t1:1"),
        ("content_block_delta", "t1:2"),
        ("content_block_stop", "t1:2"),
    ]


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_token_goes_on_behind_it(number: int) -> None:
    outside = Scripted(arriving(behind(number), x_chatloom_turn="t1"))
    stream = Zaguan(Engine(Sync, outside, named=documented)).resume_messages(f"t1:{number or ''}")
    assert stream.collect().text == "".join(["once ", "upon ", "a time"][number:])
    assert str(outside.requests[0]) == "GET /v1/turns/t1/events"


def test_a_rest_that_begins_within_a_block_knows_its_kind() -> None:
    rest = [delta(1, type="input_json_delta", partial_json='{"a":1}'), stop(1), ENDED, END]
    outside = Scripted(arriving(*rest, x_chatloom_turn="t1"))
    whole = Zaguan(Engine(Sync, outside, named=documented)).resume_messages("t1:7").collect()
    assert [(one.type, one.input) for one in whole.content] == [("tool_use", {"a": 1})]
