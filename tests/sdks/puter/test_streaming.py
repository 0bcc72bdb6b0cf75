"""An answer of Puter, line by line."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom import SettingsError
from chatloom.core.errors import Truncated
from puter import ChatStream, PuterStatusError, PuterTruncatedError
from puter.streaming import ChatReading
from support.puter import (
    NDJSON,
    USAGE,
    Reply,
    Using,
    calling,
    echo,
    lines,
    refused,
    said,
    service,
    text,
)
from transports.scripted import Asked


def test_a_stream_gives_texts_and_collects_the_whole(using: Using) -> None:
    with service(lines(*text("once ", "upon"), USAGE)) as puter:
        client = puter.client()
        assert using(client).stream("hi") == ["once ", "upon"]
        assert puter.bodies[0]["args"]["stream"] is True
        assert puter.asked[1].all("accept") == ["application/json, application/x-ndjson"]
        assert [one["content"] for one in client.chat_history] == ["hi", "once upon"]


def test_a_stream_tells_what_is_beside_the_text() -> None:
    thought = {"type": "reasoning", "reasoning": "hm"}
    call = {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}, "text": ""}
    with service(lines(thought, *text("a"), {"type": "image", "image": {}}, call, USAGE)) as puter:
        stream = puter.client().chat("hi", stream=True)
        assert (stream.usage, stream.reasoning, stream.status_code) == (None, "", 200)
        assert stream.collect() == "a"
        assert (stream.usage, stream.reasoning) == (USAGE["usage"], "hm")
        (told,) = stream.tool_calls
    assert (told.id, told.name, json.loads(told.arguments)) == ("c1", "f", {"a": 1})


def test_leaving_early_leaves_the_history_alone() -> None:
    async def leave() -> None:
        async with client.astream("hi") as stream:
            assert await anext(stream) == "a"
            await stream.close()
            assert [piece async for piece in stream] == []

    with service(lines(*text("a", "b"), USAGE)) as puter:
        client = puter.client()
        with client.chat("hi", stream=True) as stream:
            assert next(stream) == "a"
        assert list(stream) == []
        del stream
        next(client.chat("hi", stream=True))
        asyncio.run(leave())
        assert client.chat_history == []
        assert client.usage.requests == 4


def test_a_refusal_is_told_before_anything_is() -> None:
    with service(refused(b"400 Bad Request", "bad_request", "No.")) as puter:
        client = puter.client()
        with pytest.raises(PuterStatusError, match=r"No\."):
            client.chat("hi", stream=True)


def test_an_async_stream_is_sent_when_it_is_read() -> None:
    async def main() -> None:
        async with puter.client() as client:
            stream = client.astream("hi")
            assert puter.targets == []
            assert await stream.collect() == "hi"

    with service(echo) as puter:
        asyncio.run(main())


@pytest.mark.parametrize("head", [(NDJSON,), (b"content-type: application/json",), ()])
def test_a_service_that_knows_no_streams_is_understood(
    using: Using, head: tuple[bytes, ...]
) -> None:
    reply = Reply(json.dumps(said("all at once")).encode(), headers=head)
    with service(reply) as puter:
        client = puter.client()
        assert using(client).stream("hi") == ["all at once"]
        assert len(client.chat_history) == 2


def test_a_stream_outlives_the_clients_name() -> None:
    with service(lines(*text("a", "b"), USAGE)) as puter:
        stream = puter.client().chat("hi", stream=True)
        assert stream.collect() == "ab"


# Going on


def numbered(*told: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**one, "event": number} for number, one in enumerate(told, 1)]


NAMED = (NDJSON, b"x-chatloom-turn: t1")


def test_a_stream_goes_on_by_itself_where_the_service_keeps_its_answers(using: Using) -> None:
    whole = numbered(*text("a", "b", "c"), USAGE)
    cut = Reply(lines(*whole[:2]).body + b'{"type": "te', headers=NAMED)

    def rest(asked: Asked) -> Reply:
        assert asked.target == "/v1/turns/t1/events"
        assert asked.all("last-event-id") == ["2"]
        return lines(*whole[2:])

    with service(cut, rest) as puter:
        client = puter.client()
        assert using(client).stream("hi") == ["a", "b", "c"]
        assert client.usage.requests == 2  # the login, and one call


def test_calls_that_are_told_again_are_made_once() -> None:
    calls: list[dict[str, Any]] = [
        {"type": "tool_use", "id": f"c{n}", "name": "f", "input": {}} for n in (1, 2)
    ]
    told = [*numbered(*text("a")), *({**one, "event": 2} for one in calls), {**USAGE, "event": 3}]
    cut = Reply(lines(*told[:2]).body, headers=NAMED)
    with service(cut, lines(*told[1:])) as puter:
        stream = puter.client().chat("hi", stream=True)
        assert stream.collect() == "a"
        assert [one.id for one in stream.tool_calls] == ["c1", "c2"]
        assert puter.asked[2].all("last-event-id") == ["1"]


def test_a_token_is_behind_the_pieces_taken_so_far() -> None:
    with service(Reply(lines(*numbered(*text("a", "b"), USAGE)).body, headers=NAMED)) as puter:
        stream = puter.client().chat("hi", stream=True)
        told = [(piece, stream.resume_token) for piece in stream]
    assert told[-1] == ("b", "t1:3")
    assert told[0][1] in {"t1:1", "t1:2"}  # as the bytes arrive


def test_cancelling_stops_the_turn() -> None:
    with service(Reply(lines(*numbered(*text("a"))).body, headers=NAMED), {}) as puter:
        stream = puter.client().chat("hi", stream=True)
        next(stream)
        stream.cancel()
        assert puter.targets[-1] == "POST /v1/turns/t1/cancel"


def test_one_that_cannot_go_on_tells_where(using: Using) -> None:
    cut = Reply(lines(*numbered(*text("a"))).body, headers=(*NAMED, b"x-request-id: r1"))
    with service(cut) as puter, pytest.raises(PuterTruncatedError) as caught:
        using(puter.client(max_retries=0)).stream("hi")
    error = caught.value
    assert (error.text, error.resume_token, error.request_id) == ("a", "t1:1", "r1")


# Tools


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def wanting(*uses: dict[str, Any]) -> Reply:
    told = [{"type": "tool_use", "id": f"c{n}", **use} for n, use in enumerate(uses)]
    return lines(*text("Let me see. "), *told, USAGE)


def test_tools_are_called_amid_a_stream(using: Using) -> None:
    use = {"name": "add", "input": {"a": 2, "b": 3}}
    with service(wanting(use), lines(*text("It is 5."), USAGE)) as puter:
        client = puter.client(tools=[add])
        assert using(client).stream("2 + 3?") == ["Let me see. ", "It is 5."]
        assert [one["role"] for one in puter.bodies[1]["args"]["messages"]] == [
            *("user", "assistant", "tool")
        ]
        said = puter.bodies[1]["args"]["messages"]
    assert (said[1]["content"], said[2]["content"]) == ("Let me see. ", "5")
    assert [one["content"] for one in client.chat_history] == ["2 + 3?", "Let me see. It is 5."]


def test_a_stream_left_amid_its_tools_asks_no_more() -> None:
    opened: list[ChatStream] = []

    def leave(a: int) -> None:
        opened[0].close()

    with service(wanting({"name": "leave", "input": {"a": 2}})) as puter:
        client = puter.client()
        opened.append(client.chat("hi", stream=True, tools=[leave]))
        assert list(opened[0]) == ["Let me see. "]
        assert (len(puter.bodies), client.chat_history) == (1, [])


def test_a_stream_whose_tools_never_end_raises_and_never_looks_whole() -> None:
    with service(wanting({"name": "add", "input": {"a": 2, "b": 3}})) as puter:
        client = puter.client()
        stream = client.chat("hi", stream=True, tools=[add], max_tool_rounds=1)
        with pytest.raises(Exception, match="after 1 rounds of tools"):
            list(stream)
        with pytest.raises(Truncated):
            stream.collect()
        assert (len(puter.bodies), client.chat_history) == (2, [])


def test_a_stream_has_one_reader() -> None:
    async def main() -> None:
        async with puter.client() as client:
            stream = client.astream("hi")
            told = await asyncio.gather(anext(stream), anext(stream), return_exceptions=True)
            assert {type(one) for one in told} == {str, SettingsError}
            await stream.close()

    with service(echo) as puter:
        asyncio.run(main())


def test_a_plain_answer_that_calls_tools_is_followed_too(using: Using) -> None:
    plain = Reply(json.dumps(calling(("add", {"a": 1, "b": 1}))).encode(), headers=(NDJSON,))
    with service(plain, lines(*text("2"), USAGE)) as puter:
        assert using(puter.client(tools=[add])).stream("hi") == ["2"]


# However it arrives

LINES = st.lists(
    st.one_of(
        st.text(max_size=9).map(lambda words: {"type": "text", "text": words}),
        st.text(max_size=9).map(lambda words: {"type": "reasoning", "reasoning": words}),
        st.sampled_from([{"type": "new"}, {"type": 5}, {"type": "text"}, {"other": [1]}]),
    ),
    max_size=6,
)


@given(told=LINES, cuts=st.lists(st.integers(0, 400), max_size=6))
def test_it_does_not_matter_where_the_bytes_are_cut(
    told: list[dict[str, Any]], cuts: list[int]
) -> None:
    body = lines(*told, USAGE).body
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    reading, pieces = ChatReading(), list[str]()
    for begin, end in itertools.pairwise(edges):
        pieces += reading.feed(body[begin:end])
    assert reading.complete
    assert "".join(pieces) == reading.text == reading.whole()
    texts = [one.get("text", "") for one in told if one.get("type") == "text"]
    assert reading.text == "".join(texts)


@given(st.binary(max_size=60))
def test_whatever_arrives_is_read_without_a_mishap(data: bytes) -> None:
    reading = ChatReading()
    reading.feed(data)
    reading.feed(b"")
    assert isinstance(reading.text, str)
