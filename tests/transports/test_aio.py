"""What only our own connections in an event loop have to see to."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
from collections.abc import AsyncIterator

import pytest

from chatloom.core.errors import TransportError
from chatloom.core.http import Arriving, Request, Timeouts
from chatloom.core.outside import Outside
from chatloom.transports.aio import AioTransport
from chatloom.transports.aio import sessions as pools
from transports.authorities import Authority
from transports.scripted import CHUNKED, Peer, serving

GET = Request("GET", "/", timeouts=Timeouts(5, 5))
POST = Request("POST", "/", timeouts=Timeouts(5, 5))


def use(url: str, *requests: Request) -> bytes:
    async def ask() -> bytes:
        outside = AioTransport(url, environment={})
        try:
            return b" ".join([(await outside.send(request)).body for request in requests])
        finally:
            await outside.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("dead", ["192.0.2.1", "127.0.0.2"], ids=["silent", "refusing"])
def test_another_address_is_tried_where_the_first_does_not_answer(
    dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both(_: object, port: int, *_more: object) -> list[object]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (dead, port)), (*kind, ("127.0.0.1", port))]

    with serving(Peer.echo_all) as server:
        monkeypatch.setattr(socket, "getaddrinfo", both)
        begun = time.monotonic()
        assert use(f"http://two.example:{server.port}", GET) == b"/"
    assert time.monotonic() - begun < 4


def test_a_slow_reader_makes_the_server_wait() -> None:
    told = threading.Event()
    block = b"10000\r\n" + bytes(65536) + b"\r\n"
    sent = 0

    def talk(peer: Peer) -> None:
        nonlocal sent
        peer.asked()
        peer.say(CHUNKED)
        for _ in range(1000):
            peer.say(block)
            sent += 1
        peer.say(b"0\r\n\r\n")
        told.set()

    async def read_late(outside: Outside) -> int:
        response = await outside.send(Request("GET", "/", streamed=True))
        await asyncio.sleep(0.5)
        assert not told.is_set()
        assert sent < 500
        return len(await response.read())

    with serving(talk) as server:
        assert asyncio.run(read_late(AioTransport(server.url, environment={}))) == 65_536_000


def test_a_connection_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "LONGEST_WAIT", 0)
    with serving(Peer.echo_all) as server:
        assert use(server.url, GET, GET) == b"/ /"
    assert server.connections == 2


@pytest.mark.parametrize(
    "surprise", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"], ids=["end", "answer"]
)
def test_what_came_while_the_loop_was_busy_is_noticed(surprise: bytes) -> None:
    """The loop has not read it when the next request takes the connection."""
    came = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.answer()
        time.sleep(0.1)
        peer.say(surprise)
        peer.close()
        came.set()

    async def ask_twice() -> bytes:
        outside = AioTransport(server.url, environment={})
        await outside.send(POST)
        came.wait(10)
        return (await outside.send(POST)).body

    with serving(talk, Peer.echo_all) as server:
        assert asyncio.run(ask_twice()) == b"/"
    assert len(server.asked) == 2


def test_a_body_closed_by_another_task_does_not_seem_whole() -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.hold()

    async def close_early(outside: Outside) -> None:
        arriving = (await outside.send(Request("GET", "/", streamed=True))).arriving
        assert arriving is not None
        asyncio.get_running_loop().call_later(0.1, arriving.abandon)
        with pytest.raises(TransportError, match="closed"):
            await arriving.read()

    with serving(talk) as server:
        asyncio.run(close_early(AioTransport(server.url, environment={})))


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
def test_a_connection_that_still_owes_its_request_is_not_used(
    is_secure: bool, authority: Authority
) -> None:
    over = threading.Event()

    def refuse(peer: Peer) -> None:
        peer.say(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        over.wait(10)

    async def ask_twice() -> bytes:
        outside = AioTransport(server.url, environment={}, ssl_context=authority.client())
        long = Request("POST", "/", body=bytes(2**24), timeouts=GET.timeouts)
        assert (await outside.send(long)).status == 413
        body = (await outside.send(GET)).body
        await outside.close()
        return body

    context = authority.server() if is_secure else None
    with serving(refuse, Peer.echo_all, context=context) as server:
        try:
            assert asyncio.run(ask_twice()) == b"/"
        finally:
            over.set()


def test_a_tightly_packed_body_is_unpacked_piece_by_piece() -> None:
    packed = gzip.compress(bytes(2**28))
    assert len(packed) > 200_000

    def talk(peer: Peer) -> None:
        peer.asked()
        head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n"
        peer.say(head % len(packed) + packed)

    async def sizes(outside: Outside) -> list[int]:
        response = await outside.send(Request("GET", "/", streamed=True, timeouts=GET.timeouts))
        await asyncio.sleep(0.2)  # all of it is there
        assert response.arriving is not None
        return [len(piece) async for piece in _pieces(response.arriving)]

    with serving(talk) as server:
        found = asyncio.run(sizes(AioTransport(server.url, environment={})))
    assert sum(found) == 2**28
    assert max(found) < 2**27


async def _pieces(arriving: Arriving) -> AsyncIterator[bytes]:
    while piece := await arriving.read():
        yield piece


def test_of_idle_connections_the_youngest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MOST_IDLE", 2)
    made: list[int] = []

    def talk(peer: Peer) -> None:
        made.append(1)
        while peer.asked():
            time.sleep(0.05)
            peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async def ask(outside: Outside) -> None:
        for _ in range(2):
            await asyncio.gather(*[outside.send(GET) for _ in range(5)])
        await outside.close()

    with serving(*[talk] * 8) as server:
        asyncio.run(ask(AioTransport(server.url, environment={})))
    assert len(made) == 5 + 3
