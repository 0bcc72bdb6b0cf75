"""Many calls at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from puter import PuterAI, PuterStatusError
from support.puter import echo, lines, refused, service, text
from transports.scripted import Asked

CLIENTS, CALLS = 10, 50


def pairs(client: PuterAI) -> list[tuple[Any, Any]]:
    """The history, question by question; every odd message must be an answer."""
    history = client.chat_history
    assert [one["role"] for one in history] == ["user", "assistant"] * (len(history) // 2)
    told = [one["content"] for one in history]
    return list(zip(told[::2], told[1::2], strict=True))


def test_histories_stay_whole_however_many_calls_there_are() -> None:
    async def main(clients: list[PuterAI]) -> list[str]:
        calls = [
            client.async_chat(f"{name}.{number}")
            for number in range(CALLS)
            for name, client in enumerate(clients)
        ]
        answers = await asyncio.gather(*calls)
        for client in clients:
            await client.aclose()
        return answers

    with service(echo) as puter:
        clients = [puter.client() for _ in range(CLIENTS)]
        answers = asyncio.run(main(clients))
        assert Counter(puter.targets) == {
            "POST /login": CLIENTS,
            "POST /drivers/call": CLIENTS * CALLS,
        }
    assert answers == [f"{name}.{n}" for n in range(CALLS) for name in range(CLIENTS)]
    for name, client in enumerate(clients):
        told = pairs(client)
        assert sorted(told) == sorted((f"{name}.{n}", f"{name}.{n}") for n in range(CALLS))
        assert client.usage.requests == CALLS + 1


def test_no_client_sends_faster_than_it_may() -> None:
    most, period, tick = 20, 0.05, time.get_clock_info("monotonic").resolution
    arrived: dict[str, list[float]] = {}

    def timed(asked: Asked) -> Any:
        arrived.setdefault(asked.all("x-client")[0], []).append(time.monotonic())
        return echo(asked)

    async def main(clients: list[PuterAI]) -> None:
        calls = (client.async_chat(f"{n}") for client in clients for n in range(CALLS))
        await asyncio.gather(*calls)
        await asyncio.gather(*(client.aclose() for client in clients))

    with service(timed) as puter:
        limits = {"rate_limit_requests": most, "rate_limit_period": period, "token": "t"}
        clients = [puter.client(headers={"X-Client": f"{n}"}, **limits) for n in range(CLIENTS)]
        began = time.monotonic()
        asyncio.run(main(clients))
    assert len(arrived) == CLIENTS
    for times in arrived.values():
        # None can arrive before it was sent. When it was let through, the network does not tell.
        earliest = [began - tick + number // most * period for number in range(CALLS)]
        assert all(moment >= first for moment, first in zip(sorted(times), earliest, strict=True))
    assert {len(pairs(client)) for client in clients} == {CALLS}


def test_pairs_are_remembered_as_they_end() -> None:
    async def main(client: PuterAI) -> None:
        async with client:
            slow = client.astream("slow")
            assert await anext(slow) == "a"
            assert await client.async_chat("quick") == "quick"
            assert await slow.collect() == "ab"
            assert pairs(client) == [("quick", "quick"), ("slow", "ab")]

    answers = [lines(*text("a", "b"), {"type": "usage", "usage": {}}), echo]
    with service(*answers) as puter:
        asyncio.run(main(puter.client()))


def test_one_that_fails_among_many_leaves_the_others_alone() -> None:
    async def main(client: PuterAI) -> list[object]:
        async with client:
            calls = (client.async_chat(f"{n}") for n in range(3))
            return list(await asyncio.gather(*calls, return_exceptions=True))

    with service(echo, refused(b"400 Bad Request", "bad_request", "No."), echo) as puter:
        client = puter.client()
        told = asyncio.run(main(client))
    assert sum(isinstance(one, PuterStatusError) for one in told) == 1
    assert len(pairs(client)) == 2


def test_a_call_that_is_cancelled_is_not_remembered() -> None:
    async def main(client: PuterAI) -> None:
        async with client:
            call = asyncio.create_task(client.async_chat("hi"))
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await client.async_chat("again") == "again"
            assert pairs(client) == [("again", "again")]

    with service(echo) as puter:
        asyncio.run(main(puter.client()))


def test_a_client_serves_several_event_loops_and_threads_between() -> None:
    with service(echo) as puter:
        client = puter.client()
        assert asyncio.run(client.async_chat("one")) == "one"
        assert client.chat("two") == "two"
        assert asyncio.run(client.async_chat("three")) == "three"
        asyncio.run(client.aclose())
    assert [question for question, _ in pairs(client)] == ["one", "two", "three"]


def test_a_client_is_closed_behind_a_block() -> None:
    async def main() -> PuterAI:
        async with puter.client() as client:
            await client.async_chat("hi")
        return client

    with service(echo) as puter:
        assert asyncio.run(main()).token is None
        with puter.client() as client:
            client.chat("hi")
        assert client.token is None
