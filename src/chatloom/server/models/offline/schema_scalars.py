"""Strings and numbers that fit a JSON schema."""

from __future__ import annotations

import math
from collections.abc import Mapping

from chatloom.core.http import JSON
from chatloom.server.models.offline.clues import Clues
from chatloom.server.models.offline.patterns import matching
from chatloom.server.models.offline.schema_merge import Schema, Unsatisfiable

MOST_CHARACTERS = 20_000
FAR = 1e15

_FORMATS: Mapping[str, str] = {
    "date-time": "2025-06-{day:02}T{hour:02}:30:00Z",
    "date": "2025-06-{day:02}",
    "time": "{hour:02}:{day:02}:00Z",
    "duration": "P{day}DT{hour}H",
    "email": "reader{day}.{hour}@example.com",
    "idn-email": "reader{day}.{hour}@example.com",
    "hostname": "host{day}-{hour}.example.com",
    "idn-hostname": "host{day}-{hour}.example.com",
    "ipv4": "192.0.2.{day}",
    "ipv6": "2001:db8::{day}:{hour}",
    "uuid": "00000000-0000-4000-8000-0000000{day:02}{hour:03}",
    "uri": "https://example.com/{day}/{hour}",
    "url": "https://example.com/{day}/{hour}",
    "uri-reference": "/{day}/{hour}",
    "iri": "https://example.com/{day}/{hour}",
    "iri-reference": "/{day}/{hour}",
    "uri-template": "https://example.com/{day}/{hour}",
    "json-pointer": "/{day}/{hour}",
    "relative-json-pointer": "{day}",
    "regex": "[a-z]{day}",
}


def whole(rules: Schema, word: str, otherwise: int) -> int:
    """The whole number that the rule *word* states."""
    stated = rules.get(word)
    return int(stated) if isinstance(stated, int | float) else otherwise


def string(rules: Schema, key: str, clues: Clues, attempt: int = 0) -> str:
    """Write some text for the property *key*, another one at each *attempt*."""
    shortest, longest = whole(rules, "minLength", 0), whole(rules, "maxLength", MOST_CHARACTERS)
    if shortest > min(longest, MOST_CHARACTERS):
        raise Unsatisfiable(f"no offline model writes a string of {shortest} characters")
    form, pattern = rules.get("format"), rules.get("pattern")
    if isinstance(pattern, str):
        return _fits(matching(pattern, clues.chance), shortest, longest)
    if isinstance(form, str) and form in _FORMATS:
        found = None if attempt else clues.formatted(form)
        day, hour = 1 + int(clues.chance.random() * 28), int(clues.chance.random() * 24)
        return found or _FORMATS[form].format(day=day, hour=hour)
    text = clues.string(key) or "something"
    if attempt:
        text = f"{attempt} {text}"
    while len(text) < shortest:
        text = f"{text} {text}"
    return text[:longest]


def number(rules: Schema, clues: Clues, *, integer: bool) -> int | float:
    """Choose a number within the bounds, from the prompt if it has one."""
    low, high = _bounds(rules, integer)
    step = rules.get("multipleOf")
    if isinstance(step, int | float) and step > 0:
        return _multiple(low, high, step, clues, integer)
    given = clues.number(low, high, whole=integer)
    if given is not None:
        return int(given) if given.is_integer() else given
    low, high = _nearer(low, high)
    if integer:
        first, last = math.ceil(low), math.floor(high)
        return min(last, first + int(clues.chance.random() * (last - first + 1)))
    chosen = low + clues.chance.random() * (high - low)
    return round(chosen, 2) if low <= round(chosen, 2) <= high else min(max(chosen, low), high)


def _bounds(rules: Schema, integer: bool) -> tuple[float, float]:
    low, high = _stated(rules.get("minimum"), -math.inf), _stated(rules.get("maximum"), math.inf)
    above, below = rules.get("exclusiveMinimum"), rules.get("exclusiveMaximum")
    # Draft 4 wrote `true` here and meant the bound beside it.
    above = _stated(low if above is True else above, -math.inf)
    below = _stated(high if below is True else below, math.inf)
    if math.isfinite(above):
        low = max(low, math.floor(above) + 1 if integer else math.nextafter(above, math.inf))
    if math.isfinite(below):
        high = min(high, math.ceil(below) - 1 if integer else math.nextafter(below, -math.inf))
    if low > high:
        raise Unsatisfiable(f"no number lies from {low:g} to {high:g}")
    return low, high


def _stated(rule: JSON, otherwise: float) -> float:
    return rule if isinstance(rule, int | float) and not isinstance(rule, bool) else otherwise


def _nearer(low: float, high: float) -> tuple[float, float]:
    """Narrow bounds that are far away to something people would write."""
    if low <= -FAR:
        low = min(0.0, high - 100)
    return low, (low + 100 if high - low > FAR else high)


def _multiple(low: float, high: float, step: float, clues: Clues, integer: bool) -> int | float:
    try:
        first = math.ceil(low / step) if low > -FAR else min(0, math.floor(min(high, 0) / step))
    except OverflowError:
        first = 0
    for times in (first + int(clues.chance.random() * 10), *range(first, first + 101)):
        value: int | float = times * step
        # Not every multiple of 0.1 is one in binary.
        if low <= value <= high and (value / step).is_integer():
            if integer and float(value).is_integer():
                return int(value)
            if not integer:
                return value
    raise Unsatisfiable(f"no multiple of {step:g} lies from {low:g} to {high:g}")


def _fits(text: str, shortest: int, longest: int) -> str:
    if not shortest <= len(text) <= longest:
        raise Unsatisfiable("an offline model finds no text of that pattern and length")
    return text
