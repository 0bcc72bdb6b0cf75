"""A Zaguan completion, piece by piece."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from chatloom.core.engine import Async, Engine, Sync
from chatloom.core.errors import StreamError, TransportError
from chatloom.core.http import JSON
from chatloom.core.manner import Manner
from support.scripted import Scripted, arriving
from zaguan import (
    AsyncChatStream,
    ChatChunk,
    ChatRequest,
    ChatResponse,
    ChatStream,
    Message,
    StreamInterruptedError,
    StreamTruncatedError,
    Usage,
    ZaguanError,
    reconstruct_message_from_stream,
)
from zaguan.errors import documented
from zaguan.operations import Zaguan

HI = ChatRequest(model="m", messages=[Message(role="user", content="hi")])
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


def numbered(*blocks: bytes) -> bytes:
    return b"".join(b"id: %d\n" % number + block for number, block in enumerate(blocks, 1))


def streamed(*pieces: bytes | Exception, **headers: str) -> ChatStream:
    engine = Engine(Sync, Scripted(arriving(*pieces, **headers)), named=documented)
    return Zaguan(engine).chat_stream(HI)


def test_iterating_gives_the_chunks() -> None:
    chunks = list(streamed(chunk({"role": "assistant"}), ONCE, UPON, DONE))
    assert all(isinstance(one, ChatChunk) for one in chunks)
    assert [one.text for one in chunks] == ["", "once ", "upon", ""]
    assert reconstruct_message_from_stream(chunks).content == "once upon"


def test_collect_gives_the_whole_answer() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    stream = streamed(ONCE, UPON, chunk(finish_reason="stop"), event({"usage": usage}), BARE_END)
    assert (next(stream).text, stream.response.text, stream.text) == ("once ", "once ", "once ")
    whole = stream.collect()
    assert whole == stream.response
    assert whole == ChatResponse.parse_obj(
        {
            "id": "c1",
            "created": 7,
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "once upon"},
                    "finish_reason": "stop",
                }
            ],
            "usage": usage,
        }
    )


def test_a_stream_is_a_context_manager() -> None:
    with streamed(ONCE, UPON, DONE) as stream:
        assert next(stream).text == "once "
    assert list(stream) == []


def test_async_streams_give_the_same() -> None:
    engine = Engine(Async, Scripted(arriving(ONCE, UPON, DONE), suspends=True), named=documented)

    async def main() -> None:
        async with Zaguan(engine).chat_stream(HI) as stream:
            assert isinstance(stream, AsyncChatStream)
            assert [piece.text async for piece in stream] == ["once ", "upon", ""]
            assert (await stream.collect()).text == stream.response.text == "once upon"

    asyncio.run(main())


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b": still here\n", ONCE, UPON, DONE], id="a heartbeat"),
        pytest.param([ONCE, chunk({}), chunk({"content": ""}), UPON, DONE], id="empty deltas"),
        pytest.param([chunk(choices=[]), ONCE, UPON, DONE], id="no choices"),
        pytest.param([chunk(choices=None), ONCE, UPON, DONE], id="null for choices"),
        pytest.param([chunk(created=7.5), ONCE, UPON, DONE], id="a fraction for created"),
        pytest.param([chunk(choices=[{}, {"delta": None}]), ONCE, UPON, DONE], id="no deltas"),
        pytest.param([chunk({"role": "model"}), ONCE, UPON, DONE], id="another role"),
        pytest.param([ONCE, chunk(error=None), UPON, DONE], id="null for error"),
        pytest.param([ONCE, event({"future": [1]}), UPON, DONE], id="keys nobody knows"),
        pytest.param([ONCE, UPON, DONE, text("never read")], id="more behind the end"),
        pytest.param(
            [ONCE.replace(b"data: ", b"data:").replace(b", ", b",\ndata:"), UPON, DONE],
            id="data in several lines",
        ),
        pytest.param([bytes([byte]) for byte in ONCE + UPON + DONE], id="byte by byte"),
    ],
)
def test_what_servers_really_send_is_understood(pieces: list[bytes]) -> None:
    assert streamed(*pieces).collect().text == "once upon"


def test_usage_on_chunks_is_typed() -> None:
    only = event({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    chunks = list(streamed(ONCE, chunk(finish_reason="stop"), only, BARE_END))
    assert chunks[-1].usage == Usage(prompt_tokens=1, completion_tokens=2)
    assert chunks[-1].choices == []


def test_each_choice_is_kept_for_itself() -> None:
    second = chunk(choices=[{"index": 1, "delta": {"content": "x"}, "finish_reason": "length"}])
    whole = streamed(ONCE, second, UPON, DONE).collect()
    assert [choice.finish_reason for choice in whole.choices] == ["stop", "length"]
    assert whole.text == "once upon"


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
    told = {"error": error, "usage": {"total_tokens": 3}}
    stream = streamed(ONCE, name + event(told), DONE)
    assert next(stream).text == "once "
    with pytest.raises(StreamInterruptedError, match=message) as caught:
        next(stream)
    assert not isinstance(caught.value, StreamTruncatedError)
    assert (caught.value.code, caught.value.text) == (code, "once ")
    assert (caught.value.body, caught.value.usage) == ({"error": error}, {"total_tokens": 3})
    assert list(stream) == []


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([ONCE], id="no end"),
        pytest.param([ONCE, chunk({}, "stop")], id="a finish reason alone"),
        pytest.param([ONCE, BARE_END], id="an end alone"),
        pytest.param(
            [ONCE, chunk(choices=[{"index": 1, "finish_reason": "stop"}]), BARE_END],
            id="one choice of two",
        ),
        pytest.param([ONCE, TransportError("lost")], id="lost"),
        pytest.param([ONCE, b"data: {\n\n", DONE], id="no JSON"),
        pytest.param([ONCE, b"data: []\n\n", DONE], id="another shape"),
        pytest.param([ONCE, event({"choices": 5}), DONE], id="another shape within"),
        pytest.param([ONCE, b"data: " + b"[" * 100_000 + b"\n\n", DONE], id="too deep"),
    ],
)
def test_a_stream_cut_short_never_looks_whole(pieces: list[bytes | Exception]) -> None:
    stream = streamed(*pieces)
    assert next(stream).text == "once "
    with pytest.raises(StreamTruncatedError) as caught:
        list(stream)
    assert (caught.value.text, list(stream)) == ("once ", [])
    with pytest.raises(StreamInterruptedError):
        stream.collect()


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (chunk(finish_reason="error") + BARE_END, "ended with 'error'"),
        (b'event: error\ndata: {"message": "boom"}\n\n' + BARE_END, "boom"),
        (b"event: error\ndata: {}\n\n" + BARE_END, "said no more"),
        (event({"detail": "boom"}) + BARE_END, "boom"),
    ],
)
def test_an_end_that_is_no_good_one_is_never_taken_for_it(end: bytes, reason: str) -> None:
    with pytest.raises(StreamInterruptedError, match=reason) as caught:
        list(streamed(text("half"), end))
    assert caught.value.text == "half"


def test_an_interrupted_stream_tells_where_to_go_on() -> None:
    first = chunk({"content": "once "}, usage={"total_tokens": 3})
    with pytest.raises(StreamInterruptedError) as caught:
        streamed(b"id: 4\n" + first, x_chatloom_turn="t1", x_request_id="r1").collect()
    error = caught.value
    assert (error.resume_token, error.request_id, error.status_code) == ("t1:4", "r1", 200)
    assert (error.text, error.usage) == ("once ", {"total_tokens": 3})
    assert isinstance(error, ZaguanError)
    assert isinstance(error, StreamError)


def test_a_token_is_behind_the_chunks_taken_so_far() -> None:
    stream = streamed(numbered(ONCE, UPON, chunk()), DONE, x_chatloom_turn="t1")
    told = [(one.text, stream.resume_token) for one in stream]
    assert told[:3] == [("once ", "t1:1"), ("upon", "t1:2"), ("", "t1:3")]


@pytest.mark.parametrize("end", [BARE_END, UPON + BARE_END, UPON + DONE])
def test_a_token_goes_on_behind_it(end: bytes) -> None:
    outside = Scripted(arriving(end, x_chatloom_turn="t1"))
    stream = Zaguan(Engine(Sync, outside, named=documented)).resume_chat("t1:4")
    assert stream.collect().text == ("upon" if UPON in end else "")
    (request,) = outside.requests
    assert str(request) == "GET /v1/turns/t1/events"
    assert request.header("last-event-id") == "4"


def resumed(*bodies: bytes) -> tuple[ChatStream, Scripted]:
    outside = Scripted(*[arriving(body, x_chatloom_turn="t1") for body in bodies])
    engine = Engine(Sync, outside, named=documented, manner=Manner(max_retries=3))
    return Zaguan(engine).chat_stream(HI), outside


@pytest.mark.parametrize(
    ("bodies", "seen"),
    [
        ([numbered(ONCE, UPON)[:-9], UPON + DONE], ["1"]),
        ([numbered(ONCE), b"id: 2\n" + UPON, DONE], ["1", "2"]),
        # What went on without numbers is told again, behind the last number there was.
        ([numbered(ONCE), UPON, UPON + DONE], ["1", "1"]),
        ([numbered(ONCE), UPON, UPON, UPON + DONE], ["1", "1", "1"]),
        ([numbered(ONCE), chunk(), chunk() + UPON + DONE], ["1", "1"]),
        ([chunk(), chunk() + ONCE + UPON + DONE], [None]),
    ],
)
def test_a_stream_goes_on_by_itself(bodies: list[bytes], seen: list[str | None]) -> None:
    stream, outside = resumed(*bodies)
    assert "".join(one.text for one in stream) == "once upon"
    first, *others = outside.requests
    assert [request.header("last-event-id") for request in others] == seen
    ids = {request.header("x-request-id") for request in outside.requests}
    assert ids == {first.header("x-request-id")}


def test_cancelling_stops_the_answer_at_the_server() -> None:
    stream, outside = resumed(numbered(ONCE, UPON), b"")
    next(stream)
    stream.cancel()
    assert str(outside.requests[-1]) == "POST /v1/turns/t1/cancel"
    assert list(stream) == []
