"""An answer of ChatRoutes, piece by piece."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from chatloom.core.engine import Async, Engine, RawSync, Sync
from chatloom.core.errors import StreamError, TransportError, Truncated
from chatloom.core.http import JSON, Response
from chatloom.core.manner import Manner
from chatloom.core.raw import Raw
from chatroutes import (
    AsyncMessageStream,
    ChatRoutesError,
    MessagesResource,
    MessageStream,
    NetworkError,
    NotFoundError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from chatroutes.exceptions import documented
from chatroutes.http_client import HttpClient
from support.scripted import Body, Scripted, arriving

END = b"data: [DONE]\n\n"
MESSAGE: Any = {
    "id": "m2",
    "role": "assistant",
    "content": "once upon",
    "createdAt": "x",
    "tokenCount": 2,
    "metadata": {"finishReason": "stop"},
}
USAGE = {"promptTokens": 1, "completionTokens": 2, "totalTokens": 3}
WHOLE = {**MESSAGE, "conversationId": "c1"}
ASKED = {"id": "m1", "role": "user", "content": "hi"}


def event(said: Any) -> bytes:
    return b"data: " + json.dumps(said).encode() + b"\n\n"


def chunk(text: str) -> dict[str, Any]:
    return {"type": "content", "content": text, "model": "m"}


ONCE, UPON = event(chunk("once ")), event(chunk("upon"))
COMPLETE = event({"type": "complete", "message": MESSAGE, "usage": USAGE, "model": "m"})
DONE = COMPLETE + END


def messages(*script: Response, most: int | None = None) -> tuple[MessagesResource[Sync], Scripted]:
    outside = Scripted(*script)
    engine = Engine(Sync, outside, named=documented, manner=Manner(max_retries=most))
    return MessagesResource(engine), outside


def streamed(*pieces: bytes | Exception, **headers: str) -> MessageStream:
    resource, _ = messages(arriving(*pieces, **headers))
    return resource.stream("c1", {"content": "hi"})


def test_iterating_gives_the_pieces() -> None:
    stream = streamed(ONCE, UPON, DONE)
    assert stream.message is None
    assert list(stream) == [chunk("once "), chunk("upon")]
    assert (stream.text, stream.model) == ("once upon", "m")
    told: list[object] = [stream.message, stream.usage]
    assert told == [WHOLE, USAGE]


def test_collect_gives_what_a_plain_answer_would() -> None:
    stream = streamed(ONCE, UPON, DONE)
    assert next(stream) == chunk("once ")
    assert stream.collect() == {
        "message": WHOLE,
        "assistantMessage": WHOLE,
        "userMessage": None,
        "usage": USAGE,
        "model": "m",
    }


def test_the_question_is_told_where_the_server_tells_it() -> None:
    last = event({"type": "complete", "message": MESSAGE, "userMessage": ASKED, "model": "m"})
    answer = streamed(last, END).collect()
    assert answer["userMessage"] == {**ASKED, "conversationId": "c1"}


def test_the_request_asks_for_events() -> None:
    resource, outside = messages(arriving(DONE))
    resource.stream("c1", {"content": "hi", "branchId": "b"}).collect()
    (request,) = outside.requests
    assert str(request) == "POST /api/v1/conversations/c1/messages/stream"
    assert request.header("accept") == "text/event-stream"
    assert json.loads(request.body) == {"content": "hi", "branchId": "b"}


def test_async_streams_give_the_same() -> None:
    engine = Engine(Async, Scripted(arriving(ONCE, UPON, DONE), suspends=True), named=documented)

    async def main() -> None:
        stream = MessagesResource(engine).stream("c1", {"content": "hi"})
        assert isinstance(stream, AsyncMessageStream)
        assert [piece async for piece in stream] == [chunk("once "), chunk("upon")]
        assert (stream.message, stream.usage, stream.model) == (WHOLE, USAGE, "m")

    asyncio.run(main())


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b": still here\n", ONCE, UPON, DONE], id="a heartbeat"),
        pytest.param([ONCE, event({"type": "future"}), UPON, DONE], id="a type nobody knows"),
        pytest.param([ONCE, event({"type": "content", "content": None}), UPON, DONE], id="null"),
        pytest.param([ONCE, event({**chunk("upon"), "error": None}), DONE], id="null for error"),
        pytest.param([ONCE.replace(b"data: ", b"data:"), UPON, DONE], id="no space"),
        pytest.param([ONCE + UPON[:20], UPON[20:] + DONE], id="cut anywhere"),
        pytest.param([(ONCE + UPON + DONE).replace(b"\n", b"\r\n")], id="another line end"),
        pytest.param([ONCE.replace(b', "mod', b'\ndata: , "mod'), UPON, DONE], id="two lines"),
        pytest.param([event({"content": "once "}), UPON, DONE], id="no type"),
        pytest.param([ONCE, UPON, DONE, ONCE], id="something behind the end"),
    ],
)
def test_what_servers_really_send_is_understood(pieces: list[bytes]) -> None:
    stream = streamed(*pieces)
    assert [piece["content"] for piece in stream] == ["once ", "upon"]
    assert (stream.text, stream.message) == ("once upon", WHOLE)


def test_a_letter_may_be_cut_in_two() -> None:
    frame = json.dumps(chunk("é"), ensure_ascii=False).encode()
    cut = frame.index("é".encode()) + 1
    stream = streamed(b"data: " + frame[:cut], frame[cut:] + b"\n\n" + DONE)
    assert next(stream)["content"] == "é"


def test_callbacks_are_told_the_pieces_and_the_message() -> None:
    told: list[Any] = []
    resource, _ = messages(arriving(ONCE, UPON, DONE))
    resource.stream("c1", {"content": "hi"}, told.append, told.append)
    assert told == [chunk("once "), chunk("upon"), WHOLE]


def test_each_callback_may_be_left_out() -> None:
    told: list[Any] = []
    resource, _ = messages(arriving(ONCE, DONE), arriving(ONCE, DONE))
    resource.stream("c1", {"content": "hi"}, on_chunk=told.append)
    resource.stream("c1", {"content": "hi"}, on_complete=told.append)
    assert told == [chunk("once "), WHOLE]


@pytest.mark.parametrize("is_async", [True, False])
def test_callbacks_of_an_async_client_may_be_async(is_async: bool) -> None:
    told: list[Any] = []

    async def take(one: object) -> None:
        await asyncio.sleep(0)
        told.append(one)

    engine = Engine(Async, Scripted(arriving(ONCE, UPON, DONE), suspends=True), named=documented)
    callback: Callable[[object], object] = take if is_async else told.append

    async def main() -> None:
        await MessagesResource(engine).stream("c1", {"content": "hi"}, callback, callback)

    asyncio.run(main())
    assert told == [chunk("once "), chunk("upon"), WHOLE]


class Oops(Exception):
    """What a callback raises."""


@pytest.mark.parametrize("number", [1, 2])
def test_a_callback_that_raises_gives_the_connection_back(number: int) -> None:
    body = Body(ONCE, UPON, DONE)
    resource, _ = messages(Response(200, {}, arriving=body))
    told: list[object] = []

    def take(one: object) -> None:
        told.append(one)
        if len(told) == number:
            raise Oops

    with pytest.raises(Oops):
        resource.stream("c1", {"content": "hi"}, take)
    assert (len(told), body.is_held) == (number, False)


def test_an_async_callback_of_a_blocking_client_is_no_silent_mistake() -> None:
    async def take(_: object) -> None:
        await asyncio.sleep(0)

    body = Body(ONCE, UPON, DONE)
    resource, _ = messages(Response(200, {}, arriving=body))
    with pytest.raises(RuntimeError, match="event loop"):
        resource.stream("c1", {"content": "hi"}, take)
    assert not body.is_held


def test_leaving_early_gives_the_connection_back() -> None:
    body = Body(ONCE, UPON, DONE)
    resource, _ = messages(Response(200, {}, arriving=body))
    with resource.stream("c1", {"content": "hi"}) as stream:
        assert next(stream) == chunk("once ")
    assert (body.is_held, list(stream)) == (False, [])


def test_a_raw_stream_has_its_headers_and_told_callbacks_the_response() -> None:
    script = Scripted(arriving(DONE, x_a="b"), arriving(DONE, x_a="b"))
    resource = MessagesResource(Engine(RawSync, script, named=documented))
    assert resource.stream("c1", {"content": "hi"}).headers["x-a"] == "b"
    raw = resource.stream("c1", {"content": "hi"}, lambda _: None)
    assert isinstance(raw, Raw)
    assert (raw.status_code, raw.headers["x-a"]) == (200, "b")


@pytest.mark.parametrize(
    ("frame", "message", "code"),
    [
        ({"type": "error", "error": "it fell over"}, "it fell over", None),
        ({"type": "error", "error": "e", "message": "it fell over", "code": "X"}, "it fell", "X"),
        ({"type": "error", "error": {"message": "it fell over", "code": "X"}}, "it fell", "X"),
        ({"error": "it fell over"}, "it fell over", None),
        ({"type": "error"}, "said no more", None),
        ({"type": ["odd"], "error": {"odd": 1}}, "odd", None),
    ],
)
def test_an_error_in_the_stream_raises(frame: Any, message: str, code: str | None) -> None:
    stream = streamed(ONCE, event({**frame, "usage": USAGE}), DONE)
    assert next(stream) == chunk("once ")
    with pytest.raises(StreamInterruptedError, match=message) as caught:
        next(stream)
    error = caught.value
    assert not isinstance(error, Truncated)
    assert (error.code, error.text, error.usage) == (code, "once ", USAGE)
    assert (error.body, list(stream)) == ({**frame, "usage": USAGE}, [])


def test_an_event_that_is_named_an_error_is_one() -> None:
    with pytest.raises(StreamInterruptedError, match="boom"):
        streamed(ONCE, b'event: error\ndata: {"message": "boom"}\n\n', DONE).collect()


def test_an_error_in_the_stream_raises_past_callbacks() -> None:
    told: list[Any] = []
    resource, _ = messages(arriving(ONCE, event({"type": "error", "error": "no"})))
    with pytest.raises(StreamInterruptedError) as caught:
        resource.stream("c1", {"content": "hi"}, told.append, told.append)
    assert (told, caught.value.text) == ([chunk("once ")], "once ")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([ONCE], id="no end"),
        pytest.param([ONCE, COMPLETE], id="the message alone"),
        pytest.param([ONCE, END], id="the end alone"),
        pytest.param([ONCE, TransportError("lost")], id="lost"),
        pytest.param([ONCE, b"data: {\n\n", DONE], id="no JSON"),
        pytest.param([ONCE, b"data: []\n\n", DONE], id="another shape"),
        pytest.param([ONCE, b"data: " + b'{"a":' * 100_000 + b"\n\n", DONE], id="too deep"),
    ],
)
def test_a_stream_cut_short_never_looks_whole(pieces: list[bytes | Exception]) -> None:
    stream = streamed(*pieces)
    assert next(stream) == chunk("once ")
    with pytest.raises(StreamTruncatedError) as caught:
        next(stream)
    assert (caught.value.text, list(stream)) == ("once ", [])
    with pytest.raises(StreamTruncatedError):
        stream.collect()


@pytest.mark.parametrize("kind", [ChatRoutesError, NetworkError, StreamError, Truncated])
def test_an_answer_cut_short_is_caught_by_each_of_its_names(kind: type[Exception]) -> None:
    with pytest.raises(kind):
        streamed(ONCE).collect()


def test_a_refusal_is_told_before_anything_is() -> None:
    resource, _ = messages(Response(404, {}, b'{"success": false, "error": "no such thing"}'))
    with pytest.raises(NotFoundError, match="no such thing"):
        resource.stream("c1", {"content": "hi"})


# Going on


def numbered(*blocks: bytes) -> bytes:
    return b"".join(b"id: %d\n" % number + block for number, block in enumerate(blocks, 1))


def test_an_interrupted_stream_tells_where_to_go_on() -> None:
    with pytest.raises(StreamTruncatedError) as caught:
        streamed(numbered(ONCE), x_chatloom_turn="t1", x_request_id="r1").collect()
    error = caught.value
    assert (error.resume_token, error.request_id, error.status_code) == ("t1:1", "r1", 200)


def test_a_token_is_behind_the_pieces_taken_so_far() -> None:
    stream = streamed(numbered(ONCE, UPON, COMPLETE), END, x_chatloom_turn="t1")
    told = [(piece["content"], stream.resume_token) for piece in stream]
    assert told == [("once ", "t1:1"), ("upon", "t1:3")]


def test_a_stream_goes_on_by_itself_at_the_servers_root() -> None:
    script = arriving(numbered(ONCE, UPON)[:-9], x_chatloom_turn="t1"), arriving(UPON, DONE)
    resource, outside = messages(*script, most=2)
    told: list[Any] = []
    resource.stream("c1", {"content": "hi"}, told.append, told.append)
    assert told == [chunk("once "), chunk("upon"), WHOLE]
    assert str(outside.requests[1]) == "GET /v1/turns/t1/events"
    assert outside.requests[1].header("last-event-id") == "1"


@pytest.mark.parametrize(("rest", "text"), [(UPON + DONE, "upon"), (DONE, ""), (END, "")])
def test_a_token_goes_on_behind_it(rest: bytes, text: str) -> None:
    resource, outside = messages(arriving(rest, x_chatloom_turn="t1"))
    stream = resource.resume("t1:4")
    assert isinstance(stream, MessageStream)
    answer = stream.collect()
    assert (stream.text, str(outside.requests[0])) == (text, "GET /v1/turns/t1/events")
    assert answer["message"]["content"] == ("" if rest == END else "once upon")


def test_cancelling_stops_the_turn() -> None:
    first = arriving(numbered(ONCE), x_chatloom_turn="t1")
    resource, outside = messages(first, Response(200, {}, b"{}"))
    stream = resource.stream("c1", {"content": "hi"})
    next(stream)
    stream.cancel()
    assert str(outside.requests[1]) == "POST /v1/turns/t1/cancel"


def test_the_http_client_streams_and_gives_the_message() -> None:
    outside = Scripted(arriving(ONCE, UPON, DONE))
    client = HttpClient(Engine(Sync, outside, named=documented))
    told: list[JSON] = []
    path = "/conversations/c1/messages/stream"
    assert client.stream(path, {"content": "hi"}, lambda one: told.append(one["type"])) == MESSAGE
    assert told == ["content", "content"]
    assert str(outside.requests[0]) == f"POST /api/v1{path}"
