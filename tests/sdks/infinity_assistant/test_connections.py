"""Streams of both clients, over connections that are held, lost, or told all at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from infinity_assistant import (
    AsyncInfinityAssistantClient,
    InfinityAssistantClient,
    InfinityAssistantStreamTruncatedError,
)
from sdks.infinity_assistant.telling import (
    DONE,
    END,
    ONCE,
    PLAIN,
    UPON,
    text,
)
from transports.scripted import Peer, serving

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


def use(client: InfinityAssistantClient | AsyncInfinityAssistantClient) -> list[Any]:
    """The pieces of an answer, whichever the client."""

    async def awaited(client: AsyncInfinityAssistantClient) -> list[Any]:
        async with client:
            return [piece async for piece in client.chat_stream(message="hi")]

    if isinstance(client, AsyncInfinityAssistantClient):
        return asyncio.run(awaited(client))
    with client:
        return list(client.chat_stream(message="hi"))


CLIENTS = pytest.mark.parametrize("client", [InfinityAssistantClient, AsyncInfinityAssistantClient])
Client = type[InfinityAssistantClient | AsyncInfinityAssistantClient]


@CLIENTS
def test_a_connection_that_stays_open_behind_the_end_is_not_waited_for(client: Client) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(HEAD, ONCE, UPON, END)
        peer.hold()

    with serving(talk) as server:
        assert use(client("key", server.url, timeout=20)) == [text("once "), text("upon"), DONE]


@CLIENTS
def test_a_plain_answer_over_a_connection_is_one_text(client: Client) -> None:
    with serving(lambda peer: peer.answer_all(json.dumps(PLAIN).encode())) as server:
        pieces = use(client("key", server.url))
    assert [piece["type"] for piece in pieces] == ["metadata", "text", "done"]


@CLIENTS
def test_a_connection_lost_amid_an_answer_is_no_end(client: Client) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(HEAD, ONCE)

    with serving(talk) as server, pytest.raises(InfinityAssistantStreamTruncatedError) as caught:
        use(client("key", server.url))
    assert (caught.value.text, len(server.asked)) == ("once ", 1)
