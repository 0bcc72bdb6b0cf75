"""A client that is closed ends its streams; a stream has one reader, and one event loop."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from chatloom.core.errors import SettingsError, TransportError
from chatloom.core.http import Arriving, Request
from chatloom.core.inline import run_inline
from chatloom.core.outside import Outside
from chatloom.transports.arrivals import Bound
from transports.modes import Can, Mode
from transports.programs import FORK, HALF_READ, posix_only, said
from transports.scripted import CHUNKED, Peer, serving

STREAMED = Request("GET", "/", streamed=True)
CLOSED = "^GET / was lost: the client was closed$"
ELSEWHERE = "^GET / was lost: it belongs to another event loop$"
TAKEN = "^this stream is being read already$"


def say_a_word(peer: Peer) -> None:
    peer.asked()
    peer.say(CHUNKED, b"2\r\nhi\r\n")
    peer.hold()


def say_it_all(peer: Peer) -> None:
    peer.asked()
    peer.say(CHUNKED, b"2\r\nhi\r\n", b"0\r\n\r\n")
    peer.hold()


def say_a_word_without_measure(peer: Peer) -> None:
    peer.asked()
    peer.say(b"HTTP/1.1 200 OK\r\n\r\nhi")
    peer.hold()


async def begun(outside: Outside) -> Arriving:
    """Begin a stream, and read its first word."""
    arriving = (await outside.send(STREAMED)).arriving
    assert arriving is not None
    assert await arriving.read() == b"hi"
    return arriving


@pytest.mark.parametrize("talk", [say_a_word, say_it_all])
def test_a_stream_ends_with_its_client(mode: Mode, talk: Callable[[Peer], None]) -> None:
    async def close_within(outside: Outside) -> None:
        arriving = await begun(outside)
        await outside.close()
        await outside.close()
        for _ in range(2):
            with pytest.raises(TransportError, match=CLOSED):
                await arriving.read()
        await arriving.close()

    with serving(talk) as server:
        mode.use(mode.make(server.url), close_within)


@pytest.mark.parametrize("talk", [say_a_word, say_a_word_without_measure])
def test_closing_wakes_a_thread_that_reads(
    blocking_mode: Mode, talk: Callable[[Peer], None]
) -> None:
    with serving(talk) as server, ThreadPoolExecutor(1) as threads:
        outside = blocking_mode.make(server.url)
        arriving = run_inline(begun(outside))
        reading = threads.submit(lambda: run_inline(arriving.read()))
        threading.Event().wait(0.1)
        run_inline(outside.close())
        with pytest.raises(TransportError, match=CLOSED):
            reading.result(10)


@pytest.mark.parametrize("talk", [say_a_word, say_a_word_without_measure])
def test_closing_wakes_a_task_that_reads(async_mode: Mode, talk: Callable[[Peer], None]) -> None:
    async def close_meanwhile(outside: Outside) -> None:
        reading = asyncio.create_task((await begun(outside)).read())
        await asyncio.sleep(0.1)
        await outside.close()
        with pytest.raises(TransportError, match=CLOSED):
            await asyncio.wait_for(reading, 10)

    with serving(talk) as server:
        async_mode.use(async_mode.make(server.url), close_meanwhile)


@pytest.mark.needs(Can.CHANGE_LOOPS)
def test_closing_wakes_the_tasks_of_another_loop(async_mode: Mode) -> None:
    waits = threading.Event()

    async def read_on(outside: Outside) -> None:
        arriving = await begun(outside)
        asyncio.get_running_loop().call_later(0.1, waits.set)
        await asyncio.wait_for(arriving.read(), 10)

    with serving(say_a_word) as server, ThreadPoolExecutor(1) as threads:
        outside = async_mode.make(server.url)
        reading = threads.submit(asyncio.run, read_on(outside))
        assert waits.wait(10)
        asyncio.run(outside.close())
        with pytest.raises(TransportError, match=CLOSED):
            reading.result(10)


@posix_only
@pytest.mark.needs(Can.GO_THROUGH_A_FORK)
def test_a_child_that_closes_its_client_leaves_its_parents_stream_alone(mode: Mode) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED, b"2\r\nhi\r\n")
        closed.wait(10)
        peer.say(b"2\r\nho\r\n0\r\n\r\n")

    def answer(peer: Peer) -> None:
        peer.asked()
        peer.answer()
        closed.set()

    closed = threading.Event()
    loop = "loop = asyncio.new_event_loop(); here = loop.run_until_complete"
    here = "here = run" if mode.is_blocking else loop
    half_read = HALF_READ.replace("run(begin())", "here(begin())")
    close = FORK.replace("sys.exit()", "run(outside.close()); os._exit(0)")
    read_on = "print(here(response.arriving.read())); here(outside.close())"
    read_on += "" if mode.is_blocking else "; loop.close()"
    with serving(talk, answer) as server:
        lines = said(mode, server.url, here, half_read, close, read_on)
    assert lines == ["b'hi'", "child 200", "b'ho'"]


def test_the_streams_of_a_client_are_not_kept_for_it(mode: Mode) -> None:
    async def read_many(outside: Outside) -> int:
        before = {id(thing) for thing in gc.get_objects() if isinstance(thing, Bound)}
        for _ in range(3):
            await (await outside.send(STREAMED)).read()
        gc.collect()
        kept = [thing for thing in gc.get_objects() if isinstance(thing, Bound)]
        return sum(id(thing) not in before for thing in kept)

    with serving(Peer.echo_all) as server:
        assert mode.use(mode.make(server.url), read_many) == 0


@pytest.mark.needs(Can.END_WITHIN_A_STREAM)
def test_a_stream_belongs_to_its_event_loop(async_mode: Mode) -> None:
    with serving(say_a_word) as server:
        outside = async_mode.make(server.url)
        arriving = asyncio.run(begun(outside))
        with pytest.raises(TransportError, match=ELSEWHERE):
            asyncio.run(arriving.read())
        asyncio.run(arriving.close())
        asyncio.run(outside.close())


def test_a_stream_has_one_reading_thread(blocking_mode: Mode) -> None:
    refused = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED, b"2\r\nhi\r\n")
        refused.wait(10)
        peer.say(b"2\r\nho\r\n0\r\n\r\n")

    with serving(talk) as server, ThreadPoolExecutor(1) as threads:
        outside = blocking_mode.make(server.url)
        arriving = run_inline(begun(outside))
        reading = threads.submit(lambda: run_inline(arriving.read()))
        threading.Event().wait(0.1)
        with pytest.raises(SettingsError, match=TAKEN):
            run_inline(arriving.read())
        refused.set()
        assert reading.result(10) == b"ho"
        assert run_inline(arriving.read()) == b""
        run_inline(outside.close())


def test_a_stream_has_one_reading_task(async_mode: Mode) -> None:
    refused = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED, b"2\r\nhi\r\n")
        refused.wait(10)
        peer.say(b"2\r\nho\r\n0\r\n\r\n")

    async def read_twice(outside: Outside) -> None:
        arriving = await begun(outside)
        reading = asyncio.create_task(arriving.read())
        await asyncio.sleep(0.05)
        with pytest.raises(SettingsError, match=TAKEN):
            await arriving.read()
        refused.set()
        assert await reading == b"ho"
        assert await arriving.read() == b""

    with serving(talk) as server:
        async_mode.use(async_mode.make(server.url), read_twice)


@pytest.mark.needs(Can.END_WITHIN_A_STREAM)
def test_a_debugged_loop_may_end_within_a_stream(async_mode: Mode) -> None:
    debugged = HALF_READ.replace("run(begin())", "run(patient(), debug=True)")
    patient = """
    async def patient():
        asyncio.get_running_loop().slow_callback_duration = 60
        await begin()
    """
    with serving(say_a_word) as server:
        assert said(async_mode, server.url, patient, debugged) == ["b'hi'"]
