"""In no while go out more requests than agreed, and none waits without need."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from math import inf, nan
from threading import Thread

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatloom.core.errors import ConnectError, SettingsError, TimedOut
from chatloom.core.http import Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.outside import guard
from chatloom.policies.ration import Ration
from chatloom.policies.retry import Retry
from support.crowd import Crowd, Frozen
from support.scripted import Scripted

GET = Request("GET", "/")


def within(times: Sequence[float], most: int, period: float) -> bool:
    """Whether no period, wherever it begins, holds more of *times* than agreed."""
    return all(last - first >= period for first, last in zip(times, times[most:], strict=False))


# Powers of two and their multiples, so that nothing is rounded.
PERIODS = st.sampled_from([0.25, 1.0, 4.0])
MOMENTS = st.integers(0, 400).map(lambda tick: tick / 16)
ARRIVALS = st.lists(MOMENTS, min_size=1, max_size=30).map(sorted)


@given(most=st.integers(1, 6), period=PERIODS, arrivals=ARRIVALS)
@example(most=3, period=1.0, arrivals=[0.0] * 8 + [4.5] * 3)
def test_no_period_is_overfull_and_nobody_waits_longer_than_needed(
    most: int, period: float, arrivals: list[float]
) -> None:
    sent = Crowd(Ration(most, period)).run(arrivals, {})
    times = list(sent.values())
    assert list(sent) == [f"/{number}" for number in range(len(arrivals))]
    assert within(times, most, period)
    for number, (came, went) in enumerate(zip(arrivals, times, strict=True)):
        assert went == came or went == times[number - most] + period


@given(
    most=st.integers(1, 6),
    period=PERIODS,
    arrivals=ARRIVALS,
    given_up=st.dictionaries(st.integers(0, 29), MOMENTS.map(lambda late: late / 4)),
)
@example(most=1, period=1.0, arrivals=[0.0, 0.0, 0.0, 0.75], given_up={1: 0.5})
@example(most=1, period=1.0, arrivals=[0.0, 0.0, 0.0, 1.5], given_up={1: 0.5})
@example(most=2, period=1.0, arrivals=[0.0] * 6 + [1.5], given_up={2: 0.5, 3: 0.5, 5: 0.5})
@example(most=3, period=4.0, arrivals=[0.0] * 9 + [4.5] * 4, given_up={4: 0.1, 5: 0.1, 6: 0.1})
def test_those_who_give_up_make_nobody_late_and_no_period_overfull(
    most: int, period: float, arrivals: list[float], given_up: dict[int, float]
) -> None:
    patient = Crowd(Ration(most, period)).run(arrivals, {})
    sent = Crowd(Ration(most, period)).run(arrivals, given_up)
    assert within(sorted(sent.values()), most, period)
    assert all(went <= patient[name] for name, went in sent.items())


@pytest.mark.parametrize(
    ("most", "crowd", "given_up", "arrivals", "expected"),
    [
        pytest.param(1, 4, {1}, [0.5, 0.5], [1, 4], id="the moment is still to come"),
        pytest.param(1, 4, {1}, [1.5], [4], id="the moment has passed"),
        pytest.param(1, 4, {1, 2, 3}, [0.5, 0.5], [1, 2], id="nobody waits any more"),
        pytest.param(2, 6, {2, 3, 4, 5}, [0.5, 1.5], [1, 1.5], id="half of it was left"),
    ],
)
def test_who_comes_next_has_the_moment_of_who_gave_up(
    most: int, crowd: int, given_up: set[int], arrivals: list[float], expected: list[float]
) -> None:
    waiting = Crowd(Ration(most, 1))
    sent = waiting.run([0.0] * crowd + arrivals, dict.fromkeys(given_up, 0.25))
    assert [sent[f"/{crowd + late}"] for late in range(len(arrivals))] == expected


def test_five_hundred_at_once_on_ten_clients_keep_each_ones_ration() -> None:
    for _ in range(10):
        times = sorted(Crowd(Ration(10, 60)).run([0.0] * 50, {}).values())
        assert within(times, 10, 60)
        assert times[-1] == 240


@pytest.mark.parametrize(
    ("deadline", "slept"), [(1000.5, []), (1001.0, []), (1001.5, [1.0]), (None, [1.0])]
)
def test_a_wait_past_the_deadline_is_not_begun(deadline: float | None, slept: list[float]) -> None:
    outside, ration = Frozen(), Ration(1, 1)
    run_inline(ration(GET, outside))
    refused = pytest.raises(TimedOut, match=r"GET / would wait 1 s for its turn, past its deadline")
    with nullcontext() if slept else refused:
        run_inline(ration(Request("GET", "/", deadline=deadline), outside))
    assert outside.slept == slept


def test_each_attempt_counts() -> None:
    outside = Scripted(ConnectError("refused"), Response(200))
    run_inline(guard(outside, [Retry(first_delay=0.25), Ration(1, 1)]).send(GET))
    assert outside.slept == [0.25, 0.75]


def test_threads_share_a_ration() -> None:
    outside, ration = Frozen(), Ration(2, 1)
    threads = [Thread(target=lambda: run_inline(ration(GET, outside))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outside.slept) == sorted([float(number) for number in range(1, 20)] * 2)


def test_cancelled_tasks_give_their_moments_back() -> None:
    class Endless(Frozen):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            await asyncio.Event().wait()

    async def main() -> None:
        waiting = [asyncio.create_task(ration(GET, outside)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)

    outside, ration = Endless(), Ration(1, 1)
    asyncio.run(main())
    assert outside.slept == [1, 2, 3, 4]
    world = Frozen()
    run_inline(ration(GET, world))
    assert world.slept == [1]


@pytest.mark.parametrize("requests", [0, -1, 1.5])
def test_a_ration_of_nothing_is_refused(requests: int) -> None:
    with pytest.raises(SettingsError, match="a ration is a whole number from 1"):
        Ration(requests, 1)


@pytest.mark.parametrize("period", [0, -1, nan, inf, 1e300])
def test_a_period_nobody_can_count_is_refused(period: float) -> None:
    with pytest.raises(SettingsError, match="a ration is for a number of seconds above 0"):
        Ration(1, period)
