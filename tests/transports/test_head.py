"""Heads of answers: read alike however they arrive, and as the standard library reads them."""

from __future__ import annotations

import io
import socket
from contextlib import suppress
from http.client import HTTPResponse
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.errors import TransportError
from chatloom.core.http import Request, Timeouts
from chatloom.core.inline import run_inline
from chatloom.transports.blocking import BlockingTransport
from chatloom.transports.blocking.connection import Connection
from chatloom.transports.failures import Garbled
from chatloom.transports.framing import Chunked, Sized, UntilClosed
from chatloom.transports.head import MOST_LINES, Head, head_of
from chatloom.transports.headers import joined
from transports.authorities import Authority
from transports.modes import Mode
from transports.scripted import Peer, serving

_TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MEANT = {"connection", "keep-alive", "proxy-connection", "content-length", "transfer-encoding"}

names = st.text(_TOKEN, min_size=1).filter(lambda name: name.lower() not in _MEANT)
values = st.text([chr(at) for at in (9, *range(32, 127), *range(160, 256))])
others = st.lists(st.tuples(names, values), max_size=8)
lengths = st.sampled_from(
    [(), ("Content-Length: 0",), ("content-length:17",), ("Transfer-Encoding: Chunked",)]
)
options = st.sampled_from(
    [(), ("Connection: close",), ("connection: Keep-Alive",), ("Connection: x, CLOSE ",)]
)
starts = st.builds(
    "HTTP/1.{} {}{}".format,
    st.sampled_from([0, 1]),
    st.integers(200, 599),
    st.sampled_from(["", " ", " OK", " Not quite: right", " \xe4h"]),
)


def written(
    start: str, others: list[tuple[str, str]], length: tuple[str, ...], option: tuple[str, ...]
) -> bytes:
    lines = (start, *(f"{name}:{value}" for name, value in others), *length, *option, "")
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")


def changed(block: bytes, at: int, byte: bytes) -> bytes:
    return block[:at] + byte + block[at + 1 :]


heads = st.builds(written, starts, others, lengths, options)
ill_heads = st.builds(changed, heads, st.integers(0, 200), st.binary(max_size=2))


def head(*lines: bytes, method: str = "GET") -> Head:
    return head_of(b"\r\n".join([*lines, b"", b""]), method)


@given(heads, st.sampled_from(["GET", "POST", "HEAD"]))
def test_a_head_is_read_as_the_standard_library_reads_it(block: bytes, method: str) -> None:
    known = HTTPResponse(cast("socket.socket", _Said(block)), method=method)
    known.begin()
    read = head_of(block, method)
    said = ((name, value.strip(" \t")) for name, value in known.headers.items())
    assert (read.status, read.headers) == (known.status, joined(said))
    is_suspect = known.version == 10 and isinstance(read.framing, Chunked)
    assert read.is_last == (known.will_close or is_suspect)
    assert isinstance(read.framing, UntilClosed) == (known.length is None and not known.chunked)
    assert read.framing.whole == (known.length == 0)


class _Said:
    """What `HTTPResponse` wants of a socket."""

    def __init__(self, block: bytes) -> None:
        self._block = block

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._block)


class _Cut:
    """A socket whose bytes arrive in the given pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def fileno(self) -> int:
        return 0

    def gettimeout(self) -> None:
        return None

    def recv(self, _size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def close(self) -> None:
        """Nothing to do."""


def connected(*pieces: bytes) -> Connection:
    """A connection that brings *pieces*, one each time it is read."""
    return Connection(cast("socket.socket", _Cut([piece for piece in pieces if piece])))


@given(heads, st.data())
def test_a_head_may_be_cut_anywhere(block: bytes, data: st.DataObject) -> None:
    wire = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + block + b"body"
    cuts = sorted(data.draw(st.sets(st.integers(0, len(wire)))))
    ends = zip([0, *cuts], [*cuts, len(wire)], strict=True)
    connection = connected(*(wire[begin:end] for begin, end in ends))
    read, whole = connection.head("GET"), head_of(block, "GET")
    assert (read.status, read.headers) == (whole.status, whole.headers)
    assert b"".join(iter(connection.receive, b"")) == b"body"


@given(st.binary() | ill_heads)
def test_no_bytes_are_worse_than_garbled(block: bytes) -> None:
    with suppress(Garbled, ConnectionResetError):
        connected(block).head("GET")


OK = b"HTTP/1.1 200 OK"
CHUNKED = b"transfer-encoding: chunked"


@pytest.mark.parametrize(
    "lines",
    [
        (b"",),
        (b"HTTP/2 200 OK",),
        (b"HTTP/1.1 20 OK",),
        (b"HTTP/1.1 2000 OK",),
        (b"HTTP/1.1 099 No",),
        (b"HTTP/1.1 2\xb20 OK",),
        (b"HTTP/1.1  200 OK",),
        (b"HTTP/1.12 200 OK",),
        (b"http/1.1 200 OK",),
        (b" HTTP/1.1 200 OK",),
        (b"HTTP/1.1 200 O\rK",),
        (OK, b"x-a: 1", b" folded: 2"),
        (OK, b"\tx-a: 1"),
        (OK, b"x-a : 1"),
        (OK, b"x a: 1"),
        (OK, b"x-\xe4: 1"),
        (OK, b": 1"),
        (OK, b"x-a"),
        (OK, b"x-a: 1\rx-b: 2"),
        (OK, b"x-a: 1\nx-b: 2"),
        (OK, b"x-a: 1\0"),
        (OK, b"x-a: \x1b[2J"),
        (OK, b"content-length: 1", b"content-length: 2"),
        (OK, b"content-length: 1, 2"),
        (OK, b"content-length: 1, 01"),
        (OK, b"content-length:"),
        (OK, b"content-length: ,"),
        (OK, b"content-length: -1"),
        (OK, b"content-length: +1"),
        (OK, b"content-length: 1_0"),
        (OK, b"content-length: 0x1"),
        (OK, b"content-length: \xb2"),
        (OK, b"content-length: " + b"9" * 5000),
        (OK, CHUNKED, b"content-length: 5"),
        (OK, CHUNKED, CHUNKED),
        (OK, b"transfer-encoding: gzip, chunked"),
        (OK, b"transfer-encoding: chunked, identity"),
        (OK, b"transfer-encoding: identity"),
        (OK, b"transfer-encoding: \x0bchunked"),
        (OK, b"transfer-encoding:"),
        (OK, *[b"x: y"] * (MOST_LINES + 1)),
    ],
)
def test_a_head_that_could_be_read_in_two_ways_is_an_error(lines: tuple[bytes, ...]) -> None:
    with pytest.raises(Garbled, match="is not HTTP"):
        head(*lines)


@pytest.mark.parametrize(
    ("lines", "headers"),
    [
        ((b"HTTP/1.1 200",), {}),
        ((b"HTTP/1.1 200 ",), {}),
        ((b"HTTP/1.9 200 OK",), {}),
        ((OK, b"x-a:"), {"x-a": ""}),
        ((OK, b"x-a: \t b \t"), {"x-a": "b"}),
        ((OK, b"x-a: b\tc"), {"x-a": "b\tc"}),
        ((OK, b"x-a: \xe4\xa0"), {"x-a": "\xe4\xa0"}),
        ((OK, b"x-a: b:c"), {"x-a": "b:c"}),
        ((OK, b"X-A: b", b"x-a: c"), {"x-a": "b, c"}),
        ((OK, *[b"x: y"] * MOST_LINES), {"x": ", ".join("y" * MOST_LINES)}),
    ],
)
def test_a_head_may_be_sloppy_where_that_misleads_nobody(
    lines: tuple[bytes, ...], headers: dict[str, str]
) -> None:
    assert (head(*lines).status, head(*lines).headers) == (200, headers)


@pytest.mark.parametrize(
    ("lines", "method", "kind"),
    [
        ((OK, b"content-length: 5"), "GET", Sized),
        ((OK, b"content-length: 5, 5"), "GET", Sized),
        ((OK, b"content-length: 5", b"Content-Length: 5"), "GET", Sized),
        ((OK, CHUNKED), "GET", Chunked),
        ((OK, b"Transfer-Encoding: CHUNKED "), "GET", Chunked),
        ((OK,), "GET", UntilClosed),
        ((b"HTTP/1.1 407 No", b"content-length: 5"), "CONNECT", Sized),
    ],
)
def test_a_head_says_where_its_body_ends(lines: tuple[bytes, ...], method: str, kind: type) -> None:
    framing = head(*lines, method=method).framing
    assert (type(framing), framing.whole) == (kind, False)


@pytest.mark.parametrize("framing", [(), (CHUNKED,), (b"content-length: 5",)])
@pytest.mark.parametrize(
    ("status", "method"),
    [(200, "HEAD"), (204, "GET"), (304, "GET"), (100, "GET"), (200, "CONNECT")],
)
def test_some_heads_have_no_body_whatever_they_say(
    status: int, method: str, framing: tuple[bytes, ...]
) -> None:
    assert head(b"HTTP/1.1 %d X" % status, *framing, method=method).framing.whole


@pytest.mark.parametrize(
    ("version", "lines", "is_last"),
    [
        (b"1.1", (), False),
        (b"1.1", (b"connection: keep-alive",), False),
        (b"1.1", (b"connection: close",), True),
        (b"1.1", (b"connection: Upgrade,Close",), True),
        (b"1.1", (b"connection: keep-alive", b"connection: close"), True),
        (b"1.1", (b"connection: close-not",), False),
        (b"1.0", (), True),
        (b"1.0", (b"connection: Keep-Alive",), False),
        (b"1.0", (b"connection: keep-alive, close",), True),
        (b"1.0", (b"connection: x",), True),
    ],
)
def test_a_head_says_whether_its_connection_lives_on(
    version: bytes, lines: tuple[bytes, ...], is_last: bool
) -> None:
    start = b"HTTP/" + version + b" 200 OK"
    assert head(start, b"content-length: 5", *lines).is_last == is_last


def test_a_body_that_ends_with_its_connection_leaves_none() -> None:
    assert head(OK, b"connection: keep-alive").is_last


def test_an_old_answer_in_chunks_is_not_trusted_further() -> None:
    assert head(b"HTTP/1.0 200 OK", CHUNKED, b"connection: keep-alive").is_last


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000,
    ],
    ids=["another protocol", "promises", "no end"],
)
def test_a_head_that_leads_nowhere_is_an_error(wire: bytes) -> None:
    with pytest.raises(Garbled):
        connected(*(wire[at : at + 9000] for at in range(0, len(wire), 9000))).head("GET")


def test_a_proxy_cannot_answer_in_the_servers_name(mode: Mode, authority: Authority) -> None:
    """What it says behind its consent would be read before the first encrypted byte."""

    def forge(peer: Peer) -> None:
        peer.asked()
        forged = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
        peer.say(b"HTTP/1.1 200 Connection established\r\n\r\n" + forged)
        peer.relay(server.port)

    with serving(Peer.answer_all, context=authority.server()) as server, serving(forge) as proxy:
        environment = {"https_proxy": f"http://127.0.0.1:{proxy.port}"}
        outside = mode.make(server.url, environment, authority.client())
        try:
            assert mode.ask(outside, Request("GET", "/")).body == b""
        except TransportError:
            assert not server.asked


def test_a_head_of_bare_line_feeds_is_refused_and_not_waited_for() -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(b"HTTP/1.1 200 OK\ncontent-length: 2\n\nhi")
        peer.hold()

    limits = Timeouts(5, 5)
    with serving(talk) as server, pytest.raises(TransportError, match="head does not end"):
        run_inline(BlockingTransport(server.url).send(Request("GET", "/", timeouts=limits)))
