"""Streams that have said all they had to say before their body ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from chatloom.core.http import Request, Timeouts
from chatloom.core.outside import Outside
from transports.authorities import Authority
from transports.modes import Mode
from transports.scripted import CHUNKED, Peer, serving

LIMITS = Timeouts(5, 5)
STREAM = Request("POST", "/", body=b"{}", streamed=True, timeouts=LIMITS)
GET = Request("GET", "/", timeouts=LIMITS)
END = b"0\r\n\r\n"
MORE = b"4\r\nmore\r\n"


def finished(*after: bytes | float) -> tuple[Callable[[Peer], None], threading.Event]:
    """A server that says its last word, then *after*; and what is set once it has."""
    done = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED, b"4\r\ndone\r\n")
        try:
            for step in after:
                if isinstance(step, bytes):
                    peer.say(step)
                else:
                    time.sleep(step)
        finally:
            done.set()
        peer.asked()
        peer.answer(b"again")
        peer.hold()

    return talk, done


async def ask_twice(outside: Outside, done: threading.Event) -> bytes:
    """Read a stream to its last word, finish it, and ask again."""
    response = await outside.send(STREAM)
    assert response.arriving is not None
    assert await response.arriving.read() == b"done"
    await response.arriving.finish()
    assert done.wait(10)
    return (await outside.send(GET)).body


@pytest.mark.parametrize("after", [(END,), (0.01, END), (0.01, b"0\r\n", b"\r\n")])
def test_a_connection_is_used_again_where_the_end_comes_last(
    mode: Mode, after: tuple[bytes | float, ...]
) -> None:
    talk, done = finished(*after)
    with serving(talk) as server:
        outside = mode.make(server.url)
        assert mode.use(outside, lambda outside: ask_twice(outside, done)) == b"again"
    assert server.connections == 1


def test_so_it_is_under_tls(mode: Mode, authority: Authority) -> None:
    talk, done = finished(0.01, END)
    with serving(talk, context=authority.server()) as server:
        outside = mode.make(server.url, ssl_context=authority.client())
        assert mode.use(outside, lambda outside: ask_twice(outside, done)) == b"again"
    assert server.connections == 1


@pytest.mark.parametrize("after", [(), (0.02, MORE), (0.02, b"0\r\n")])
def test_any_other_connection_is_given_up(mode: Mode, after: tuple[bytes | float, ...]) -> None:
    talk, done = finished(*after)
    with serving(talk, Peer.answer_all) as server:
        outside = mode.make(server.url)
        mode.use(outside, lambda outside: ask_twice(outside, done))
    assert server.connections == 2


def test_a_server_that_hangs_up_instead_is_asked_anew(mode: Mode) -> None:
    left = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED, b"4\r\ndone\r\n")
        left.set()

    with serving(talk, Peer.answer_all) as server:
        outside = mode.make(server.url)
        mode.use(outside, lambda outside: ask_twice(outside, left))
    assert server.connections == 2
