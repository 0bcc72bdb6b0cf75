"""Requests go out no faster than agreed, and no slower."""

from __future__ import annotations

import asyncio
import gc
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
from chatloom.policies.pace import Pace
from chatloom.policies.retry import Retry
from support.crowd import Crowd, Frozen
from support.scripted import Scripted

GET = Request("GET", "/")


def within(times: Sequence[float], rate: float, burst: int) -> bool:
    """Whether no window of time holds more of *times* than agreed."""
    return all(
        last - first + 1 <= burst + rate * (times[last] - times[first])
        for first in range(len(times))
        for last in range(first, len(times))
    )


def cannot_be_earlier(times: Sequence[float], last: int, rate: float, burst: int) -> bool:
    """Whether some window that ends with the *last* of *times* is full."""
    return any(
        last - first + 1 == burst + rate * (times[last] - times[first]) for first in range(last)
    )


# Powers of two and their multiples, so that nothing is rounded.
RATES = st.sampled_from([0.25, 0.5, 1.0, 2.0, 8.0])
MOMENTS = st.integers(0, 400).map(lambda tick: tick / 16)
ARRIVALS = st.lists(MOMENTS, min_size=1, max_size=30).map(sorted)


@given(rate=RATES, burst=st.integers(1, 6), arrivals=ARRIVALS)
@example(rate=1.0, burst=3, arrivals=[0.0] * 8 + [4.5] * 3)
def test_no_window_is_overfull_and_nobody_waits_longer_than_needed(
    rate: float, burst: int, arrivals: list[float]
) -> None:
    sent = Crowd(Pace(per_second=rate, burst=burst)).run(arrivals, {})
    times = list(sent.values())
    assert list(sent) == [f"/{number}" for number in range(len(arrivals))]
    assert within(times, rate, burst)
    for number, (came, went) in enumerate(zip(arrivals, times, strict=True)):
        assert went == came or cannot_be_earlier(times, number, rate, burst)


@given(
    rate=RATES,
    burst=st.integers(1, 6),
    arrivals=ARRIVALS,
    given_up=st.dictionaries(st.integers(0, 29), MOMENTS.map(lambda late: late / 4)),
)
@example(rate=1.0, burst=1, arrivals=[0.0, 0.0, 0.0, 0.75], given_up={1: 0.5})
@example(rate=1.0, burst=1, arrivals=[0.0, 0.0, 0.0, 1.5], given_up={1: 0.5})
@example(rate=1.0, burst=3, arrivals=[0.0] * 9 + [4.5] * 4, given_up={4: 0.1, 5: 0.1, 6: 0.1})
def test_those_who_give_up_make_nobody_late_and_no_window_overfull(
    rate: float, burst: int, arrivals: list[float], given_up: dict[int, float]
) -> None:
    patient = Crowd(Pace(per_second=rate, burst=burst)).run(arrivals, {})
    sent = Crowd(Pace(per_second=rate, burst=burst)).run(arrivals, given_up)
    assert within(sorted(sent.values()), rate, burst)
    assert all(went <= patient[name] for name, went in sent.items())


@pytest.mark.parametrize(
    ("burst", "crowd", "given_up", "arrivals", "expected"),
    [
        pytest.param(1, 4, {1}, [0.5, 0.5], [1, 4], id="the turn is still to come"),
        pytest.param(1, 4, {1, 2}, [0.5, 0.5, 0.5], [1, 2, 4], id="two turns are to come"),
        pytest.param(1, 4, {1}, [1.5], [4], id="the turn has passed"),
        pytest.param(1, 4, {1, 2, 3}, [0.5, 0.5], [1, 2], id="nobody waits any more"),
        pytest.param(3, 9, {3, 4}, [4.5] * 3, [4.5, 4.5, 7], id="a bucket keeps passed turns"),
        pytest.param(3, 9, {3, 4, 5}, [4.5] * 3, [4.5, 4.5, 7], id="one less than it holds"),
        pytest.param(3, 6, {3}, [3.5] * 3, [3.5, 4, 5], id="all have gone"),
        pytest.param(3, 9, {3, 4, 5, 6, 7, 8}, [3.5] * 4, [3.5, 3.5, 3.5, 4.5], id="it is full"),
    ],
)
def test_who_comes_next_has_the_turn_of_who_gave_up(
    burst: int, crowd: int, given_up: set[int], arrivals: list[float], expected: list[float]
) -> None:
    waiting = Crowd(Pace(per_second=1, burst=burst))
    sent = waiting.run([0.0] * crowd + arrivals, dict.fromkeys(given_up, 0.25))
    assert [sent[f"/{crowd + late}"] for late in range(len(arrivals))] == expected


def waits(pace: Pace, requests: int) -> list[float]:
    """How long each of so many requests waits that come at once."""
    outside = Frozen()
    for _ in range(requests):
        before = len(outside.slept)
        run_inline(pace(GET, outside))
        if len(outside.slept) == before:
            outside.slept.append(0.0)
    return outside.slept


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        (Pace(per_second=4), [0, 0.25, 0.5, 0.75]),
        (Pace(per_second=0.5), [0, 2, 4, 6]),
        (Pace(per_minute=30), [0, 2, 4, 6]),
        (Pace(per_second=4, burst=3), [0, 0, 0, 0.25]),
        (Pace(per_minute=1, burst=100), [0, 0, 0, 0]),
    ],
)
def test_each_waits_for_its_turn(pace: Pace, expected: list[float]) -> None:
    assert waits(pace, 4) == pytest.approx(expected)


def test_a_bucket_fills_again_and_no_further() -> None:
    outside, pace = Scripted(*[Response(200)] * 9), Pace(per_second=1, burst=2)
    for pause in (0, 0, 0, 60, 0, 0):
        outside.slept.append(pause)
        run_inline(pace(GET, outside))
    assert outside.slept == [0, 0, 0, 1, 60, 0, 0, 1]


@pytest.mark.parametrize(
    ("deadline", "slept"), [(1000.5, []), (1001.0, []), (1001.5, [1.0]), (None, [1.0])]
)
def test_a_wait_past_the_deadline_is_not_begun(deadline: float | None, slept: list[float]) -> None:
    outside, pace = Frozen(), Pace(per_second=1)
    run_inline(pace(GET, outside))
    refused = pytest.raises(TimedOut, match=r"GET / would wait 1 s for its turn, past its deadline")
    with nullcontext() if slept else refused:
        run_inline(pace(Request("GET", "/", deadline=deadline), outside))
    assert outside.slept == slept
    assert len(outside.requests) == 1 + len(slept)


def test_who_does_not_wait_takes_no_turn() -> None:
    outside, pace = Frozen(), Pace(per_second=1)
    run_inline(pace(GET, outside))
    for _ in range(5):
        with pytest.raises(TimedOut):
            run_inline(pace(Request("GET", "/", deadline=1000.5), outside))
    run_inline(pace(GET, outside))
    assert outside.slept == [1.0]


def test_a_wait_past_the_deadline_is_not_tried_again() -> None:
    outside = Frozen()
    paced = guard(outside, [Retry(), Pace(per_minute=1)])
    run_inline(paced.send(GET))
    with pytest.raises(TimedOut):
        run_inline(paced.send(Request("GET", "/", deadline=1030.0)))
    assert outside.slept == []


def test_a_request_whose_turn_it_is_goes_out_even_late() -> None:
    outside = Frozen()
    run_inline(Pace(per_second=1)(Request("GET", "/", deadline=900.0), outside))
    assert len(outside.requests) == 1


def test_each_attempt_counts() -> None:
    outside = Scripted(ConnectError("refused"), Response(200))
    run_inline(guard(outside, [Retry(first_delay=0.25), Pace(per_second=1)]).send(GET))
    assert outside.slept == [0.25, 0.75]


def test_threads_share_a_pace() -> None:
    outside, pace = Frozen(), Pace(per_second=8)
    threads = [Thread(target=lambda: run_inline(pace(GET, outside))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outside.slept) == [number / 8 for number in range(1, 40)]


def test_event_loops_share_a_pace() -> None:
    outside, pace = Frozen(suspends=True), Pace(per_second=8)

    async def three() -> None:
        await asyncio.gather(*(pace(GET, outside) for _ in range(3)))

    for _ in range(2):
        asyncio.run(three())
    assert outside.slept == [number / 8 for number in range(1, 6)]


class Interrupted(Frozen):
    """A world in which a wait is broken off by what it is given."""

    stop: BaseException | None = None
    time = 1000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self.stop is not None:
            raise self.stop


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), asyncio.CancelledError(), OSError()])
def test_a_broken_wait_gives_its_turn_to_the_next(stop: BaseException) -> None:
    outside, pace = Interrupted(), Pace(per_second=1)
    run_inline(pace(GET, outside))
    outside.stop = stop
    with pytest.raises(type(stop)):
        run_inline(pace(GET, outside))
    outside.stop = None
    run_inline(pace(GET, outside))
    assert outside.slept == [1.0, 1.0]


def test_a_turn_that_has_passed_is_not_given_back() -> None:
    world, pace = Interrupted(), Pace(per_second=1, burst=2)
    for _ in range(2):
        run_inline(pace(GET, world))
    slow = pace(GET, crowd := Crowd(pace, world.time))
    slow.send(None)
    world.time = 1060.0  # the bucket has run over since
    for _ in range(2):
        run_inline(pace(GET, world))
    crowd.time = world.time
    slow.close()
    run_inline(pace(GET, world))
    assert world.slept == [1.0]


def test_cancelled_tasks_give_their_turns_back() -> None:
    class Endless(Frozen):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            await asyncio.Event().wait()

    async def main() -> None:
        waiting = [asyncio.create_task(pace(GET, outside)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)

    outside, pace = Endless(), Pace(per_second=1)
    asyncio.run(main())
    assert outside.slept == [1, 2, 3, 4]
    assert waits(pace, 2) == [1, 2]


def test_a_coroutine_that_is_collected_gives_its_turn_back() -> None:
    crowd = Crowd(pace := Pace(per_second=1))
    for _ in range(3):
        waiting = pace(GET, crowd)
        try:
            waiting.send(None)
        except StopIteration:
            continue
        del waiting
    gc.collect()
    assert pace(GET, crowd).send(None) == 1.0  # when it would be woken


@pytest.mark.parametrize("number", [0, -1, nan, inf, 1e-300, 1e300])
def test_a_pace_nobody_can_keep_is_refused(number: float) -> None:
    with pytest.raises(SettingsError, match="a pace is a number above 0"):
        Pace(per_second=number)
    with pytest.raises(SettingsError, match="a pace is a number above 0"):
        Pace(per_minute=number)


@pytest.mark.parametrize("burst", [0, -1, 10**400])
def test_a_burst_of_nothing_is_refused(burst: int) -> None:
    with pytest.raises(SettingsError, match="burst must be a whole number"):
        Pace(per_second=1, burst=burst)


def test_a_pace_has_one_rate() -> None:
    with pytest.raises(SettingsError, match="either per_second or per_minute"):
        Pace()
    with pytest.raises(SettingsError, match="either per_second or per_minute"):
        Pace(per_second=1, per_minute=60)
