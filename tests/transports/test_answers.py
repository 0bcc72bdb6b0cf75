"""What comes back."""

from __future__ import annotations

import gzip
import threading
import zlib

import pytest

from chatloom.core.errors import TransportError
from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from transports.modes import Can, Mode
from transports.scripted import CHUNKED, Peer, saying, serving

TEXT = b"one and another and one more " * 50


def answered(mode: Mode, get: Request, *blocks: bytes) -> Response:
    with serving(saying(*blocks)) as server:
        return mode.ask(server.url, get)


def test_an_answer_has_status_headers_and_body(mode: Mode, get: Request) -> None:
    response = answered(
        mode, get, b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-Name: Loom\r\n\r\nhi"
    )
    assert (response.status, response.body) == (201, b"hi")
    assert response.headers["x-name"] == "Loom"


def test_repeated_headers_are_joined(mode: Mode, get: Request) -> None:
    response = answered(
        mode, get, b"HTTP/1.1 200 OK\r\nX-Tag: a\r\nx-tag: b\r\ncontent-length: 0\r\n\r\n"
    )
    assert response.headers["x-tag"] == "a, b"


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_error_status_is_an_answer(mode: Mode, get: Request, status: int) -> None:
    response = answered(mode, get, b"HTTP/1.1 %d No\r\ncontent-length: 2\r\n\r\nno" % status)
    assert (response.status, response.body) == (status, b"no")


def test_a_redirect_is_an_answer(mode: Mode, get: Request) -> None:
    head = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
    response = answered(mode, get, head)
    assert (response.status, response.headers["location"]) == (302, "/elsewhere")


@pytest.mark.parametrize("status", [b"301 Moved", b"307 Temporary Redirect"])
def test_a_redirect_carries_nothing_elsewhere(mode: Mode, get: Request, status: bytes) -> None:
    def redirect(peer: Peer) -> None:
        peer.asked()
        peer.answer(b"", b"location: " + elsewhere.url.encode() + b"/v1/x", status=status)

    with serving(Peer.answer_all) as elsewhere, serving(redirect) as server:
        signed = get.with_header("authorization", "Bearer secret")
        assert mode.ask(server.url, signed).status == int(status[:3])
    assert not elsewhere.asked


def test_a_body_without_a_length_ends_with_the_connection(mode: Mode, get: Request) -> None:
    assert answered(mode, get, b"HTTP/1.1 200 OK\r\n\r\n", b"all", b" of it").body == b"all of it"


def test_chunks_are_put_together(mode: Mode, get: Request) -> None:
    response = answered(
        mode, get, CHUNKED, b"3\r\nabc\r\n", b"A;x=y\r\n0123", b"456789\r\n0\r\nx-late: 1\r\n\r\n"
    )
    assert response.body == b"abc0123456789"


def test_a_head_may_come_in_pieces(mode: Mode, get: Request) -> None:
    assert answered(mode, get, b"HTTP/1.1 20", b"0 OK\r\nconte", b"nt-length: 1\r\n\r", b"\n!").body


def test_a_head_before_the_head_is_skipped(mode: Mode, get: Request) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    response = answered(mode, get, early, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
    assert (response.status, response.body) == (200, b"hi")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_answers_have_no_body(mode: Mode, get: Request, status: bytes) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(b"HTTP/1.1 " + status + b"\r\ncontent-type: text/plain\r\n\r\n")
        peer.asked()
        peer.answer(b"next")

    with serving(talk) as server:
        assert mode.ask(server.url, get, get).body == b"next"


@pytest.mark.parametrize(
    "framing", [b"content-length: 5", b"transfer-encoding: chunked", b"content-encoding: gzip"]
)
def test_a_head_request_has_no_body(mode: Mode, get: Request, framing: bytes) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        peer.asked()
        peer.answer(b"next")

    with serving(talk, talk) as server:
        head = Request("HEAD", "/", streamed=get.streamed)
        assert mode.ask(server.url, head).body == b""


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        (b"gzip", gzip.compress(TEXT, mtime=0)),
        (b"GZIP", gzip.compress(TEXT[:500], mtime=0) + gzip.compress(TEXT[500:], mtime=0)),
        (b"deflate", zlib.compress(TEXT)),
        (b"deflate", zlib.compress(TEXT, wbits=-15)),
    ],
    ids=["gzip", "gzip in two members", "deflate", "raw deflate"],
)
def test_a_packed_body_is_unpacked(mode: Mode, get: Request, coding: bytes, packed: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %s\r\ncontent-length: %d\r\n\r\n"
    halves = packed[:20], packed[20:]
    assert answered(mode, get, head % (coding, len(packed)), *halves).body == TEXT


def test_an_empty_body_need_not_be_packed(mode: Mode, get: Request) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n\r\n"
    assert answered(mode, get, head).body == b""


@pytest.mark.parametrize("packed", [gzip.compress(TEXT, mtime=0)[:-9], b"not packed at all"])
def test_a_packed_body_that_cannot_be_unpacked_is_an_error(
    mode: Mode, get: Request, packed: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n"
    with pytest.raises(TransportError, match="gzip"):
        answered(mode, get, head % len(packed), packed)


def test_a_piece_is_handed_over_as_soon_as_it_comes(mode: Mode) -> None:
    """The server says the second piece only when the first one was seen."""
    packer = zlib.compressobj(wbits=31)

    def packed(text: bytes) -> bytes:
        piece = packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)
        return b"%x\r\n%s\r\n" % (len(piece), piece)

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED[:-2] + b"content-encoding: gzip\r\n\r\n", packed(b"first"))
        seen.wait(10)
        peer.say(packed(b"second"))
        last = packer.flush()
        peer.say(b"%x\r\n%s\r\n0\r\n\r\n" % (len(last), last))

    async def watch(outside: Outside) -> list[bytes]:
        response = await outside.send(Request("GET", "/", streamed=True))
        assert response.arriving is not None
        pieces = [await response.arriving.read()]
        seen.set()
        while piece := await response.arriving.read():
            pieces.append(piece)
        assert await response.arriving.read() == b""
        await response.arriving.close()
        return pieces

    seen = threading.Event()
    with serving(talk) as server:
        assert mode.use(mode.make(server.url), watch) == [b"first", b"second"]


@pytest.mark.needs(Can.READ_IN_BLOCKS)
def test_a_burst_of_chunks_is_read_in_few_pieces(mode: Mode) -> None:
    async def count(outside: Outside) -> int:
        response = await outside.send(Request("GET", "/", streamed=True))
        assert response.arriving is not None
        pieces = 0
        while await response.arriving.read():
            pieces += 1
        return pieces

    with serving(saying(CHUNKED + b"3\r\nabc\r\n" * 1000 + b"0\r\n\r\n")) as server:
        assert mode.use(mode.make(server.url), count) < 10
