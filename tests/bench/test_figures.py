"""The arithmetic of the benchmark: ratios inside a repetition, and verdicts."""

from __future__ import annotations

import pytest
from bench.figures import Comparison, Figure, Result, Series, Target, comparisons, missing, over


def measured(*targets: Target, more: bool = False, **values: list[float | None]) -> Result:
    figure = Figure(
        title="a request",
        side="client",
        scenario="request",
        quantity="cpu_us",
        unit="µs",
        more_is_better=more,
        targets=targets,
    )
    found = [Series(name, is_ours=name == "ours", values=told) for name, told in values.items()]
    return Result(figure, found)


def only(result: Result) -> Comparison:
    (found,) = comparisons(result)
    return found


def test_a_gain_is_the_median_of_the_ratios_inside_the_repetitions() -> None:
    # The medians alone would say 100 / 10.
    found = only(measured(peer=[10.0, 100.0, 900.0], ours=[5.0, 20.0, 10.0]))
    assert found.gains == [2.0, 5.0, 90.0]
    assert found.gain == 5.0


def test_more_of_a_throughput_is_a_gain() -> None:
    assert only(measured(more=True, peer=[10.0], ours=[500.0])).gain == 50.0


@pytest.mark.parametrize(
    ("target", "ours", "reached"),
    [
        (Target(against="peer", least=10), 10.0, True),
        (Target(against="peer", least=10), 10.1, False),
        (Target(against="peer", most=4), 400.0, True),
        (Target(against="peer", most=4), 401.0, False),
        (Target(against="somebody", least=10), 10.0, None),
        (Target(against="peer", least=10, of="others"), 10.0, None),
    ],
)
def test_a_target_is_judged_by_its_own_peer(
    target: Target, ours: float, reached: bool | None
) -> None:
    assert only(measured(target, peer=[100.0], ours=[ours])).is_reached is reached


@pytest.mark.parametrize(("ours", "reached"), [(60.0, True), (61.0, False), (-1.0, True)])
def test_a_limit_needs_no_peer(ours: float, reached: bool) -> None:
    found = only(measured(Target(most=60), ours=[ours]))
    assert found.against is None
    assert found.is_reached is reached


def test_a_repetition_in_which_one_failed_counts_for_neither() -> None:
    found = only(measured(peer=[10.0, None, 30.0], ours=[1.0, 1.0, None]))
    assert found.gains == [10.0]


def test_a_peer_that_never_answered_is_not_compared_with() -> None:
    assert comparisons(measured(peer=[None, None], ours=[1.0, 1.0])) == []


def test_a_target_without_its_peer_is_missing_and_not_reached() -> None:
    target = Target(against="peer", least=10)
    result = measured(target, peer=[], ours=[1.0])
    assert comparisons(result) == []
    assert missing(result) == [target]


def test_a_stand_in_is_judged_only_where_its_better_is_absent() -> None:
    better, stand_in = (
        Target(against="nginx", most=10),
        Target(against="bare", most=2, instead_of="nginx"),
    )
    both = measured(better, stand_in, nginx=[10.0], bare=[10.0], ours=[50.0])
    alone = measured(better, stand_in, bare=[10.0], ours=[50.0])
    assert [one.is_reached for one in comparisons(both)] == [True, None]
    assert [one.is_reached for one in comparisons(alone)] == [False]
    assert missing(alone) == [better]


def test_what_is_subtracted_is_of_the_same_repetition() -> None:
    assert over([30.0, 50.0, None], [10.0, 40.0, 10.0]) == [20.0, 10.0, None]
