"""Streams that are never cut: over bad connections, and over the server's own restarts."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeAlias

import pytest

from chatserver_sdk import (
    AsyncChatServerClient,
    AsyncCompletionStream,
    ChatServerClient,
    ChatServerConnectionError,
    NotFoundError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from conftest import Serve
from faults.plan import Fault, How, Plan, at_random, in_turn
from faults.proxy import Proxy, proxied
from support.live import Live

LONG = "loom/scribe?tokens=400"
SLOW = "loom/scribe?tokens=400&delay=5"
PATIENCE = 30.0

Read: TypeAlias = Callable[[str, str], str]
"""Reads the whole answer of a model at an address."""


def read_blocking(url: str, model: str) -> str:
    with ChatServerClient("resuming", url) as client:
        return "".join(client.create_completion(model, ["Tell me a story"], stream=True))


def read_async(url: str, model: str) -> str:
    async def main() -> str:
        async with AsyncChatServerClient("resuming", url) as client:
            stream = client.create_completion(model, ["Tell me a story"], stream=True)
            return "".join([text async for text in stream])

    return asyncio.run(main())


BOTH = pytest.mark.parametrize("read", [read_blocking, read_async])


@contextmanager
def behind(server: Live, plan: Plan) -> Generator[Proxy]:
    with proxied(server.host, server.port, plan) as proxy:
        yield proxy


def stored(server: Live, turn: str | None = None) -> str:
    """The text of a turn as the server has it, the latest unless one is named."""
    known = turn or server.rows("SELECT id FROM turn ORDER BY id DESC LIMIT 1")[0][0]
    return str(server.call("GET", f"/v1/turns/{known}", key="resuming").json["text"])


@BOTH
@pytest.mark.parametrize("how", ["reset", "close", "half"])
def test_not_a_character_is_lost_or_told_twice(live: Live, read: Read, how: How) -> None:
    plan = at_random(7, (1500, 9000), (how,))
    with behind(live, plan) as proxy:
        text = read(proxy.url, LONG)
    assert text == stored(live)
    assert proxy.cuts > 5


def test_a_silent_connection_is_given_up_for_another(live: Live) -> None:
    with (
        behind(live, in_turn(Fault("stall", 4000), Fault())) as proxy,
        ChatServerClient("resuming", proxy.url, timeout=0.5) as client,
    ):
        stream = client.create_completion(LONG, ["Tell me a story"], stream=True)
        assert stream.collect() == stored(live)
        assert stream.completion.choices[0].finish_reason == "stop"
        assert proxy.done["stall"] == 1


def test_whoever_repeats_nothing_gets_what_is_known_of_a_cut_stream(live: Live) -> None:
    plan = in_turn(Fault("reset", 4000))
    with behind(live, plan) as proxy, ChatServerClient("resuming", proxy.url) as client:
        once = client.with_options(max_retries=0)
        with pytest.raises(StreamTruncatedError) as caught:
            once.create_completion(LONG, ["Tell me a story"], stream=True).collect()
    error = caught.value
    assert error.resume_token is not None
    with ChatServerClient("resuming", live.url) as elsewhere:
        rest = elsewhere.resume_completion(error.resume_token).collect()
    assert error.text + rest == stored(live, error.resume_token.partition(":")[0])


def test_a_token_goes_on_in_another_client_from_any_piece(live: Live) -> None:
    with ChatServerClient("resuming", live.url) as client:
        stream = client.create_completion("loom/scribe?tokens=60", ["hi"], stream=True)
        seen = [("", stream.resume_token)]
        seen += [(text, stream.resume_token) for text in stream]
        whole = stream.text
    with ChatServerClient("resuming", live.url) as other:
        for number in range(0, len(seen), 7):
            token = seen[number][1]
            assert token is not None
            begin = "".join(text for text, _ in seen[: number + 1])
            assert begin + other.resume_completion(token).collect() == whole


def test_a_running_answer_is_followed_by_tasks_too(live: Live) -> None:
    async def main() -> None:
        async with AsyncChatServerClient("resuming", live.url) as client:
            stream = client.create_completion(SLOW, ["hi"], stream=True)
            first = await anext(stream)
            token = stream.resume_token
            assert token is not None
            rest = await client.resume_completion(token).collect()
            assert first + rest == await stream.collect()

    asyncio.run(main())


@pytest.mark.parametrize("key", ["resuming", "somebody-else"])
def test_a_token_of_nothing_is_not_found(live: Live, key: str) -> None:
    with ChatServerClient("resuming", live.url) as client:
        token = client.create_completion(LONG, ["hi"], stream=True).resume_token
        if key == "resuming":
            token = "0199c0de-0000-7000-8000-000000000000:1"
    assert token is not None
    with ChatServerClient(key, live.url) as other, pytest.raises(NotFoundError):
        other.resume_completion(token)


def port_of(server: Live) -> str:
    return str(server.port)


def while_restarting(server: Live, stop: Callable[[], object], serve: Serve) -> threading.Thread:
    """End a server, and start it again after a while, as whoever watches over it would."""

    def again() -> None:
        stop()
        time.sleep(0.5)
        serve("--grace", "1", database=server.database, port=port_of(server))

    thread = threading.Thread(target=again)
    thread.start()
    return thread


@BOTH
def test_an_answer_outlives_a_restart(serve: Serve, read: Read) -> None:
    server = serve("--grace", "20")
    texts: list[str] = []
    with behind(server, in_turn(Fault("reset", 60_000), Fault())) as proxy:
        reader = threading.Thread(target=lambda: texts.append(read(proxy.url, SLOW)))
        reader.start()
        wait_for_a_turn(server)
        restarting = while_restarting(server, server.stop, serve)
        reader.join(PATIENCE)
        restarting.join(PATIENCE)
        assert texts == [stored(server)]
        assert proxy.done["unreachable"]  # for a while nobody was there


@BOTH
def test_a_killed_servers_reader_has_all_that_is_stored(serve: Serve, read: Read) -> None:
    server = serve()
    failures: list[StreamInterruptedError] = []

    def listen() -> None:
        with pytest.raises(StreamInterruptedError) as caught:
            read(server.url, SLOW)
        failures.append(caught.value)

    reader = threading.Thread(target=listen)
    reader.start()
    wait_for_a_turn(server)
    restarting = while_restarting(server, server.kill, serve)
    reader.join(PATIENCE)
    restarting.join(PATIENCE)
    (error,) = failures
    assert (error.text, error.code) == (stored(server), "truncated")
    assert error.text


def wait_for_a_turn(server: Live) -> None:
    """Wait until an answer has got somewhere."""
    until = time.monotonic() + PATIENCE
    while not server.rows("SELECT 1 FROM journal LIMIT 1"):
        assert time.monotonic() < until
        time.sleep(0.02)
    time.sleep(0.3)


def outcome(server: Live, token: str | None) -> str:
    turn = (token or "").partition(":")[0]
    return str(server.call("GET", f"/v1/turns/{turn}", key="resuming").json["outcome"])


def test_cancelling_from_another_thread_stops_the_turn(live: Live) -> None:
    with ChatServerClient("resuming", live.url) as client:
        stream = client.create_completion(SLOW, ["hi"], stream=True)
        texts: list[str] = []
        reader = threading.Thread(target=lambda: texts.extend(stream))
        reader.start()
        time.sleep(0.2)
        stream.cancel()
        reader.join(PATIENCE)
        assert not reader.is_alive()
        assert outcome(live, stream.resume_token) == "cancelled"
        stream.cancel()
    assert 0 < len(texts) < 400


def test_cancelling_from_another_task_stops_the_turn(live: Live) -> None:
    async def main() -> None:
        async with AsyncChatServerClient("resuming", live.url) as client:
            stream = await client.create_completion(SLOW, ["hi"], stream=True)
            reader = asyncio.create_task(read_all(stream))
            await asyncio.sleep(0.2)
            await stream.cancel()
            assert 0 < len(await reader) < 400
            assert outcome(live, stream.resume_token) == "cancelled"
            await stream.cancel()

    asyncio.run(main())


def test_who_is_reading_is_freed_though_nobody_is_there_to_stop_the_turn(live: Live) -> None:
    plan = in_turn(Fault("reset", 4000), Fault("refuse"))
    with behind(live, plan) as proxy, ChatServerClient("resuming", proxy.url) as client:
        stream = client.create_completion(LONG, ["hi"], stream=True)
        reader = threading.Thread(target=lambda: list(stream))
        reader.start()
        until = time.monotonic() + PATIENCE
        while proxy.done["refuse"] < 4 and time.monotonic() < until:
            time.sleep(0.02)
        with pytest.raises(ChatServerConnectionError):
            stream.cancel()
        reader.join(PATIENCE / 3)  # an outage is waited for three times as long
        assert not reader.is_alive()


async def read_all(stream: AsyncCompletionStream) -> list[str]:
    return [text async for text in stream]


def test_an_answer_in_this_process_can_be_cancelled_and_gone_on_with() -> None:
    with ChatServerClient(base_url="embedded:") as client:
        stream = client.create_completion(SLOW, ["hi"], stream=True)
        first = next(stream)
        stream.cancel()
        assert (list(stream), stream.text.startswith(first)) == ([], True)
        assert stream.resume_token is not None
        with pytest.raises(StreamInterruptedError):
            client.resume_completion(stream.resume_token).collect()


def test_a_streamed_request_whose_answer_was_lost_attaches_to_its_turn(live: Live) -> None:
    faults = in_turn(Fault(), Fault("reset", 20), Fault())
    with behind(live, faults) as proxy, ChatServerClient("resuming", proxy.url) as client:
        client.with_options(extra_headers={"connection": "close"}).create_completion(
            "loom/echo", ["hi"]
        )
        before = live.counts()["turn"]
        text = client.create_completion(LONG, ["hi"], stream=True).collect()
        assert (text, live.counts()["turn"]) == (stored(live), before + 1)
