"""The one picture: every comparison as a bar, on one logarithmic scale, as hand-written SVG.

A bar begins at "equal" and ends at the median gain: to the right ours is better, to the
left worse. The whisker spans the repetitions. The mark is the target, and a bar has to
end at its right. Limits are compared as such: twice below is a gain of two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from xml.sax.saxutils import escape

import msgspec

from bench.figures import Comparison, Result, Target, comparisons, missing
from bench.report import Report, bound, number, spread, times

_WIDTH, _ROW, _HEADING = 1120, 24, 46
_LEFT, _RIGHT, _ASIDE = 320, 800, 1014
"""Where the scale begins and ends, and where the targets stand."""
_LABEL = 34
"""The room that the name of a tick needs."""
_TICKS = [digit * 10.0**power for power in range(-4, 4) for digit in (1, 2, 5)]
_STYLE = """
svg { --paper: #ffffff; --ink: #1f2328; --soft: #656d76; --line: #d8dee4; --equal: #8c959f;
  --good: #2f7d4f; --bad: #c4472b; --plain: #5a7ba6; --mark: #1f2328; }
@media (prefers-color-scheme: dark) { svg { --paper: #0d1117; --ink: #e6edf3; --soft: #9198a1;
  --line: #262c34; --equal: #6e7681; --good: #56b37c; --bad: #ef7d61; --plain: #7d9fd0;
  --mark: #f0f3f6; } }
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
  fill: var(--ink); }
.title { font-size: 20px; font-weight: 600; } .heading { font-size: 14px; font-weight: 600; }
.soft, .tick { fill: var(--soft); } .tick { font-size: 11px; text-anchor: middle; }
.label { text-anchor: end; } .small { font-size: 12px; }
.paper { fill: var(--paper); } .good { fill: var(--good); } .bad { fill: var(--bad); }
.plain { fill: var(--plain); } .grid { stroke: var(--line); } .equal { stroke: var(--equal); }
.whisker { stroke: var(--ink); stroke-width: 1.2; opacity: .75; }
.mark { stroke: var(--mark); stroke-width: 2.5; }
.open { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 2 2; }
"""


class Bar(msgspec.Struct, frozen=True):
    """One line of the picture."""

    label: str
    told: str
    aside: str
    gains: list[float]
    """None for what was not measured."""
    target: float | None
    is_reached: bool | None


def drawn(told: Report) -> str:
    """Draw the picture."""
    sections = _sections(told)
    scale = Scale.of([bar for bars in sections.values() for bar in bars])
    top, lines = 132, [*_axis(scale, 132), _text(_ASIDE, 132, "to reach", "soft small")]
    for heading, bars in sections.items():
        lines.append(_text(28, top + 28, heading, "heading"))
        lines += _grid(scale, top + _HEADING - 8, top + _HEADING + len(bars) * _ROW)
        for at, bar in enumerate(bars):
            lines += _bar(bar, scale, top + _HEADING + at * _ROW + _ROW / 2)
        top += _HEADING + len(bars) * _ROW + 4
    lines += _axis(scale, top + 12)
    foot = list(_foot(told))
    lines += [_text(28, top + 52 + 19 * at, line, "soft small") for at, line in enumerate(foot)]
    height = top + 52 + 19 * len(foot) + 8
    return "\n".join([*_head(told, height), *lines, "</svg>", ""])


class Scale(msgspec.Struct, frozen=True):
    """Where on the paper a gain lies."""

    low: float
    high: float

    @classmethod
    def of(cls, bars: list[Bar]) -> Scale:
        """A scale on which all *bars* find room."""
        gains = [1.0, *(gain for bar in bars for gain in bar.gains)]
        gains += [bar.target for bar in bars if bar.target is not None]
        below = [tick for tick in _TICKS if tick <= min(gains)]
        above = [tick for tick in _TICKS if tick >= max(gains)]
        return cls(below[-1] if below else _TICKS[0], above[0] if above else _TICKS[-1])

    @property
    def ticks(self) -> list[float]:
        """The gains that have a line."""
        return [tick for tick in _TICKS if self.low <= tick <= self.high]

    def at(self, gain: float) -> float:
        """The place of *gain*; what lies beyond the scale stays at its end."""
        span = max(math.log(self.high / self.low), 1e-9)
        share = math.log(max(gain, 1e-9) / self.low) / span
        return round(_LEFT + (_RIGHT - _LEFT) * min(1.0, max(0.0, share)), 1)


def _sections(told: Report) -> dict[str, list[Bar]]:
    """The bars, by side and by whom ours is compared with; the limits come last."""
    found: dict[tuple[str, bool, str], list[Bar]] = {}
    for result in told.results:
        side = result.figure.side
        for one in comparisons(result):
            key = side, one.against is None, _heading(one.ours, one.against)
            found.setdefault(key, []).append(_compared(one, result))
        for ours in result.ours:
            for target in missing(result):
                key = side, False, _heading(ours.name, target.against)
                found.setdefault(key, []).append(_unmeasured(target, result, told))
    # Sorting is stable: those of one kind stay in the order of the figures.
    return {key[2]: found[key] for key in sorted(found, key=lambda key: key[:2])}


def _heading(ours: str, against: str | None) -> str:
    return f"{ours} against {against}" if against else f"{ours}, limits to keep"


def _compared(one: Comparison, result: Result) -> Bar:
    more, unit = result.figure.more_is_better, result.figure.unit
    if one.against is None:
        known = next(series for series in result.ours if series.name == one.ours).known
        low_high = f" ({number(min(known))}-{number(max(known))})" if len(known) > 1 else ""
        told = f"{number(median(known))} {unit}{low_high}"
    else:
        low_high = spread(one.gains, more_is_better=more)
        told = times(one.gain, more_is_better=more) + (f" ({low_high})" if low_high else "")
    target = one.target
    return Bar(
        result.figure.title,
        told,
        bound(target, unit) if target is not None else "",
        one.gains,
        target.gain if target is not None else None,
        one.is_reached,
    )


def _unmeasured(target: Target, result: Result, told: Report) -> Bar:
    why = told.absent.get(target.against or "", "failed")
    wanted = bound(target, result.figure.unit)
    return Bar(result.figure.title, f"skipped: {why}", wanted, [], target.gain, None)


def _bar(bar: Bar, scale: Scale, y: float) -> Iterator[str]:
    yield _text(_LEFT - 14, y + 4.5, bar.label, "label")
    if bar.gains:
        yield from _measured(bar, scale, y)
    if bar.target is not None:
        x = scale.at(bar.target)
        kind = "mark" if bar.gains else "open"
        yield f'<line class="{kind}" x1="{x}" x2="{x}" y1="{y - 9}" y2="{y + 9}"/>'
    kind = "soft" if not bar.gains or bar.is_reached is None else ""
    yield _text(_RIGHT + 16, y + 4.5, bar.told, kind)
    if bar.aside:
        yield _text(_ASIDE, y + 4.5, bar.aside, "soft")


def _measured(bar: Bar, scale: Scale, y: float) -> Iterator[str]:
    equal, end = scale.at(1), scale.at(median(bar.gains))
    kind = {None: "plain", True: "good", False: "bad"}[bar.is_reached]
    left, width = min(equal, end), max(abs(end - equal), 1.5)
    yield f'<rect class="{kind}" x="{left}" y="{y - 6}" width="{width:.1f}" height="12" rx="2"/>'
    if len(bar.gains) > 1:
        low, high = scale.at(min(bar.gains)), scale.at(max(bar.gains))
        path = f"M{low} {y - 3}v6M{low} {y}H{high}M{high} {y - 3}v6"
        yield f'<path class="whisker" fill="none" d="{path}"/>'


def _grid(scale: Scale, top: float, bottom: float) -> Iterator[str]:
    for tick in scale.ticks:
        x, kind = scale.at(tick), "equal" if tick == 1 else "grid"
        yield f'<line class="{kind}" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>'


def _axis(scale: Scale, y: float) -> Iterator[str]:
    places = [scale.at(tick) for tick in scale.ticks]
    crowded = any(after - before < _LABEL for before, after in pairwise(places))
    for tick, x in zip(scale.ticks, places, strict=True):
        if not crowded or f"{tick:e}".startswith("1."):
            yield _text(x, y, _name(tick), "tick")


def _name(tick: float) -> str:
    if tick == 1:
        return "equal"
    return f"{tick:g}x" if tick > 1 else f"1/{1 / tick:g}"


def _head(told: Report, height: float) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}"'
        f' width="{_WIDTH}" height="{height:g}" role="img" aria-label="chatloom, measured">'
    )
    yield f"<style>{_STYLE}</style>"
    yield f'<rect class="paper" width="{_WIDTH}" height="{height:g}"/>'
    yield _text(28, 40, "chatloom, measured", "title")
    yield _text(
        28,
        64,
        "How many times better than the other, on a logarithmic scale: right of “equal” ours takes"
        " less, or does more a second; left of it, it is worse.",
        "soft",
    )
    x = 28
    for kind, name in (("good", "target reached"), ("bad", "not reached"), ("plain", "no target")):
        yield f'<rect class="{kind}" x="{x}" y="79" width="22" height="12" rx="2"/>'
        yield _text(x + 29, 89.5, name, "small")
        x += 130
    yield f'<line class="mark" x1="{x + 6}" x2="{x + 6}" y1="76" y2="94"/>'
    yield _text(x + 16, 89.5, "target: a bar is to end right of it", "small")
    yield f'<path class="whisker" fill="none" d="M{x + 250} 82v6M{x + 250} 85h26M{x + 276} 82v6"/>'
    yield _text(x + 284, 89.5, "min-max of the repetitions", "small")


def _foot(told: Report) -> Iterator[str]:
    often = "one repetition" if told.repetitions == 1 else f"{told.repetitions} repetitions"
    yield f"{told.at[:10]}, {told.python} on {told.machine}, {often}; medians of ratios in one run."
    shown = {name: found for name, found in told.versions.items() if name not in {"httptools"}}
    yield ", ".join(f"{name} {found}" for name, found in shown.items())
    if told.absent:
        yield "Skipped: " + ", ".join(f"{name} ({why})" for name, why in told.absent.items())


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(text)}</text>'
