"""An answer of Infinity Assistant, piece by piece, in every dialect."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from chatloom.core.engine import Async, Engine, RawSync, Sync
from chatloom.core.errors import StreamError, TransportError, Truncated
from chatloom.core.http import Ending, Request, Response
from chatloom.core.outside import Outside
from infinity_assistant import (
    AsyncChatStream,
    ChatStream,
    InfinityAssistantError,
    InfinityAssistantNetworkError,
    InfinityAssistantNotFoundError,
    InfinityAssistantRateLimitError,
    InfinityAssistantStreamInterruptedError,
    InfinityAssistantStreamTruncatedError,
)
from infinity_assistant.exceptions import documented
from infinity_assistant.service import Service
from sdks.infinity_assistant.telling import (
    BESIDE,
    DONE,
    END,
    ONCE,
    UPON,
    WHOLE,
    event,
    metadata,
    service,
    streamed,
    text,
)
from support.scripted import Body, Scripted, arriving


def test_a_stream_gives_texts_metadata_and_one_end() -> None:
    stream = streamed(ONCE, UPON, BESIDE, END)
    assert list(stream) == [
        text("once "),
        text("upon"),
        metadata(conversationId="c1", messageId="m1", model="m", tokensUsed=2),
        DONE,
    ]
    assert (stream.text, stream.metadata) == ("once upon", WHOLE["metadata"])


def test_collect_gives_what_a_plain_answer_would() -> None:
    stream = streamed(ONCE, UPON, BESIDE, END)
    assert next(stream) == text("once ")
    assert stream.collect() == WHOLE


def test_the_request_asks_for_a_stream() -> None:
    client, outside = service(arriving(END))
    told = client.chat_stream(message="hi", user_id="u").collect()
    assert told == {**WHOLE, "response": "", "conversationId": "", "messageId": "", "metadata": {}}
    (request,) = outside.requests
    assert str(request) == "POST /api/chat"
    assert request.header("accept") == "text/event-stream"
    assert json.loads(request.body) == {"message": "hi", "userId": "u", "stream": True}


def test_async_streams_give_the_same() -> None:
    outside = Scripted(arriving(ONCE, UPON, BESIDE, END), suspends=True)

    async def main() -> None:
        stream = Service(Engine(Async, outside, named=documented)).chat_stream("hi")
        assert isinstance(stream, AsyncChatStream)
        assert [piece["type"] async for piece in stream] == ["text", "text", "metadata", "done"]
        assert (await stream.collect(), stream.metadata) == (WHOLE, WHOLE["metadata"])

    asyncio.run(main())


@pytest.mark.parametrize(
    ("frame", "name", "message", "code"),
    [
        ({"type": "error", "error": "it fell over"}, "", "it fell over", None),
        ({"type": "error", "error": "it fell over", "code": "X"}, "", "it fell over", "X"),
        ({"error": {"message": "it fell over", "code": "X"}}, "", "it fell over", "X"),
        ({"message": "it fell over", "error": "E"}, "error", "it fell over", None),
        ({"type": "error"}, "", "the server said no more", None),
        ({"type": ["odd"], "error": ["odd"]}, "", "the server said no more", None),
    ],
)
def test_an_error_in_the_stream_raises_and_nothing_is_done(
    frame: Any, name: str, message: str, code: str | None
) -> None:
    told = {**frame, "usage": {"totalTokens": 1}}
    stream = streamed(ONCE, event(told, name), END)
    assert next(stream) == text("once ")
    with pytest.raises(InfinityAssistantStreamInterruptedError) as caught:
        next(stream)
    error = caught.value
    assert not isinstance(error, Truncated)
    assert (error.message, error.code) == (message, code or "STREAM_INTERRUPTED")
    assert (error.text, error.usage, error.response) == ("once ", {"totalTokens": 1}, told)
    assert list(stream) == []


def test_an_event_named_error_may_hold_anything() -> None:
    with pytest.raises(InfinityAssistantStreamInterruptedError, match="boom"):
        streamed(ONCE, b"event: error\ndata: boom\n\n", END).collect()
    with pytest.raises(InfinityAssistantStreamInterruptedError):
        streamed(ONCE, b"event: error\ndata: <html>\n\n", END).collect()


def test_an_error_told_as_a_plain_answer_raises() -> None:
    stream = streamed(b'{"success": false, "error": {"message": "no", "code": "X"}}')
    with pytest.raises(InfinityAssistantStreamInterruptedError) as caught:
        next(stream)
    assert (str(caught.value), list(stream)) == ("X: no", [])


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([ONCE], id="no end"),
        pytest.param([ONCE, BESIDE], id="metadata alone"),
        pytest.param([ONCE, b"data: [DONE]"], id="half an end"),
        pytest.param([ONCE, TransportError("lost")], id="lost"),
        pytest.param([ONCE, b"data: {\n\n", END], id="no JSON"),
        pytest.param([ONCE, b"data: []\n\n", END], id="another shape"),
        pytest.param([ONCE, b"data: " + b'{"a":' * 100_000 + b"\n\n", END], id="too deep"),
    ],
)
def test_a_stream_cut_short_never_looks_whole(pieces: list[bytes | Exception]) -> None:
    stream = streamed(*pieces)
    told: list[Any] = []
    with pytest.raises(InfinityAssistantStreamTruncatedError) as caught:
        told += stream
    error = caught.value
    assert (error.text, error.code, list(stream)) == ("once ", "STREAM_TRUNCATED", [])
    assert DONE not in told
    with pytest.raises(InfinityAssistantStreamTruncatedError):
        stream.collect()


@pytest.mark.parametrize(
    "kind", [InfinityAssistantError, InfinityAssistantNetworkError, StreamError, Truncated]
)
def test_an_answer_cut_short_is_caught_by_each_of_its_names(kind: type[Exception]) -> None:
    with pytest.raises(kind):
        streamed(ONCE).collect()


def test_a_refusal_is_told_before_anything_is() -> None:
    client, _ = service(Response(404, {}, b"<html>"))
    with pytest.raises(InfinityAssistantNotFoundError, match="no such route"):
        client.chat_stream("hi")
    client, _ = service(Response(429, {"retry-after": "7"}, b'{"error": "slowly"}'))
    with pytest.raises(InfinityAssistantRateLimitError) as caught:
        client.chat_stream("hi")
    assert (str(caught.value), caught.value.retry_after) == ("RATE_LIMIT: slowly", 7)


def test_leaving_early_gives_the_connection_back() -> None:
    body = Body(ONCE, UPON, END)
    client, _ = service(Response(200, {}, arriving=body))
    with client.chat_stream("hi") as stream:
        assert next(stream) == text("once ")
    assert (body.is_held, list(stream)) == (False, [])


def test_a_whole_answers_connection_serves_again() -> None:
    body = Body(ONCE, END, b"never")
    client, _ = service(Response(200, {}, arriving=body))
    list(client.chat_stream("hi"))
    assert (body.finished, body.closed, body.abandoned) == (1, 0, 0)


def test_a_raw_stream_has_its_headers() -> None:
    engine = Engine(RawSync, Scripted(arriving(END, x_a="b")), named=documented)
    assert Service(engine).chat_stream("hi").headers["x-a"] == "b"


def test_followers_are_told_the_model_and_the_usage() -> None:
    ends: list[Ending] = []

    class Follow:
        def piece(self, piece: object) -> None: ...

        def over(self, ending: Ending) -> None:
            ends.append(ending)

    async def followed(request: Request, outside: Outside, /) -> Response:
        response = await outside.send(request)
        response.followers += (Follow(),)
        return response

    usage = {"promptTokens": 1, "completionTokens": 2}
    told = metadata(model="m", finishReason="stop", usage=usage)
    outside = Scripted(arriving(ONCE, event(told), END), arriving(BESIDE, END))
    client = Service(Engine(Sync, outside, [followed], named=documented))
    list(client.chat_stream("hi"))
    list(client.chat_stream("hi"))
    assert [(end.complete, end.model, end.finish_reason) for end in ends] == [
        (True, "m", "stop"),
        (True, "m", None),
    ]
    assert [end.usage for end in ends] == [usage, {"tokensUsed": 2}]


# Going on


def numbered(*blocks: bytes) -> bytes:
    return b"".join(b"id: %d\n" % number + block for number, block in enumerate(blocks, 1))


def test_an_interrupted_stream_tells_where_to_go_on() -> None:
    with pytest.raises(InfinityAssistantStreamTruncatedError) as caught:
        streamed(numbered(ONCE), x_chatloom_turn="t1", x_request_id="r1").collect()
    error = caught.value
    assert (error.resume_token, error.request_id, error.status_code) == ("t1:1", "r1", 200)


def test_a_token_is_behind_the_pieces_taken_so_far() -> None:
    blocks = numbered(ONCE, event({"content": "upon", "metadata": {"a": 1}}), END)
    stream = streamed(blocks, x_chatloom_turn="t1")
    told = [(piece["type"], stream.resume_token) for piece in stream]
    # Of an event's two pieces, the first alone is not behind it.
    assert told == [("text", "t1:1"), ("metadata", "t1:1"), ("text", "t1:2"), ("done", "t1:3")]


def test_a_stream_goes_on_by_itself_at_the_servers_root() -> None:
    script = arriving(numbered(ONCE, UPON)[:-9], x_chatloom_turn="t1"), arriving(UPON, BESIDE, END)
    client, outside = service(*script, most=2)
    assert client.chat_stream("hi").collect() == WHOLE
    assert str(outside.requests[1]) == "GET /v1/turns/t1/events"
    assert outside.requests[1].header("last-event-id") == "1"


@pytest.mark.parametrize(("rest", "told"), [(UPON + END, "upon"), (END, "")])
def test_a_token_goes_on_behind_it(rest: bytes, told: str) -> None:
    client, outside = service(arriving(rest, x_chatloom_turn="t1"))
    stream = client.resume_chat("t1:4")
    assert isinstance(stream, ChatStream)
    assert (stream.collect()["response"], stream.text) == (told, told)
    assert str(outside.requests[0]) == "GET /v1/turns/t1/events"


def test_cancelling_stops_the_turn() -> None:
    first = arriving(numbered(ONCE), x_chatloom_turn="t1")
    client, outside = service(first, Response(200, {}, b"{}"))
    stream = client.chat_stream("hi")
    next(stream)
    stream.cancel()
    assert str(outside.requests[1]) == "POST /v1/turns/t1/cancel"
