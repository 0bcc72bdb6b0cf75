"""How long providers may take."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from server.models.asking import prompt
from server.models.provider import (
    DONE,
    ended,
    event,
    heard,
    kind,
    provider,
    run,
    said,
    silent_after,
    streams,
)
from transports.scripted import Peer


@pytest.mark.parametrize("head", [True, False])
def test_an_answer_that_does_not_begin_times_out(head: bool) -> None:
    answered = heard(silent_after(head=head), first_token_timeout=0.05)
    assert (kind(answered), answered.deltas) == ("timed_out", [])


def test_heartbeats_and_empty_chunks_are_no_beginning() -> None:
    def reply(peer: Peer) -> None:
        peer.say(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for _ in range(50):
            peer.say(b": processing\n\n", event(said("", role="assistant")))
            time.sleep(0.01)

    answered = heard(reply, first_token_timeout=0.1)
    assert (kind(answered), answered.deltas) == ("timed_out", [])


def test_an_answer_that_falls_silent_times_out() -> None:
    answered = heard(silent_after(said("Hel")), first_token_timeout=5, idle_timeout=0.05)
    assert (kind(answered), answered.text()) == ("timed_out", "Hel")


def test_a_slow_answer_does_not_time_out() -> None:
    def reply(peer: Peer) -> None:
        peer.say(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for _ in range(8):
            peer.say(event(said("x")))
            time.sleep(0.03)
        peer.say(event(ended()))
        peer.close()

    answered = heard(reply, first_token_timeout=0.15, idle_timeout=0.15)
    assert (answered.error, answered.text()) == (None, "x" * 8)


def test_a_silent_connection_after_done_is_not_waited_for() -> None:
    start = time.monotonic()
    answered = heard(silent_after(said("Hi"), ended(), DONE))
    assert (answered.error, answered.text()) == (None, "Hi")
    assert time.monotonic() - start < 1


def test_whole_answers_share_a_connection() -> None:
    async def asks() -> None:
        with provider(streams(said("Hi"), ended(), DONE)) as acme:
            for _ in range(3):
                assert (await acme.asked()).error is None
            assert acme.server.connections == 1
            await acme.driver.close()

    run(asks())


def test_leaving_early_hangs_up() -> None:
    async def asks() -> None:
        gone = asyncio.Event()
        loop = asyncio.get_running_loop()

        def reply(peer: Peer) -> None:
            silent_after(said("Hi"))(peer)
            loop.call_soon_threadsafe(gone.set)

        with provider(reply) as acme:
            answer: Any = acme.driver.answer(prompt())
            await anext(answer)
            await answer.aclose()
            await asyncio.wait_for(gone.wait(), 5)
            await acme.driver.close()

    run(asks())
