"""What a request looks like on the wire, and over which connection it goes."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable

import pytest

from chatloom.server.egress import Egress, EgressRefused, EgressTimedOut
from server.egress.outskirts import world
from transports.scripted import serving

pytestmark = pytest.mark.anyio

URL = "http://a.example.com/"


async def test_a_request_is_written_as_asked_and_no_further() -> None:
    with serving(lambda peer: peer.answer_all(b"ok")) as server:
        guard = world(server.port).guard()
        await guard.request("POST", f"{URL}hook?x=\u00e9", headers={"X-One": "1"}, body=b"payload")
        await guard.request("HEAD", URL)
    post, head = server.asked
    assert (post.method, post.target, post.body) == ("POST", "/hook?x=%C3%A9", b"payload")
    assert (
        post.all("x-one"),
        post.all("host"),
        post.all("connection"),
    ) == (["1"], ["a.example.com"], ["close"])
    assert (
        post.all("content-length"),
        head.all("content-length"),
        head.all("cookie"),
    ) == (["7"], [], [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", "a\r\nhost: b"),
        ("x", "a\nb"),
        ("x", "a\x00"),
        ("x", "\u00fc"),
        ("x y", "a"),
        ("x:", "a"),
        ("", "a"),
        ("x\r\n", "a"),
        ("Host", "127.0.0.1"),
        ("content-length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "keep-alive"),
        ("Proxy-Authorization", "x"),
        ("expect", "100-continue"),
        ("upgrade", "websocket"),
    ],
)
async def test_a_header_that_could_be_more_than_one_is_refused(name: str, value: str) -> None:
    beyond = world()
    with pytest.raises(EgressRefused) as refusal:
        await beyond.guard().get(URL, headers={name: value})
    assert (refusal.value.reason, beyond.looked_up) == ("header", [])


def loops() -> list[Callable[[], asyncio.AbstractEventLoop]]:
    try:
        import uvloop
    except ImportError:  # on Windows
        return [asyncio.new_event_loop]
    return [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.parametrize("loop", loops())
def test_nothing_is_pretended_in_dev(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def fetched() -> tuple[bytes, str, str]:
        guard = Egress(dev=True)
        by_name = await guard.get(f"http://localhost:{server.port}/")
        by_address = await guard.get(server.url)
        guard.close()
        return by_name.body, by_name.address, by_address.url

    with (
        serving(lambda peer: peer.answer_all(b"here")) as server,
        asyncio.Runner(loop_factory=loop) as runner,
    ):
        assert runner.run(fetched()) == (b"here", "127.0.0.1", f"{server.url}/")
    assert server.connections == 2


def test_an_error_survives_its_process() -> None:
    error = pickle.loads(pickle.dumps(EgressTimedOut("silent")))
    assert (type(error), error.reason, str(error)) == (
        EgressTimedOut,
        "silent",
        "the host was silent for too long",
    )


async def test_what_was_fetched_does_not_show_its_address() -> None:
    with serving(lambda peer: peer.answer_all(b"ok")) as server:
        fetched = await world(server.port).guard().get(f"{URL}?key=secret")
    assert repr(fetched) == "<Fetched 200, 2 bytes>"
