"""Two JSON schemas as one: what fits both."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from chatloom.core.http import JSON

Schema: TypeAlias = dict[str, JSON]
TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
MOST_BRANCHES = 200


class Unsatisfiable(Exception):
    """No value fits, or none that an offline model would write."""


def merge(one: Schema, other: Schema) -> Schema:
    """Write one schema that only what fits both *one* and *other* fits."""
    both = dict(one)
    for word, rule in other.items():
        combine = _COMBINED.get(word)
        if word == "type":
            both["type"] = _common_types(both, other)
        elif word not in both or combine is None:
            both[word] = rule
        else:
            both[word] = combine(both[word], rule)
    return both


def types_of(schema: Mapping[str, JSON]) -> list[str]:
    """The types *schema* allows."""
    given = schema.get("type")
    if isinstance(given, str):
        return [given]
    if isinstance(given, list):
        return [kind for kind in given if isinstance(kind, str)]
    return list(TYPES)


def as_list(value: JSON) -> Sequence[JSON]:
    """The list *value* is, or an empty one."""
    return value if isinstance(value, list) else ()


def _common_types(one: Schema, other: Schema) -> list[JSON]:
    ours, theirs = types_of(one), types_of(other)
    common: list[JSON] = [kind for kind in ours if kind in theirs]
    narrowed = any("integer" in a and "number" in b for a, b in ((ours, theirs), (theirs, ours)))
    if narrowed and not {"integer", "number"} & {*ours} & {*theirs}:
        common.append("integer")
    if not common:
        raise Unsatisfiable(f"nothing is of type {ours} and {theirs} at once")
    return common


def _properties(one: JSON, other: JSON) -> JSON:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    return {**one, **{name: _all_of(one.get(name, True), rule) for name, rule in other.items()}}


def _all_of(one: JSON, other: JSON) -> JSON:
    if one is True or one == other:
        return other
    return one if other is True else {"allOf": [one, other]}


def _either(one: JSON, other: JSON) -> JSON:
    ours, theirs = as_list(one), as_list(other)
    if len(ours) * len(theirs) > MOST_BRANCHES:
        raise Unsatisfiable("the schema has too many alternatives")
    return [{"allOf": [a, b]} for a in ours for b in theirs]


def _both_named(one: JSON, other: JSON) -> JSON:
    return [*as_list(one), *(name for name in as_list(other) if name not in as_list(one))]


def _choices(one: JSON, other: JSON) -> JSON:
    return [choice for choice in as_list(one) if choice in as_list(other)]


def _same(one: JSON, other: JSON) -> JSON:
    if one != other:
        raise Unsatisfiable(f"nothing is {one!r} and {other!r} at once")
    return one


def _multiple(one: JSON, other: JSON) -> JSON:
    if isinstance(one, int) and isinstance(other, int):
        return math.lcm(one, other)
    return _same(one, other)


def _larger(one: JSON, other: JSON) -> JSON:
    return max(_numbers(one, other), default=other)


def _smaller(one: JSON, other: JSON) -> JSON:
    return min(_numbers(one, other), default=other)


def _numbers(*values: JSON) -> list[int | float]:
    return [value for value in values if isinstance(value, int | float)]


_COMBINED: Mapping[str, Callable[[JSON, JSON], JSON]] = {
    "properties": _properties,
    "required": _both_named,
    "enum": _choices,
    "const": _same,
    "format": _same,
    "anyOf": _either,
    "oneOf": _either,
    "items": _all_of,
    "additionalProperties": _all_of,
    "multipleOf": _multiple,
    "uniqueItems": lambda one, other: bool(one or other),
    **{f"min{of}": _larger for of in ("imum", "Length", "Items", "Properties", "Contains")},
    **{f"max{of}": _smaller for of in ("imum", "Length", "Items", "Properties", "Contains")},
    "exclusiveMinimum": _larger,
    "exclusiveMaximum": _smaller,
}
