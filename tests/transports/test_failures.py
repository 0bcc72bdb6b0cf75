"""What goes wrong, and how it is told."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from chatloom.core.errors import ConnectError, ConnectTimedOut, TimedOut, TransportError
from chatloom.core.http import Request, Timeouts
from chatloom.core.outside import Outside
from transports.modes import Can, Mode
from transports.scripted import CHUNKED, Peer, Talk, free_port, saying, serving

SECRET = ("authorization", "Bearer secret")
GET = Request("GET", "/v1/x")
POST = Request("POST", "/v1/x", headers=(SECRET,), body=b"{}")


@contextmanager
def failing(kind: type[TransportError], *words: str) -> Generator[None]:
    """Expect an error of just this kind, that names the request, says *words*, tells no secret."""
    with pytest.raises(kind) as caught:
        yield
    told = str(caught.value)
    assert type(caught.value) is kind
    assert told.startswith(("GET /v1/x ", "POST /v1/x "))
    assert "secret" not in told
    for word in words:
        assert word in told


def test_a_refused_connection_says_how_to_start_a_server(mode: Mode) -> None:
    port = free_port()
    with failing(ConnectError, f"127.0.0.1:{port}", "refused", "chatloom serve --dev"):
        mode.ask(f"http://127.0.0.1:{port}", POST)


def test_a_name_that_does_not_exist_cannot_be_reached(mode: Mode) -> None:
    with failing(ConnectError, "nowhere.invalid:80", "cannot be resolved"):
        mode.ask("http://nowhere.invalid", POST)


def test_a_server_that_hangs_up_unasked_lost_the_request(mode: Mode) -> None:
    with serving(saying()) as server, failing(TransportError, "without an answer"):
        mode.ask(server.url, POST)


def test_a_reset_lost_the_request(mode: Mode) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.reset()

    with serving(talk) as server, failing(TransportError):
        mode.ask(server.url, POST)


@pytest.mark.parametrize(
    "blocks",
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",),
        (CHUNKED, b"5\r\nwhole\r\n"),
        (CHUNKED, b"5\r\nsho"),
        (CHUNKED, b"5\r\nwhole\r\n0\r\n"),
    ],
    ids=["sized", "sized, nothing", "chunked", "within a chunk", "without the last line"],
)
def test_a_short_body_is_an_error(mode: Mode, get: Request, blocks: tuple[bytes, ...]) -> None:
    with serving(saying(*blocks)) as server, failing(TransportError, "closed"):
        mode.ask(server.url, get)


def test_a_body_that_is_reset_is_an_error(mode: Mode, get: Request) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort")
        peer.reset()

    with serving(talk) as server, failing(TransportError):
        mode.ask(server.url, get)


@pytest.mark.parametrize(
    "block",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 1",
        b"220 mail.example ESMTP\r\n\r\n",
        b"HTTP/1.1 yes OK\r\n\r\n",
        CHUNKED + b"five\r\nwhole\r\n0\r\n\r\n",
        CHUNKED + b"-5\r\nwhole\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nwhole and more\r\n0\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_http_is_an_error(mode: Mode, get: Request, block: bytes) -> None:
    with serving(saying(block)) as server, failing(TransportError):
        mode.ask(server.url, get)


def test_an_error_ends_the_stream_for_good(mode: Mode) -> None:
    async def read_on(outside: Outside) -> None:
        response = await outside.send(Request("GET", "/v1/x", streamed=True))
        assert response.arriving is not None
        while await response.arriving.read() != b"whole":
            pass
        for _ in range(2):
            with pytest.raises(TransportError):
                await response.arriving.read()
        await response.arriving.close()

    with serving(saying(CHUNKED, b"5\r\nwhole\r\n")) as server:
        mode.use(mode.make(server.url), read_on)


def waiting(get: Request, **seconds: float) -> Request:
    deadline = seconds.pop("deadline", None)
    return Request(
        "GET",
        "/v1/x",
        headers=(SECRET,),
        streamed=get.streamed,
        timeouts=Timeouts(**seconds),
        deadline=None if deadline is None else time.monotonic() + deadline,
    )


def hold(peer: Peer) -> None:
    peer.asked()
    peer.hold()


def hold_the_body(peer: Peer) -> None:
    peer.asked()
    peer.say(CHUNKED, b"2\r\nhi\r\n")
    peer.hold()


def drip(peer: Peer) -> None:
    peer.asked()
    peer.say(CHUNKED)
    while True:
        time.sleep(0.02)
        peer.say(b"1\r\n.\r\n")


def drip_within_a_chunk(peer: Peer) -> None:
    """Never finish the line in front of the first chunk."""
    peer.asked()
    peer.say(CHUNKED, b"5;x=")
    while True:
        time.sleep(0.02)
        peer.say(b".")


def hold_the_open_end(peer: Peer) -> None:
    """Begin a body that ends with the connection."""
    peer.asked()
    peer.say(b"HTTP/1.1 200 OK\r\n\r\nhi")
    peer.hold()


def drip_the_head(peer: Peer) -> None:
    peer.asked()
    peer.say(b"HTTP/1.1 200 OK\r\nx-long: ")
    while True:
        time.sleep(0.02)
        peer.say(b".")


@pytest.mark.parametrize("talk", [hold, hold_the_body])
def test_a_long_silence_times_out(mode: Mode, get: Request, talk: Talk) -> None:
    with serving(talk) as server, failing(TimedOut, "nothing arrived for 0.1 s"):
        mode.ask(server.url, waiting(get, idle=0.1))


def garble(peer: Peer) -> None:
    """Say a head, and then chunks that are none."""
    peer.asked()
    peer.say(CHUNKED)
    time.sleep(0.1)
    peer.say(b"zz\r\nhello")
    peer.hold()


def say_only_continue(peer: Peer) -> None:
    """Promise an answer, and give none."""
    peer.asked()
    peer.say(b"HTTP/1.1 100 Continue\r\n\r\n")
    peer.hold()


@pytest.mark.parametrize("talk", [garble, say_only_continue])
def test_what_stops_a_parser_does_not_stop_the_clock(mode: Mode, get: Request, talk: Talk) -> None:
    with serving(talk) as server, pytest.raises(TransportError):
        mode.ask(server.url, waiting(get, connect=0.1, idle=0.1))


def test_a_slow_answer_is_not_silent(mode: Mode) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED)
        for _ in range(6):
            time.sleep(0.1)
            peer.say(b"1\r\n.\r\n")
        peer.say(b"0\r\n\r\n")

    with serving(talk) as server:
        assert mode.ask(server.url, waiting(GET, idle=0.5)).body == b"......"


@pytest.mark.parametrize(
    "talk", [hold, hold_the_body, hold_the_open_end, drip, drip_within_a_chunk]
)
def test_a_deadline_ends_the_wait(mode: Mode, get: Request, talk: Talk) -> None:
    with serving(talk) as server, failing(TimedOut, "deadline"):
        mode.ask(server.url, waiting(get, deadline=0.1))


@pytest.mark.needs(Can.TIME_A_DRIPPING_HEAD)
def test_a_dripping_head_does_not_outlast_the_deadline(mode: Mode, get: Request) -> None:
    with serving(drip_the_head) as server, failing(TimedOut, "deadline"):
        mode.ask(server.url, waiting(get, deadline=0.1))


def test_a_deadline_in_the_past_sends_nothing(mode: Mode, get: Request) -> None:
    with serving(Peer.answer_all) as server, failing(TimedOut, "deadline"):
        mode.ask(server.url, waiting(get, deadline=-1))
    assert not server.asked


def test_an_answer_in_time_is_an_answer(mode: Mode, get: Request) -> None:
    with serving(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")) as server:
        assert mode.ask(server.url, waiting(get, connect=20, idle=20, deadline=20)).body == b"hi"


def test_a_server_may_take_its_time_for_ever(mode: Mode) -> None:
    patient = Request("GET", "/", timeouts=Timeouts(connect=None, idle=None))
    with serving(Peer.answer_all) as server:
        assert mode.ask(server.url, patient).status == 200


def test_a_handshake_counts_as_connecting(mode: Mode, get: Request) -> None:
    with serving(Peer.hold) as server:
        place = f"127.0.0.1:{server.port}"
        with failing(ConnectTimedOut, f"no connection to {place} within 0.1 s"):
            mode.ask(f"https://{place}", waiting(get, connect=0.1))
