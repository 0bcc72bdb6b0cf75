"""Ten thousand streams left early, cancelled or broken leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest

from chatloom.core.errors import ChatloomError
from chatserver_sdk import AsyncChatServerClient, ChatServerClient
from chatserver_sdk.streaming import AsyncCompletionStream, CompletionStream
from transports.wayward import wayward

MOST = 10_000
SETTLED = 2_000
"""By then every pool, cache and free list has the size it needs."""
AT_ONCE = 20
STALL = 0.05
"""Seconds of silence that an impatient client bears."""
STALLED_EVERY = 1_000
BREAKING = ("hangs_up", "crashes", "fails")


class Holdings(NamedTuple):
    """What the process holds."""

    descriptors: int = 0
    threads: int = 0
    tasks: int = 0
    objects: int = 0
    blocks: int = 0
    """Of memory, as Python's own allocator counts them."""


def holdings(tasks: int = 0) -> Holdings:
    for _ in range(3):
        gc.collect()
    return Holdings(
        len(list(Path("/dev/fd").iterdir())),
        threading.active_count(),
        tasks,
        len(gc.get_objects()),
        sys.getallocatedblocks(),
    )


async def async_holdings() -> Holdings:
    # What was closed goes in the loop's next rounds.
    await asyncio.sleep(0.1)
    return holdings(len(asyncio.all_tasks()))


def assert_steady(before: Holdings, after: Holdings) -> None:
    """Expect no growth; one thing for each stream that ends one of the ways would be 800 things."""
    few = (MOST - SETTLED) // 20
    assert after.descriptors <= before.descriptors + 2
    assert after.threads <= before.threads
    assert after.tasks <= before.tasks
    assert after.objects <= before.objects + few
    assert after.blocks <= before.blocks + few


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with wayward() as address:
        yield address


class Enough(Exception):
    """A caller has had enough."""


Tell: TypeAlias = "Callable[[str], CompletionStream]"
AsyncTell: TypeAlias = "Callable[[str], AsyncCompletionStream]"


def leave(tell: Tell) -> None:
    for _ in tell("goes_on"):
        break


def drop_unread(tell: Tell) -> None:
    tell("goes_on")


def close(tell: Tell) -> None:
    with tell("goes_on") as stream:
        next(stream)


def fall_over(tell: Tell) -> None:
    with suppress(Enough):
        for _ in tell("goes_on"):
            raise Enough


def read(tell: Tell) -> None:
    assert len(list(tell("ends"))) == 3


def broken(model: str) -> Callable[[Tell], None]:
    def read_on(tell: Tell) -> None:
        with pytest.raises(ChatloomError):
            tell(model).collect()

    return read_on


WAYS = (leave, drop_unread, close, fall_over, read, *map(broken, BREAKING))


def test_blocking_streams_leave_nothing_behind(url: str) -> None:
    def telling(client: ChatServerClient) -> Tell:
        return lambda model: client.create_completion(model, [], stream=True)

    settled = Holdings()
    with (
        ChatServerClient("key", url, max_retries=0) as client,
        ChatServerClient("key", url, STALL, max_retries=0) as impatient,
    ):
        for number in range(MOST):
            if number == SETTLED:
                settled = holdings()
            if number % STALLED_EVERY == 0:
                broken("is_silent")(telling(impatient))
            WAYS[number % len(WAYS)](telling(client))
        assert_steady(settled, holdings())


async def async_leave(tell: AsyncTell) -> None:
    async for _ in tell("goes_on"):
        break


async def async_drop_unread(tell: AsyncTell) -> None:
    await tell("goes_on")


async def async_close(tell: AsyncTell) -> None:
    async with tell("goes_on") as stream:
        await anext(stream)


async def async_fall_over(tell: AsyncTell) -> None:
    with suppress(Enough):
        async for _ in tell("goes_on"):
            raise Enough


async def async_read(tell: AsyncTell) -> None:
    assert len([piece async for piece in tell("ends")]) == 3


def async_broken(model: str) -> Callable[[AsyncTell], Coroutine[object, object, None]]:
    async def read_on(tell: AsyncTell) -> None:
        with pytest.raises(ChatloomError):
            await tell(model).collect()

    return read_on


def cancelled(model: str) -> Callable[[AsyncTell], Coroutine[object, object, None]]:
    """Cancel a task that waits for more than there is."""

    async def cancel(tell: AsyncTell) -> None:
        async def read_on() -> None:
            async with tell(model) as stream:
                opened.set()
                await stream.collect()

        opened = asyncio.Event()
        reading = asyncio.create_task(read_on())
        await opened.wait()
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    return cancel


ASYNC_WAYS = (
    async_leave,
    async_drop_unread,
    async_close,
    async_fall_over,
    async_read,
    *map(async_broken, BREAKING),
    *map(cancelled, ("goes_on", "is_silent")),
)


def test_async_streams_leave_nothing_behind(url: str) -> None:
    def telling(client: AsyncChatServerClient) -> AsyncTell:
        return lambda model: client.create_completion(model, [], stream=True)

    async def run_all() -> None:
        settled = Holdings()
        async with (
            AsyncChatServerClient("key", url, max_retries=0) as client,
            AsyncChatServerClient("key", url, STALL, max_retries=0) as impatient,
        ):
            for number in range(0, MOST, AT_ONCE):
                if number == SETTLED:
                    settled = await async_holdings()
                if number % STALLED_EVERY == 0:
                    await async_broken("is_silent")(telling(impatient))
                ways = (ASYNC_WAYS[(number + more) % len(ASYNC_WAYS)] for more in range(AT_ONCE))
                await asyncio.gather(*(way(telling(client)) for way in ways))
            assert_steady(settled, await async_holdings())

    asyncio.run(run_all())
