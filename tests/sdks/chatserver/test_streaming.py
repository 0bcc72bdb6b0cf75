"""A ChatServer completion, piece by piece."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from chatloom.core.engine import Async, Engine, Sync
from chatloom.core.errors import StreamError, TransportError, Truncated
from chatloom.core.http import JSON
from chatloom.core.manner import Manner
from chatserver_sdk import (
    AsyncCompletionStream,
    ChatCompletionChoice,
    ChatCompletionResponse,
    ChatServerError,
    CompletionStream,
    Message,
    MessageRole,
    StreamInterruptedError,
    UsageInfo,
)
from chatserver_sdk.completions import ChatServer
from chatserver_sdk.exceptions import documented
from support.scripted import Scripted, arriving

BARE_END = b"data: [DONE]\n\n"


def chunk(delta: JSON = None, finish_reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish_reason}
    return event({"id": "c1", "created": 7, "model": "m", "choices": [choice]} | more)


def event(said: Any) -> bytes:
    return b"data: " + json.dumps(said).encode() + b"\n\n"


DONE = chunk(finish_reason="stop") + BARE_END


def text(said: str) -> bytes:
    return chunk({"content": said})


ONCE, UPON = text("once "), text("upon")


def streamed(*pieces: bytes | Exception, **headers: str) -> CompletionStream:
    chat = ChatServer(Engine(Sync, Scripted(arriving(*pieces, **headers)), named=documented))
    return chat.create_completion("m", ["hi"], stream=True)


def test_iterating_gives_the_text() -> None:
    assert list(streamed(chunk({"role": "assistant"}), ONCE, UPON, DONE)) == ["once ", "upon"]


def test_collect_gives_the_whole_text() -> None:
    stream = streamed(ONCE, UPON, DONE)
    assert [next(stream), stream.collect(), stream.text] == ["once ", "once upon", "once upon"]


def test_async_streams_give_the_same() -> None:
    engine = Engine(Async, Scripted(arriving(ONCE, UPON, DONE), suspends=True), named=documented)

    async def main() -> None:
        stream = ChatServer(engine).create_completion("m", ["hi"], stream=True)
        assert isinstance(stream, AsyncCompletionStream)
        assert [piece async for piece in stream] == ["once ", "upon"]
        assert (stream.metadata["id"], stream.completion.model) == ("c1", "m")

    asyncio.run(main())


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b": still here\n", ONCE, UPON, DONE], id="a heartbeat"),
        pytest.param([ONCE, chunk({}), chunk({"content": ""}), UPON, DONE], id="empty deltas"),
        pytest.param([chunk(choices=[]), ONCE, UPON, DONE], id="no choices"),
        pytest.param([chunk(choices=None), ONCE, UPON, DONE], id="null for choices"),
        pytest.param([chunk(created=None), ONCE, UPON, DONE], id="null for created"),
        pytest.param([chunk(created=7.5), ONCE, UPON, DONE], id="a fraction for created"),
        pytest.param([chunk(choices=[{}, {"delta": None}]), ONCE, UPON, DONE], id="no deltas"),
        pytest.param([ONCE, chunk(error=None), UPON, DONE], id="null for error"),
        pytest.param([ONCE, event({"future": [1]}), UPON, DONE], id="keys nobody knows"),
        pytest.param(
            [ONCE, chunk(choices=[{"index": 1, "delta": {"content": "x"}}]), UPON, DONE],
            id="a second choice",
        ),
        pytest.param(
            [chunk(choices=[{"index": None, "delta": {"content": "once "}}]), UPON, DONE],
            id="null for index",
        ),
    ],
)
def test_what_servers_really_send_is_understood(pieces: list[bytes]) -> None:
    stream = streamed(*pieces)
    assert (stream.collect(), stream.metadata["id"]) == ("once upon", "c1")


def test_an_older_servers_stream_is_understood() -> None:
    zero = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    older: dict[str, Any] = {"message": {"role": "", "content": ""}}
    stream = streamed(
        chunk({"role": "assistant"}, "content", usage=zero, **older),
        chunk({"content": "once "}, "", usage=zero, **older),
        chunk({"content": "upon"}, "", usage=zero, **older),
        chunk({}, "stop", usage=usage, **older),
        DONE,
    )
    assert [next(stream), stream.metadata["finish_reason"]] == ["once ", None]
    assert [stream.collect(), stream.metadata["finish_reason"]] == ["once upon", "stop"]
    assert stream.metadata["usage"] == UsageInfo(1, 2, 3)


def test_metadata_is_told_as_it_arrives() -> None:
    stream = streamed(
        chunk({"content": "once "}, system_fingerprint="s1"),
        chunk({"content": "upon"}, "stop", system_fingerprint="s1"),
        event(
            {
                "choices": [],
                "usage": {"prompt_tokens": 1, "completion_tokens": 2},
                "metadata": {"branch_id": "b"},
            }
        ),
        DONE,
    )
    assert set(stream.metadata.values()) == {None}
    next(stream)
    assert stream.metadata["system_fingerprint"] == "s1"
    stream.collect()
    assert stream.metadata == {
        "system_fingerprint": "s1",
        "usage": UsageInfo(1, 2, 3),
        "id": "c1",
        "model": "m",
        "finish_reason": "stop",
        "metadata": {"branch_id": "b"},
    }
    assert stream.completion.metadata == {"branch_id": "b"}


def test_the_first_that_says_something_tells_the_metadata() -> None:
    first = chunk(id="", model="", system_fingerprint="", choices=[])
    later = chunk({"content": "x"}, system_fingerprint="s2", id="c2")
    stream = streamed(first, chunk(system_fingerprint="s1"), later, DONE)
    stream.collect()
    known = stream.metadata
    assert [known["id"], known["model"], known["system_fingerprint"]] == ["c1", "m", "s1"]


def called(index: int | None, id_: str | None, name: str | None, arguments: str | None) -> bytes:
    function: JSON = {"name": name, "arguments": arguments}
    return chunk({"tool_calls": [{"index": index, "id": id_, "function": function}]})


def test_completion_holds_what_a_plain_answer_would() -> None:
    stream = streamed(ONCE, UPON, chunk({}, "stop", usage={"total_tokens": 3}), DONE)
    stream.collect()
    assert stream.completion == ChatCompletionResponse(
        id="c1",
        object="chat.completion",
        created=7,
        model="m",
        choices=[ChatCompletionChoice(0, Message(MessageRole.ASSISTANT, "once upon"), "stop")],
        usage=UsageInfo(0, 0, 3),
    )


def test_tool_calls_are_merged_from_their_parts() -> None:
    stream = streamed(
        called(1, "c2", "g", ""),
        called(0, "c1", "f", '{"a"'),
        called(0, None, None, ": 1}"),
        called(1, None, None, "{}"),
        chunk({}, "tool_calls"),
        BARE_END,
    )
    assert stream.collect() == ""
    (choice,) = stream.completion.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "")
    assert choice.message.tool_calls == [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


@pytest.mark.parametrize(
    "part", [called(None, "c1", "f", None), chunk({"tool_calls": [{"id": "c1"}]})]
)
def test_tool_calls_told_in_part_are_whole_all_the_same(part: bytes) -> None:
    stream = streamed(part, DONE)
    stream.collect()
    calls = stream.completion.choices[0].message.tool_calls
    assert calls is not None
    function = calls[0]["function"]
    assert isinstance(function, dict)
    assert (calls[0]["id"], function["arguments"]) == ("c1", "")


def test_completion_may_be_looked_at_early() -> None:
    stream = streamed(ONCE, UPON, DONE)
    next(stream)
    assert stream.completion.choices[0].message.content == "once "
    assert stream.completion.choices[0].finish_reason is None
    assert stream.completion.usage == UsageInfo()


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        ({"message": "it fell over", "type": "server_error"}, "it fell over", "server_error"),
        ({"message": "it fell over", "code": "x", "type": "y"}, "it fell over", "x"),
        ({"message": "it fell over", "code": 500}, "it fell over", None),
        ("it fell over", "it fell over", None),
        ({"reason": "it fell over"}, "it fell over", None),
    ],
)
@pytest.mark.parametrize("name", [b"", b"event: error\n"])
def test_an_error_in_the_stream_raises(
    error: JSON, message: str, code: str | None, name: bytes
) -> None:
    stream = streamed(ONCE, name + event({"error": error}), DONE)
    assert next(stream) == "once "
    with pytest.raises(StreamInterruptedError, match=message) as caught:
        next(stream)
    assert (caught.value.code, caught.value.text) == (code, "once ")
    assert caught.value.body == {"error": error}
    assert list(stream) == []


def test_an_error_in_the_stream_may_tell_the_usage() -> None:
    stream = streamed(ONCE, event({"error": {"message": "no"}, "usage": {"total_tokens": 3}}))
    with pytest.raises(StreamInterruptedError) as caught:
        stream.collect()
    assert caught.value.usage == {"total_tokens": 3}


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([ONCE], id="no end"),
        pytest.param([ONCE, chunk({}, "stop")], id="a finish reason alone"),
        pytest.param([ONCE, TransportError("lost")], id="lost"),
        pytest.param([ONCE, b"data: {\n\n", DONE], id="no JSON"),
        pytest.param([ONCE, b"data: []\n\n", DONE], id="another shape"),
        pytest.param([ONCE, b"data: " + b"[" * 100_000 + b"\n\n", DONE], id="too deep"),
    ],
)
def test_a_stream_cut_short_never_looks_whole(pieces: list[bytes | Exception]) -> None:
    stream = streamed(*pieces)
    assert next(stream) == "once "
    with pytest.raises(StreamInterruptedError) as caught:
        next(stream)
    assert (caught.value.text, list(stream)) == ("once ", [])
    with pytest.raises(StreamInterruptedError):
        stream.collect()


def test_an_interrupted_stream_tells_where_to_go_on() -> None:
    first = b"id: 4\n" + chunk({"content": "once "}, usage={"total_tokens": 3})
    with pytest.raises(StreamInterruptedError) as caught:
        streamed(first, x_chatloom_turn="t1", x_request_id="r1").collect()
    error = caught.value
    assert (error.resume_token, error.request_id, error.status_code) == ("t1:4", "r1", 200)
    assert (error.text, error.usage) == ("once ", {"total_tokens": 3})


def numbered(*blocks: bytes) -> bytes:
    return b"".join(b"id: %d\n" % number + block for number, block in enumerate(blocks, 1))


def test_a_token_is_behind_the_texts_taken_so_far() -> None:
    body = numbered(chunk({"role": "assistant"}), ONCE, chunk({"content": ""}), UPON, chunk())
    stream = streamed(body, DONE, x_chatloom_turn="t1")
    assert [(text, stream.resume_token) for text in stream] == [("once ", "t1:3"), ("upon", "t1:5")]


@pytest.mark.parametrize("end", [BARE_END, UPON + BARE_END, UPON + DONE])
def test_a_token_goes_on_behind_it(end: bytes) -> None:
    outside = Scripted(arriving(end, x_chatloom_turn="t1"))
    stream = ChatServer(Engine(Sync, outside, named=documented)).resume_completion("t1:4")
    assert isinstance(stream, CompletionStream)
    assert stream.collect() == ("upon" if UPON in end else "")
    (request,) = outside.requests
    assert str(request) == "GET /v1/turns/t1/events"
    assert request.header("last-event-id") == "4"


def test_a_stream_goes_on_by_itself() -> None:
    script = arriving(numbered(ONCE, UPON)[:-9], x_chatloom_turn="t1"), arriving(UPON, DONE)
    engine = Engine(Sync, Scripted(*script), named=documented, manner=Manner(max_retries=2))
    stream = ChatServer(engine).create_completion("m", ["hi"], stream=True)
    assert (stream.collect(), stream.completion.choices[0].finish_reason) == ("once upon", "stop")
    assert stream.resume_token == "t1:1"  # what follows has no numbers of its own


def test_an_interrupted_stream_is_caught_by_either_name() -> None:
    for kind in (ChatServerError, StreamError):
        with pytest.raises(kind):
            streamed(ONCE).collect()
    assert not issubclass(StreamInterruptedError, Truncated)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (BARE_END, "without saying how"),
        (chunk(finish_reason="error") + BARE_END, "ended with 'error'"),
        (b'event: error\ndata: {"message": "boom"}\n\n' + BARE_END, "boom"),
        (b"event: error\ndata: {}\n\n" + BARE_END, "said no more"),
        (event({"detail": "boom"}) + BARE_END, "boom"),
    ],
)
def test_an_end_that_is_no_good_one_is_never_taken_for_it(end: bytes, reason: str) -> None:
    stream = streamed(chunk({"content": "half"}), end)
    with pytest.raises(StreamInterruptedError, match=reason) as caught:
        list(stream)
    assert caught.value.text == "half"
