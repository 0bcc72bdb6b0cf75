"""The table and the picture: everything measured is in them, and everything skipped is said."""

from __future__ import annotations

import io
import math
from xml.etree import ElementTree

import pytest
from bench.figures import Figure, Result, Series, Target
from bench.picture import Bar, Scale, drawn
from bench.report import Report, number, report, spread, times
from bench.table import show
from rich.console import Console

SVG = "{http://www.w3.org/2000/svg}"


def figure(title: str, *targets: Target, side: str = "client") -> Figure:
    return Figure(title=title, side=side, scenario="s", quantity="q", unit="µs", targets=targets)


@pytest.fixture
def told() -> Report:
    results = [
        Result(
            figure("request", Target(against="openai", least=10), Target(against="gone", least=2)),
            [
                Series("openai", values=[100.0, 300.0]),
                Series("gone"),
                Series("<ours>", is_ours=True, values=[5.0, 10.0]),
            ],
        ),
        Result(
            figure("chunk", Target(against="floor", most=4)),
            [
                Series("floor", values=[1.0, 1.0]),
                Series("<ours>", is_ours=True, values=[8.0, 8.0]),
            ],
        ),
        Result(
            figure("turn", Target(most=40)),
            [Series("<ours>", is_ours=True, values=[80.0, 120.0])],
        ),
    ]
    return report(
        results,
        repetitions=2,
        versions={"openai": "3"},
        absent={"gone": "not installed"},
        notes=["a note"],
        failures=[],
    )


def test_the_table_has_figures_verdicts_and_what_was_skipped(told: Report) -> None:
    written = io.StringIO()
    show(told, Console(file=written, width=160))
    lines = written.getvalue().splitlines()
    ours = next(line for line in lines if "25.0x less" in line)
    assert {"20.0-30.0", "≥", "10x", "yes"} <= set(ours.split())
    assert any("gone" in line and "not installed" in line for line in lines)
    assert any("gone" in line and "not measured" in line for line in lines)
    assert any("8.00x as much" in line and "no" in line.split() for line in lines)
    assert any("the limit" in line and "≤ 40 µs" in line for line in lines)
    assert any("a note" in line for line in lines)


def test_the_picture_is_well_formed_and_names_everything(told: Report) -> None:
    picture = ElementTree.fromstring(drawn(told))
    texts = {one.text for one in picture.iter(f"{SVG}text")}
    assert {"request", "chunk", "turn", "<ours> against openai", "<ours>, limits to keep"} <= texts
    assert {"25.0x less (20.0-30.0)", "8.00x as much (8.00-8.00)", "100 µs (80.0-120)"} <= texts
    assert "skipped: not installed" in texts
    assert "Skipped: gone (not installed)" in texts


def test_the_picture_shows_each_verdict_with_its_whiskers(told: Report) -> None:
    picture = ElementTree.fromstring(drawn(told))
    bars = [one.get("class") for one in picture.iter(f"{SVG}rect") if one.get("height") == "12"]
    legend = ["good", "bad", "plain"]
    assert bars[: len(legend)] == legend
    assert sorted(str(one) for one in bars[len(legend) :]) == ["bad", "bad", "good"]
    whiskers = [one for one in picture.iter(f"{SVG}path") if one.get("class") == "whisker"]
    assert len(whiskers) == 1 + 3  # one in the legend


def test_the_scale_is_logarithmic_and_has_room_for_all() -> None:
    scale = Scale.of([Bar("", "", "", [0.3, 90.0], 20.0, None)])
    assert scale.ticks[0] == 0.2
    assert scale.ticks[-1] == 100
    steps = [scale.at(gain) for gain in (1, 10, 100)]
    assert math.isclose(steps[1] - steps[0], steps[2] - steps[1], abs_tol=0.2)
    assert scale.at(1e6) == scale.at(100)
    assert Scale.of([Bar("", "", "", [0.004], None, None)]).low <= 0.004


@pytest.mark.parametrize(
    ("gain", "more", "said"),
    [
        (13.46, False, "13.5x less"),
        (0.25, False, "4.00x as much"),
        (52.0, True, "52.0x more"),
        (0.5, True, "0.50x as many"),
        (140.2, False, "140x less"),
    ],
)
def test_gains_are_said_in_words(gain: float, more: bool, said: str) -> None:
    assert times(gain, more_is_better=more) == said


def test_bounds_are_said_the_way_the_gain_is() -> None:
    assert spread([10.0, 15.0]) == "10.0-15.0"
    assert spread([0.25, 0.5]) == "2.00-4.00"
    assert spread([10.0]) == ""


def test_numbers_have_three_digits() -> None:
    assert [number(one) for one in (1234.5, 12.345, 1.2345, -15.0)] == [
        "1,234",
        "12.3",
        "1.23",
        "-15.0",
    ]
