"""No answer takes more of time, bytes or patience than was asked for."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress

import pytest

from chatloom.server.egress import (
    EgressError,
    EgressFailed,
    EgressTimedOut,
    EgressTooLarge,
    FetchLimits,
)
from chatloom.server.egress.failures import Reason
from server.egress.outskirts import BRIEF, SHORT, world
from transports.scripted import CHUNKED, Peer, Talk, saying, serving

pytestmark = pytest.mark.anyio

URL = "http://a.example.com/"
SMALL = FetchLimits(body_bytes=100_000)


async def failure(*talks: Talk, limits: FetchLimits | None = None) -> EgressError:
    """What becomes of a fetch; its connection is closed in any case."""
    with serving(*talks) as server:
        beyond = world(server.port)
        with pytest.raises(EgressError) as raised:
            await beyond.guard().get(URL, limits=limits)
        assert beyond.is_closed
    return raised.value


def dripping(*begun: bytes, drop: bytes) -> Talk:
    """Say something small for ever, each time before anybody thinks of silence."""

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(*begun)
        while True:
            peer.say(drop)
            with suppress(TimeoutError):
                peer.hold(0.02)

    return talk


def silent(*begun: bytes) -> Talk:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(*begun)
        peer.hold()

    return talk


def endless(*begun: bytes, piece: bytes) -> Talk:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(*begun)
        while True:
            peer.say(piece)

    return talk


@pytest.mark.parametrize(
    "begun", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", CHUNKED]
)
async def test_silence_ends_it(begun: bytes) -> None:
    error = await failure(silent(begun), limits=BRIEF)
    assert isinstance(error, EgressTimedOut)
    assert (error.reason, isinstance(error, TimeoutError)) == ("silent", True)


@pytest.mark.parametrize(
    ("begun", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nx: ", b"x"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (CHUNKED, b"1;"),
        (CHUNKED + b"0\r\n", b"trailer: x\r\n"),
    ],
)
async def test_talking_slowly_ends_with_the_time_there_is(begun: bytes, drop: bytes) -> None:
    error = await failure(dripping(begun, drop=drop), limits=SHORT)
    # Thirty-two promises of an answer may be made before the time is up.
    assert error.reason == "total" or (b"103" in drop and error.reason == "garbled")


async def test_redirects_share_the_time() -> None:
    def late(peer: Peer) -> None:
        peer.asked()
        peer.hold(0.1)
        peer.answer(b"", b"location: /on", status=b"302 Found")

    error = await failure(late, limits=FetchLimits(total=0.3, redirects=100))
    assert error.reason == "total"


@pytest.mark.parametrize(
    ("begun", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n", b"x" * 65536),
        (CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        (CHUNKED, b"1;" + b"x" * 60000 + b"\r\nx\r\n"),
        (CHUNKED + b"0\r\n", b"trailer: x\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", gzip.compress(b"") * 1000),
    ],
)
async def test_an_endless_body_ends_where_the_room_does(begun: bytes, piece: bytes) -> None:
    error = await failure(endless(begun, piece=piece), limits=SMALL)
    assert isinstance(error, EgressTooLarge)


async def test_what_is_announced_too_large_is_not_waited_for() -> None:
    error = await failure(
        silent(b"HTTP/1.1 200 OK\r\ncontent-length: 100001\r\n\r\n"), limits=SMALL
    )
    assert isinstance(error, EgressTooLarge)


def packed(size: int, coding: str) -> bytes:
    zeros = bytes(size)
    return gzip.compress(zeros) if coding == "gzip" else zlib.compress(zeros)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
@pytest.mark.parametrize("size", [100_000, 100_001, 50_000_000])
async def test_a_body_is_measured_unpacked(coding: str, size: int) -> None:
    body = packed(size, coding.removeprefix("x-"))
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %s\r\ncontent-length: %d\r\n\r\n"
    talk = saying(head % (coding.encode(), len(body)), body)
    if size > SMALL.body_bytes:
        assert isinstance(await failure(talk, limits=SMALL), EgressTooLarge)
        return
    with serving(talk) as server:
        fetched = await world(server.port).guard().get(URL, limits=SMALL)
    assert len(fetched.body) == size


async def test_a_bomb_is_never_unpacked_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    undo = zlib.decompressobj

    class Watched:
        def __init__(self, window: int) -> None:
            self._undo = undo(window)

        def decompress(self, block: bytes) -> bytes:
            nonlocal largest
            piece = self._undo.decompress(block)
            largest = max(largest, len(piece))
            return piece

        @property
        def eof(self) -> bool:
            return self._undo.eof

        @property
        def unused_data(self) -> bytes:
            return self._undo.unused_data

    body = packed(200_000_000, "gzip")
    monkeypatch.setattr(zlib, "decompressobj", Watched)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body)
    error = await failure(saying(head, body), limits=FetchLimits())
    assert isinstance(error, EgressTooLarge)
    assert 0 < largest < 5_000_000


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nx: " + b"x" * 300_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: x\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n",
        b"220 smtp.example.com ESMTP\r\n\r\n",
        b"-ERR unknown command\r\n\r\n",
        CHUNKED + b"zz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope",
    ],
    ids=range(11),
)
async def test_what_is_not_http_is_no_answer(said: bytes) -> None:
    error = await failure(saying(said), limits=FetchLimits(redirects=0))
    assert isinstance(error, EgressFailed)
    assert error.reason == "garbled"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "lost"),
        (b"HTTP/1.1 200 OK\r\n", "lost"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", "lost"),
        (CHUNKED + b"5\r\nhello\r\n", "lost"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\n\r\nx", "encoding"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip, gzip\r\n\r\nx", "encoding"),
    ],
)  # fmt: skip
async def test_half_an_answer_is_none(said: bytes, reason: Reason) -> None:
    assert reason == (await failure(saying(said))).reason


async def test_a_stream_is_read_as_far_as_wanted() -> None:
    with serving(endless(CHUNKED, piece=b"5\r\nhello\r\n")) as server:
        beyond = world(server.port)
        async with beyond.guard().stream("GET", URL, limits=SMALL) as answer:
            assert (answer.status, answer.url) == (200, URL)
            assert await answer.read_at_most(7) == b"hellohe"
        assert beyond.is_closed
        async with beyond.guard().stream("GET", URL, limits=SMALL) as answer:
            assert len(await answer.read_at_most(999_999_999)) == 100_000
        async with beyond.guard().stream("GET", URL, limits=SMALL) as answer:
            begun = await answer.read_at_most(60_000)
            with pytest.raises(EgressTooLarge):
                await answer.read()
            assert len(begun) == 60_000
    assert beyond.is_closed


async def test_the_beginning_of_a_bomb_can_be_had() -> None:
    body = packed(50_000_000, "gzip")
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n"
    with serving(saying(head, body)) as server:
        async with world(server.port).guard().stream("GET", URL, limits=SMALL) as answer:
            assert await answer.read_at_most(100_000) == bytes(100_000)
