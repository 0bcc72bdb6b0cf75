"""When connections are kept, given up, and shared."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from chatloom.core.errors import SettingsError, TimedOut, TransportError
from chatloom.core.http import Request, Timeouts
from chatloom.core.inline import run_inline
from chatloom.core.outside import Outside
from transports.modes import Can, Mode
from transports.scripted import CHUNKED, Peer, serving

GET = Request("GET", "/")
POST = Request("POST", "/", body=b"{}")


@pytest.mark.parametrize("framing", [b"content-length: 2\r\n\r\nhi", CHUNKED[17:] + b"0\r\n\r\n"])
def test_a_connection_is_used_again(mode: Mode, get: Request, framing: bytes) -> None:
    def talk(peer: Peer) -> None:
        for _ in range(3):
            peer.asked()
            peer.say(b"HTTP/1.1 200 OK\r\n" + framing)

    with serving(talk) as server:
        mode.ask(server.url, get, get, get)
    assert server.connections == 1


@pytest.mark.parametrize("version", [b"HTTP/1.1 200 OK\r\nconnection: close", b"HTTP/1.0 200 OK"])
def test_a_connection_that_is_to_close_is_not_used_again(
    mode: Mode, get: Request, version: bytes
) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(version + b"\r\ncontent-length: 2\r\n\r\nhi")
        peer.hold()

    with serving(talk) as server:
        assert mode.ask(server.url, get, get).body == b"hi"
    assert server.connections == 2


def test_a_deadline_does_not_outlive_its_call(mode: Mode) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.answer()
        peer.asked()
        threading.Event().wait(0.4)
        peer.answer(b"late")

    soon = Request("GET", "/", deadline=time.monotonic() + 0.3)
    with serving(talk) as server:
        assert mode.ask(server.url, soon, GET).body == b"late"
    assert server.connections == 1


def test_abandoned_bodies_do_not_fill_a_pool(mode: Mode) -> None:
    """The libraries that have a limit on connections have it at 100."""

    async def abandon(outside: Outside) -> int:
        for _ in range(120):
            response = await outside.send(Request("GET", "/", streamed=True, timeouts=soon))
            assert response.arriving is not None
            response.arriving.abandon()
        return (await outside.send(GET)).status

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED, b"2\r\nhi\r\n")
        if server.connections <= 120:
            peer.hold()
        peer.say(b"0\r\n\r\n")

    soon = Timeouts(connect=5, idle=5)
    with serving(talk) as server:
        assert mode.use(mode.make(server.url), abandon) == 200


@pytest.mark.needs(Can.TELL_ANSWERS_APART)
def test_bytes_nobody_asked_for_are_not_the_next_answer(mode: Mode, get: Request) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"
        peer.say(answer + b"good" + answer + b"evil")
        with suppress(ConnectionError):
            peer.asked()

    with serving(talk, Peer.answer_all) as server:
        assert mode.ask(server.url, get, POST).body == b""
    assert [asked.method for asked in server.asked] == ["GET", "POST"]
    assert server.connections == 2


def test_a_body_left_unread_gives_its_connection_up(mode: Mode) -> None:
    gone = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED, b"2\r\nhi\r\n")
        peer.hold()
        gone.set()

    async def leave(outside: Outside) -> bool:
        response = await outside.send(Request("GET", "/", streamed=True))
        assert response.arriving is not None
        await response.arriving.read()
        await response.arriving.close()
        await outside.sleep(0)
        return gone.wait(10) if mode.is_blocking else await asyncio.to_thread(gone.wait, 10)

    with serving(talk) as server:
        assert mode.use(mode.make(server.url), leave)


@pytest.mark.parametrize("request_", [GET, POST], ids=["get", "post"])
def test_a_connection_that_died_while_idle_is_not_used(mode: Mode, request_: Request) -> None:
    gone = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.answer()
        peer.close()
        gone.set()

    async def twice(outside: Outside) -> None:
        await outside.send(request_)
        gone.wait(10)
        await outside.sleep(0.05)
        await outside.send(request_)

    with serving(talk, Peer.answer_all) as server:
        mode.use(mode.make(server.url), twice)
    assert (len(server.asked), server.connections) == (2, 2)


def die_at_the_second(peer: Peer) -> None:
    peer.asked()
    peer.answer()
    peer.asked()


def test_a_get_is_sent_again_when_a_kept_connection_dies(mode: Mode) -> None:
    with serving(die_at_the_second, Peer.answer_all) as server:
        assert mode.ask(server.url, GET, GET).status == 200
    assert server.connections == 2


def test_a_post_is_not_sent_again_when_a_kept_connection_dies(mode: Mode) -> None:
    with (
        serving(die_at_the_second, Peer.answer_all) as server,
        pytest.raises(TransportError, match="POST / was lost"),
    ):
        mode.ask(server.url, POST, POST)
    assert server.connections == 1


def test_a_get_is_not_sent_again_when_a_kept_connection_is_silent(mode: Mode) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.answer()
        peer.hold()

    impatient = Request("GET", "/", timeouts=Timeouts(idle=0.2))
    with serving(talk) as server, pytest.raises(TimedOut):
        mode.ask(server.url, impatient, impatient)
    assert server.connections == 1


def test_a_long_body_may_be_refused_before_it_is_read(blocking_mode: Mode) -> None:
    def talk(peer: Peer) -> None:
        peer.say(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        peer.hold(0.2)

    with serving(talk) as server:
        response = blocking_mode.ask(server.url, Request("POST", "/", body=bytes(2**22)))
    assert response.status == 413


def test_a_closed_client_says_so(mode: Mode) -> None:
    async def close_first(outside: Outside) -> None:
        await outside.send(GET)
        await outside.close()
        await outside.close()
        with pytest.raises(SettingsError, match="closed"):
            await outside.send(GET)

    with serving(Peer.answer_all) as server:
        mode.use(mode.make(server.url), close_first)


def test_many_threads_share_a_client(blocking_mode: Mode) -> None:
    with serving(Peer.echo_all) as server, ThreadPoolExecutor(8) as threads:
        outside = blocking_mode.make(server.url)

        def ask(number: int) -> bool:
            request = Request("GET", f"/{number}", streamed=number % 2 == 1)
            body = run_inline(run_inline(outside.send(request)).read())
            return body == b"/%d" % number

        assert all(threads.map(ask, range(400)))
        run_inline(outside.close())
    assert server.connections <= 8


def test_many_tasks_share_a_client(async_mode: Mode) -> None:
    async def ask(outside: Outside, number: int) -> bool:
        response = await outside.send(Request("GET", f"/{number}", streamed=number % 2 == 1))
        return await response.read() == b"/%d" % number

    async def ask_all(outside: Outside) -> list[bool]:
        return await asyncio.gather(*(ask(outside, number) for number in range(64)))

    with serving(Peer.echo_all) as server:
        assert all(async_mode.use(async_mode.make(server.url), ask_all))


@pytest.mark.needs(Can.CHANGE_LOOPS)
def test_a_client_may_be_used_from_one_loop_after_another(mode: Mode) -> None:
    with serving(Peer.echo_all) as server:
        outside = mode.make(server.url)
        for number in range(3):
            assert mode.run(outside.send(Request("GET", f"/{number}"))).body == b"/%d" % number
        mode.run(outside.close())


@pytest.mark.needs(Can.CHANGE_LOOPS)
def test_a_client_may_be_used_from_several_loops_at_once(async_mode: Mode) -> None:
    with serving(Peer.echo_all) as server, ThreadPoolExecutor(4) as threads:
        outside = async_mode.make(server.url)

        async def ask() -> bool:
            return all([(await outside.send(GET)).body == b"/" for _ in range(20)])

        assert all(threads.map(asyncio.run, [ask() for _ in range(8)]))


def test_a_cancelled_call_leaves_nothing_behind(async_mode: Mode, get: Request) -> None:
    gone = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED[:20] if not get.streamed else CHUNKED)
        peer.hold()
        gone.set()

    async def cancel(outside: Outside) -> set[asyncio.Task[object]]:
        async def ask() -> None:
            await (await outside.send(get)).read()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(), 0.2)
        assert await asyncio.to_thread(gone.wait, 10)
        return asyncio.all_tasks() - {asyncio.current_task()}

    with serving(talk) as server:
        assert not async_mode.use(async_mode.make(server.url), cancel)


def test_a_read_that_waits_ends_when_its_body_is_abandoned(blocking_mode: Mode) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED)
        peer.hold()

    with serving(talk) as server, ThreadPoolExecutor(1) as threads:
        outside = blocking_mode.make(server.url)
        arriving = run_inline(outside.send(Request("GET", "/", streamed=True))).arriving
        assert arriving is not None
        reading = threads.submit(lambda: run_inline(arriving.read()))
        threading.Event().wait(0.1)
        arriving.abandon()
        assert isinstance(reading.exception(10), TransportError)
        run_inline(outside.close())


def test_a_body_may_be_abandoned_from_another_thread(async_mode: Mode) -> None:
    gone = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED)
        peer.hold()
        gone.set()

    async def leave(outside: Outside) -> bool:
        arriving = (await outside.send(Request("GET", "/", streamed=True))).arriving
        assert arriving is not None
        await asyncio.to_thread(arriving.abandon)
        return await asyncio.to_thread(gone.wait, 10)

    with serving(talk) as server:
        assert async_mode.use(async_mode.make(server.url), leave)


def test_a_lock_is_held_by_one_thread(blocking_mode: Mode) -> None:
    lock = blocking_mode.make("http://127.0.0.1:9").lock()
    inside: list[None] = []

    async def enter() -> int:
        async with lock:
            inside.append(None)
            threading.Event().wait(0.01)
            held = len(inside)
            inside.pop()
            return held

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(run_inline, [enter() for _ in range(8)])) == {1}


def test_a_lock_is_held_by_one_task_of_each_loop(async_mode: Mode) -> None:
    lock = async_mode.make("http://127.0.0.1:9").lock()
    inside: list[None] = []

    async def enter() -> int:
        async with lock:
            inside.append(None)
            await asyncio.sleep(0.01)
            held = len(inside)
            inside.pop()
            return held

    async def enter_all() -> set[int]:
        return set(await asyncio.gather(enter(), enter(), enter()))

    assert [asyncio.run(enter_all()) for _ in range(2)] == [{1}, {1}]


def test_the_clocks_go_forward(mode: Mode) -> None:
    async def watch(outside: Outside) -> None:
        before = outside.now(), outside.wall_time()
        await outside.sleep(0.01)
        assert (outside.now(), outside.wall_time()) > before
        assert 0 <= outside.random() < 1

    mode.use(mode.make("http://127.0.0.1:9"), watch)
