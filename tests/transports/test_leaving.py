"""Ctrl-C, forks, and programs that end with a client left open, each in a process of its own."""

from __future__ import annotations

import signal
import threading

import pytest

from transports.modes import Can, Mode
from transports.programs import ASK, FORK, HALF_READ, posix_only, program, said
from transports.scripted import CHUNKED, Peer, serving


def hold_the_body(peer: Peer) -> None:
    peer.asked()
    peer.say(CHUNKED, b"2\r\nhi\r\n")
    peer.hold()


def test_a_program_may_end_with_its_client_open(mode: Mode) -> None:
    with serving(Peer.answer_all) as server:
        assert said(mode, server.url, ASK) == ["200"]


@pytest.mark.needs(Can.END_WITHIN_A_STREAM)
def test_a_program_may_end_within_a_stream(mode: Mode) -> None:
    with serving(hold_the_body) as server:
        assert said(mode, server.url, HALF_READ) == ["b'hi'"]


def test_a_dropped_client_goes_quietly(mode: Mode) -> None:
    with serving(Peer.answer_all) as server:
        lines = said(mode, server.url, ASK, "del outside; gc.collect(); print('gone')")
    assert lines == ["200", "gone"]


@pytest.mark.parametrize(
    "how",
    [
        """
        asyncio.set_event_loop(loop := asyncio.new_event_loop())
        loop.run_until_complete(outside.send(Request("GET", "/")))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        """,
        """
        async def leave():
            await outside.send(Request("GET", "/"))
            sys.exit()
        asyncio.run(leave())
        """,
        """
        async def drop():
            global outside
            await outside.send(Request("GET", "/"))
            del outside
            gc.collect()
            await asyncio.sleep(0.05)
        asyncio.run(drop())
        """,
    ],
    ids=["closed", "left", "dropped"],
)
def test_a_loop_may_end_in_any_way(async_mode: Mode, how: str) -> None:
    with serving(Peer.answer_all) as server:
        assert said(async_mode, server.url, how) == []


@pytest.mark.needs(Can.CHANGE_LOOPS)
@pytest.mark.parametrize("end", ["loop.close()", "pass"], ids=["closed", "stopped"])
@pytest.mark.parametrize(
    "part",
    [ASK, HALF_READ, HALF_READ + "response.arriving.abandon(); del response; gc.collect()"],
    ids=["idle", "half read", "abandoned"],
)
def test_a_loop_may_be_run_by_hand(async_mode: Mode, end: str, part: str) -> None:
    """Python complains of the loop itself and its sockets, only where asked to."""
    by_hand = f"""
    import warnings
    warnings.simplefilter("ignore", ResourceWarning)
    def run(work):
        loop = asyncio.new_event_loop()
        answer = loop.run_until_complete(work)
        {end}
        return answer
    """
    with serving(Peer.answer_all if part is ASK else hold_the_body) as server:
        assert said(async_mode, server.url, by_hand, part) == (
            ["200"] if part is ASK else ["b'hi'"]
        )


@posix_only
def test_ctrl_c_interrupts_a_call_at_once(mode: Mode) -> None:
    asked = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        asked.set()
        peer.hold()

    interrupted = """
    try:
        run(outside.send(Request("GET", "/")))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    """
    with (
        serving(talk, Peer.answer_all) as server,
        program(mode, server.url, interrupted, ASK) as running,
    ):
        assert asked.wait(20)
        running.send_signal(signal.SIGINT)
        out, complaints = running.communicate(timeout=10)
    assert (out.split(), complaints) == (["interrupted", "200"], "")


@posix_only
@pytest.mark.needs(Can.GO_THROUGH_A_FORK)
def test_a_child_does_not_touch_its_parents_connections(mode: Mode) -> None:
    with serving(Peer.answer_all) as server:
        lines = said(mode, server.url, ASK, FORK, ASK)
    assert lines == ["200", "child 200", "200"]


@posix_only
@pytest.mark.needs(Can.GO_THROUGH_A_FORK)
def test_a_parents_connection_survives_a_fork(blocking_mode: Mode) -> None:
    with serving(Peer.answer_all) as server:
        said(blocking_mode, server.url, ASK, FORK, ASK)
    assert server.connections == 2


@posix_only
def test_a_child_takes_nothing_of_its_parents_stream(mode: Mode) -> None:
    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED, b"2\r\nhi\r\n0\r\n\r\n")

    fork = """
    async def main():
        response = await outside.send(Request("GET", "/", streamed=True))
        if not (child := os.fork()):
            try:
                await response.arriving.read()
            except SettingsError as error:
                print(error, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(await response.arriving.read())
    run(main())
    """
    with serving(talk) as server:
        lines = said(mode, server.url, "from chatloom.core.errors import SettingsError", fork)
    assert lines == ["this stream belongs to the parent process", "b'hi'"]


@posix_only
def test_a_child_does_not_touch_its_parents_stream(mode: Mode) -> None:
    """The two share a selector: a connection closed in the child is deaf in the parent."""
    forked = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED, b"2\r\nhi\r\n")
        forked.wait(20)
        peer.say(b"3\r\nbye\r\n0\r\n\r\n")

    def tell(peer: Peer) -> None:
        peer.asked()
        forked.set()
        peer.answer()

    fork = """
    async def main():
        response = await outside.send(Request("GET", "/", streamed=True))
        print(await response.arriving.read(), flush=True)
        if not (child := os.fork()):
            response.arriving.abandon()
            del response
            gc.collect()
            os._exit(0)
        os.waitpid(child, 0)
        await outside.send(Request("POST", "/"))
        print(await response.arriving.read())
    run(main())
    """
    with serving(talk, tell) as server:
        assert said(mode, server.url, fork) == ["b'hi'", "b'bye'"]
