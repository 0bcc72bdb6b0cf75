"""Many waits, one timer."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from chatloom.transports.aio.limits import Limits


async def wait(limits: Limits, limit: float | None, needs: float) -> str:
    try:
        with limits.within(limit):
            await asyncio.sleep(needs)
    except TimeoutError:
        return "too late"
    return "in time"


@pytest.mark.parametrize("order", [1, -1])
def test_each_wait_has_its_own_limit(order: int) -> None:
    cases = [
        (0.05, 9, "too late"),
        (0.1, 9, "too late"),
        (9, 0.15, "in time"),
        (None, 0.2, "in time"),
    ]

    async def all_at_once() -> list[str]:
        limits = Limits()
        waits = [wait(limits, limit, needs) for limit, needs, _ in cases[::order]]
        return await asyncio.gather(*waits)

    assert asyncio.run(all_at_once()) == [outcome for _, _, outcome in cases[::order]]


def test_a_timer_that_found_nothing_late_looks_again() -> None:
    async def one_by_one() -> list[str]:
        limits = Limits()
        return [await wait(limits, 0.1, needs) for needs in (0.06, 0.06, 0.06, 9, 0.01, 9)]

    told = ["in time", "in time", "in time", "too late", "in time", "too late"]
    assert asyncio.run(one_by_one()) == told


def test_a_task_that_others_cancel_stays_cancelled() -> None:
    async def cancel(after: float) -> bool:
        waiting = asyncio.create_task(wait(Limits(), 0.05, 9))
        await asyncio.sleep(after)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return waiting.cancelled()

    assert asyncio.run(cancel(0.01))


def test_a_limit_that_passes_while_others_cancel_hides_nothing() -> None:
    async def both() -> None:
        limits = Limits()
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(0.02, task.cancel)
        with limits.within(0.01):
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError:
                await asyncio.sleep(9)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(both())


def test_an_error_of_the_block_is_no_time_out() -> None:
    async def fail() -> None:
        with Limits().within(9):
            raise ValueError

    with pytest.raises(ValueError):
        asyncio.run(fail())


def test_a_task_is_forgotten_when_its_wait_is_over() -> None:
    async def forget() -> bool:
        limits = Limits()
        task = asyncio.create_task(wait(limits, 9, 0))
        await task
        seen = weakref.ref(task)
        del task
        await asyncio.sleep(0)  # until the loop itself has let go of it
        gc.collect()
        return seen() is None

    assert asyncio.run(forget())
