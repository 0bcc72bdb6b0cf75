"""A client that the user hands in: what of it counts, and what it cannot be asked."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import httpx
import httpx2
import pytest

from chatloom.core.errors import (
    ConnectError,
    ConnectTimedOut,
    SettingsError,
    TimedOut,
    TransportError,
)
from chatloom.core.http import Request, Response
from chatloom.core.inline import run_inline
from chatloom.transports.httpx import httpx_transport
from transports.modes import MODES, HandedIn, Mode
from transports.programs import ASK, FORK, HALF_READ, posix_only, program, said
from transports.scripted import CHUNKED, Asked, Peer, serving

Theirs: TypeAlias = "httpx.Client | httpx.AsyncClient | httpx2.Client | httpx2.AsyncClient"
T = TypeVar("T")

NOWHERE = "http://127.0.0.1:9"
GET = Request("GET", "/v1/x")
HANDED_IN = [mode for mode in MODES if isinstance(mode.opens, HandedIn)]
BLOCKING = [mode for mode in HANDED_IN if mode.is_blocking]
ASYNC = [mode for mode in HANDED_IN if not mode.is_blocking]


@dataclass
class Side:
    """One kind of client of one of the two libraries."""

    library: Any  # httpx or httpx2: one is a copy of the other, but no type says so
    is_blocking: bool

    def client(self, **settings: Any) -> Theirs:
        kind = self.library.Client if self.is_blocking else self.library.AsyncClient
        made: Theirs = kind(**{"verify": False, "trust_env": False, **settings})
        return made

    def mocked(self, answer: Callable[[Any], Any], **settings: Any) -> Theirs:
        """A client whose answers are made up by a function."""
        return self.client(transport=self.library.MockTransport(answer), **settings)

    def hook(self, heard: Callable[[Any], None]) -> Callable[[Any], Any]:
        async def hook(one: Any) -> None:
            heard(one)

        return heard if self.is_blocking else hook

    def ask(self, client: Theirs, url: str, request: Request) -> Response:
        """Send *request*, read the answer, close the client as its owner."""

        async def talk() -> Response:
            outside = httpx_transport(client, url, blocking=self.is_blocking)
            try:
                response = await outside.send(request)
                await response.read()
                return response
            finally:
                await outside.close()
                assert not client.is_closed
                await shut(client)

        return run_inline(talk()) if self.is_blocking else asyncio.run(talk())


async def shut(client: Theirs) -> None:
    if isinstance(client, httpx.Client | httpx2.Client):
        client.close()
    else:
        await client.aclose()


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=[True, False], ids=["blocking", "async"])
def side(request: pytest.FixtureRequest, library: Any) -> Side:
    return Side(library, request.param)


def test_a_client_of_the_other_kind_is_refused(side: Side) -> None:
    with pytest.raises(SettingsError, match=r"client needs an httpx2?\.(Async)?Client, not an"):
        httpx_transport(side.client(), NOWHERE, blocking=not side.is_blocking)


def test_a_client_that_is_closed_is_refused(side: Side) -> None:
    client = side.client()
    outside = httpx_transport(client, NOWHERE, blocking=side.is_blocking)
    asyncio.run(shut(client))
    with pytest.raises(SettingsError, match="closed"):
        httpx_transport(client, NOWHERE, blocking=side.is_blocking)
    with pytest.raises(SettingsError, match="handed in is closed"):
        run_inline(outside.send(GET))


@pytest.mark.parametrize("stranger", [object(), "http://proxy", httpx.Client, None])
@pytest.mark.parametrize("blocking", [True, False])
def test_what_is_no_client_is_refused(stranger: Any, blocking: bool) -> None:
    with pytest.raises(SettingsError, match="must be a Client or AsyncClient of httpx or httpx2"):
        httpx_transport(stranger, NOWHERE, blocking=blocking)


def test_a_client_of_a_class_of_ones_own_will_do() -> None:
    class Own(httpx.Client):
        pass

    with Own() as client:
        assert httpx_transport(client, NOWHERE, blocking=True)
        with pytest.raises(SettingsError, match=r"not an httpx\.Client"):
            httpx_transport(client, NOWHERE, blocking=False)


def sent(side: Side, request: Request, **settings: Any) -> Asked:
    with serving(Peer.answer_all) as server:
        assert side.ask(side.client(**settings), f"{server.url}/api", request).status == 200
    return server.asked[0]


def test_its_headers_are_sent_and_ours_replace_them(side: Side) -> None:
    own = {"x-team": "weavers", "authorization": "Bearer theirs", "user-agent": "theirs"}
    asked = sent(side, GET.with_header("authorization", "Bearer ours"), headers=own)
    assert asked.all("x-team") == ["weavers"]
    assert asked.all("authorization") == ["Bearer ours"]
    assert asked.all("user-agent") == ["chatloom"]


def test_its_authentication_has_the_last_word(side: Side) -> None:
    asked = sent(side, GET.with_header("authorization", "Bearer ours"), auth=("me", "word"))
    assert asked.all("authorization") == ["Basic bWU6d29yZA=="]


def test_its_cookies_are_sent(side: Side) -> None:
    assert sent(side, GET, cookies={"seat": "12"}).all("cookie") == ["seat=12"]


def test_its_parameters_are_added_to_ours(side: Side) -> None:
    request = Request("GET", "/v1/x", query=(("q", "a b&c"), ("page", "2")))
    target = sent(side, request, params={"tenant": "t1", "page": "1"}).target
    path, _, query = target.partition("?")
    assert path == "/api/v1/x"
    assert sorted(query.split("&")) == ["page=2", "q=a+b%26c", "tenant=t1"]


def test_its_base_address_and_time_outs_do_not_count(side: Side) -> None:
    assert sent(side, GET, base_url="http://elsewhere.example", timeout=1e-9).target == "/api/v1/x"


def test_its_hooks_are_called(side: Side) -> None:
    heard: list[str] = []
    hooks = {
        "request": [side.hook(lambda request: heard.append(request.method))],
        "response": [side.hook(lambda response: heard.append(str(response.status_code)))],
    }
    sent(side, GET, event_hooks=hooks)
    assert heard == ["GET", "200"]


def test_a_hook_may_read_the_answer(library: Any) -> None:
    def look(response: Any) -> None:
        response.read()

    side = Side(library, is_blocking=True)
    client = side.client(event_hooks={"response": [look]})
    with serving(lambda peer: peer.answer_all(b"all of it")) as server:
        request = Request("GET", "/", streamed=True)
        assert side.ask(client, server.url, request).body == b"all of it"


def test_what_a_hook_raises_is_its_owners(side: Side) -> None:
    def refuse(_: object) -> None:
        raise LookupError

    client = side.client(event_hooks={"response": [side.hook(refuse)]})
    with serving(Peer.answer_all) as server, pytest.raises(LookupError):
        side.ask(client, server.url, GET)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_mocked_answer_is_an_answer(side: Side, streamed: bool) -> None:
    def answer(request: Any) -> Any:
        return side.library.Response(203, content=request.content, headers={"x-tag": "a"})

    request = Request("POST", "/", body=b"said", streamed=streamed)
    response = side.ask(side.mocked(answer), NOWHERE, request)
    assert (response.status, response.body, response.headers["x-tag"]) == (203, b"said", "a")


@pytest.mark.parametrize(
    ("name", "expected", "told"),
    [
        ("ConnectError", ConnectError, "could not connect to 127.0.0.1:9: made up"),
        ("ConnectTimeout", ConnectTimedOut, "no connection to 127.0.0.1:9 within 10 s"),
        ("PoolTimeout", ConnectTimedOut, "no connection to 127.0.0.1:9 within 10 s"),
        ("ReadTimeout", TimedOut, "nothing arrived for 600 s"),
        ("WriteTimeout", TimedOut, "nothing arrived for 600 s"),
        ("ReadError", TransportError, "was lost: made up"),
        ("RemoteProtocolError", TransportError, "the answer is not HTTP"),
        ("DecodingError", TransportError, "was lost: made up"),
    ],
)
def test_a_mocked_failure_is_a_failure(
    side: Side, name: str, expected: type[TransportError], told: str
) -> None:
    asked: list[object] = []

    def fail(request: object) -> object:
        asked.append(request)
        raise getattr(side.library, name)("made up")

    with pytest.raises(TransportError) as caught:
        side.ask(side.mocked(fail), NOWHERE, GET)
    assert type(caught.value) is expected
    assert told in str(caught.value)
    assert len(asked) == 1


def test_a_pool_that_is_full_counts_as_connecting(side: Side) -> None:
    """One stream has the only connection there is."""

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED)
        peer.hold()

    async def wait() -> None:
        limits = side.library.Limits(max_connections=1)
        client = side.client(limits=limits)
        outside = httpx_transport(client, server.url, blocking=side.is_blocking)
        first = await outside.send(Request("GET", "/", streamed=True))
        with pytest.raises(TimedOut):
            await outside.send(Request("GET", "/", deadline=outside.now() + 0.2))
        assert first.arriving is not None
        await first.arriving.close()
        await shut(client)

    with serving(talk) as server:
        run_inline(wait()) if side.is_blocking else asyncio.run(wait())


TOLD = """
from chatloom.core.errors import SettingsError
try:
    run(outside.send(Request("GET", "/")))
except SettingsError as error:
    print(error)
"""


@pytest.mark.parametrize("theirs", ASYNC, ids=str)
def test_an_async_client_stays_in_its_loop(theirs: Mode) -> None:
    with serving(Peer.answer_all) as server:
        first, second = said(theirs, server.url, ASK, TOLD)
    assert first == "200"
    assert "give each loop a client of its own" in second


@posix_only
@pytest.mark.parametrize("theirs", HANDED_IN, ids=str)
def test_a_client_that_was_used_stays_in_its_process(theirs: Mode) -> None:
    """Parent and child would write to one connection, and read each other's answers."""
    fork = """
    sys.stdout.flush()
    if child := os.fork():
        os.waitpid(child, 0)
        sys.exit()
    """
    with serving(Peer.answer_all) as server:
        first, second = said(theirs, server.url, ASK, fork, TOLD)
    assert first == "200"
    assert "cannot be taken through a fork" in second
    assert len(server.asked) == 1


@posix_only
@pytest.mark.parametrize("theirs", BLOCKING, ids=str)
def test_a_client_that_was_not_used_may_be_taken_through_a_fork(theirs: Mode) -> None:
    with serving(Peer.answer_all) as server:
        assert said(theirs, server.url, FORK, ASK) == ["child 200", "200"]


@pytest.mark.parametrize("theirs", ASYNC, ids=str)
def test_a_stream_may_be_abandoned_when_its_loop_has_ended(theirs: Mode) -> None:
    gone = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED, b"2\r\nhi\r\n")
        peer.hold()
        gone.set()

    by_hand = """
    def run(work):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(work)
        loop.close()
    """
    rest = "response.arriving.abandon(); print('abandoned', flush=True); sys.stdin.read()"
    with serving(talk) as server, program(theirs, server.url, by_hand, HALF_READ, rest) as running:
        assert gone.wait(20)
        out, complaints = running.communicate(timeout=20)
    assert (out.split(), complaints) == (["b'hi'", "abandoned"], "")


def test_neither_library_is_loaded_for_its_client() -> None:
    code = "import chatloom.transports.httpx, sys; print({'httpx', 'httpx2'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


def test_closing_wakes_a_reader_where_there_is_no_socket(library: Any) -> None:
    class Stalled(library.AsyncByteStream):  # type: ignore[misc]  # a library of type Any
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"hi"
            await asyncio.sleep(30)

    async def close_meanwhile() -> None:
        side = Side(library, is_blocking=False)
        client = side.mocked(lambda _: library.Response(200, stream=Stalled()))
        outside = httpx_transport(client, NOWHERE, blocking=False)
        arriving = (await outside.send(Request("GET", "/", streamed=True))).arriving
        assert arriving is not None
        assert await arriving.read() == b"hi"
        reading = asyncio.create_task(arriving.read())
        await asyncio.sleep(0.05)
        await outside.close()
        with pytest.raises(TransportError, match="the client was closed"):
            await asyncio.wait_for(reading, 10)
        await shut(client)

    asyncio.run(close_meanwhile())
