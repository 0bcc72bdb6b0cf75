"""What the clients do with their connections, against the real server."""

from __future__ import annotations

import asyncio
import socket

import pytest

from chatserver_sdk import AsyncChatServerClient, ChatServerClient
from support.live import Live


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every connection that is opened while the test runs."""
    connections: list[object] = []
    connect = socket.socket.connect

    def counted(self: socket.socket, address: tuple[str, int]) -> None:
        connections.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", counted)
    return connections


def test_streams_and_plain_calls_share_one_connection(live: Live, opened: list[object]) -> None:
    with ChatServerClient("connections", live.url.replace("localhost", "127.0.0.1")) as client:
        for _ in range(5):
            client.create_completion("loom/echo", ["hi"])
            assert client.create_completion("loom/echo", ["hi"], stream=True).collect() == "hi"
    assert len(opened) == 1


def test_a_stream_left_early_takes_nothing_with_it(live: Live) -> None:
    async def main() -> None:
        async with AsyncChatServerClient("connections", live.url) as client:
            for _ in range(20):
                async for _ in client.create_completion("loom/scribe", ["hi"], stream=True):
                    break
            answer = await client.create_completion("loom/echo", ["still here"])
            assert answer.choices[0].message.content == "still here"

    asyncio.run(main())
