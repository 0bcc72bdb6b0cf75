"""Values that fit a JSON schema (draft 2020-12, and what earlier drafts wrote otherwise).

Understood are types, ``enum``, ``const``, ``$ref`` inside the schema, ``allOf``, ``anyOf``,
``oneOf``, bounds, ``multipleOf``, ``format``, ``pattern``, ``items``, ``prefixItems``,
``contains``, ``uniqueItems``, ``properties``, ``required`` and ``additionalProperties``.
What cannot be built from, such as ``not``, is refused rather than passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeAlias
from urllib.parse import unquote

import msgspec

from chatloom.core.http import JSON
from chatloom.server.models.offline.clues import Clues
from chatloom.server.models.offline.schema_merge import (
    Schema,
    Unsatisfiable,
    as_list,
    merge,
    types_of,
)
from chatloom.server.models.offline.schema_scalars import number, string, whole

MOST_VALUES = 5_000
MOST_ITEMS = 1_000
DEEPEST = 24
GENEROUS_DEPTH = 3
"""Down to here optional properties are filled in and lists get items."""

_BEYOND = {
    *("not", "if", "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"),
    *("maxContains", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"),
}
_BY_KEYWORD = {
    "properties": "object",
    "required": "object",
    "additionalProperties": "object",
    "minProperties": "object",
    "items": "array",
    "prefixItems": "array",
    "contains": "array",
    "minItems": "array",
    "minimum": "number",
    "maximum": "number",
    "exclusiveMinimum": "number",
    "exclusiveMaximum": "number",
    "multipleOf": "number",
}
_Builder: TypeAlias = Callable[[Schema, str, int], JSON]


def fitting(schema: JSON, clues: Clues) -> JSON:
    """Build a value that fits *schema*; raises `Unsatisfiable` where that is beyond us."""
    try:
        return _Building(schema, clues).value(schema)
    except (OverflowError, RecursionError) as error:
        raise Unsatisfiable("the schema is beyond an offline model") from error


class _Building:
    def __init__(self, root: JSON, clues: Clues) -> None:
        self._root, self._clues = root, clues
        self._left = MOST_VALUES
        self._attempt = 0
        self._builders: Mapping[str, _Builder] = {
            "object": self._object,
            "array": self._array,
            "string": lambda rules, key, depth: string(rules, key, clues, self._attempt),
            "integer": lambda rules, key, depth: number(rules, clues, integer=True),
            "number": lambda rules, key, depth: number(rules, clues, integer=False),
            "boolean": lambda rules, key, depth: clues.chance.random() < 0.5,
            "null": lambda rules, key, depth: None,
        }

    def value(self, schema: JSON, key: str = "", depth: int = 0) -> JSON:
        """Build the value of the property *key*, *depth* objects and lists down."""
        if depth > DEEPEST:
            raise Unsatisfiable("the schema is nested without end")
        rules = self._flat(schema)
        for keyword in ("oneOf", "anyOf"):
            if isinstance(branches := rules.get(keyword), list):
                rest = {word: rule for word, rule in rules.items() if word != keyword}
                return self._first_of(rest, branches, keyword == "oneOf", key, depth)
        if beyond := [word for word in _BEYOND if word in rules]:
            raise Unsatisfiable(f"{beyond[0]!r} is beyond an offline model")
        if "const" in rules:
            return rules["const"]
        if isinstance(choices := rules.get("enum"), list):
            return self._choice(choices, types_of(rules))
        return self._builders[_kind(rules)](rules, key, depth)

    def _flat(self, schema: JSON, hops: int = 0) -> Schema:
        """Fold what *schema* refers to, and all of its ``allOf``, into one."""
        self._left -= 1
        if schema is True:
            return {}
        if not isinstance(schema, dict):
            raise Unsatisfiable("the schema lets no value pass")
        if hops > DEEPEST or self._left < 0:
            raise Unsatisfiable("the schema asks for more than an offline model will write")
        flat = {word: rule for word, rule in schema.items() if word not in {"$ref", "allOf"}}
        parts = list(as_list(schema.get("allOf")))
        if isinstance(reference := schema.get("$ref"), str):
            parts.insert(0, self._referred(reference))
        for part in parts:
            flat = merge(flat, self._flat(part, hops + 1))
        return flat

    def _referred(self, reference: str) -> JSON:
        place = self._root
        if not reference.startswith("#"):
            raise Unsatisfiable(f"{reference!r} lies outside the schema")
        for part in unquote(reference[1:]).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict) and name in place:
                place = place[name]
            elif isinstance(place, list) and name.isdecimal() and int(name) < len(place):
                place = place[int(name)]
            else:
                raise Unsatisfiable(f"{reference!r} leads nowhere")
        return place

    def _first_of(
        self, rest: Schema, branches: list[JSON], one_only: bool, key: str, depth: int
    ) -> JSON:
        """Build by the first of *branches* that works out; deep down, by the simplest."""
        simplest = _refers if depth > GENEROUS_DEPTH else _is_null
        problem = Unsatisfiable("there is nothing to choose from")
        for branch in sorted(branches, key=simplest):
            try:
                rules = merge(rest, self._flat(branch))
                if one_only and len(branches) > 1:
                    # What is optional here might be what another branch is known by.
                    rules = _without_options(rules)
                return self.value(rules, key, depth)
            except Unsatisfiable as error:
                problem = error
        raise problem

    def _choice(self, choices: list[JSON], kinds: list[str]) -> JSON:
        fit = [choice for choice in choices if any(_is(choice, kind) for kind in kinds)]
        if not fit:
            raise Unsatisfiable("no choice is of the right type")
        return self._clues.choose(fit)

    def _object(self, rules: Schema, key: str, depth: int) -> JSON:
        declared = rules.get("properties")
        properties = declared if isinstance(declared, dict) else {}
        required = [name for name in as_list(rules.get("required")) if isinstance(name, str)]
        others = rules.get("additionalProperties", True)
        least, most = whole(rules, "minProperties", 0), whole(rules, "maxProperties", MOST_ITEMS)
        built: dict[str, JSON] = {}
        for name in dict.fromkeys([*properties, *required]):
            rule = properties.get(name, others)
            if name in required:
                built[name] = self.value(rule, name, depth + 1)
            elif len({*built, *required}) < most and self._is_generous(depth, len(built) < least):
                with suppress(Unsatisfiable):
                    built[name] = self.value(rule, name, depth + 1)
        for extra in range(len(built), min(least, MOST_ITEMS)):
            built[f"entry_{extra}"] = self.value(others, key, depth + 1)
        if not least <= len(built) <= most:
            raise Unsatisfiable(f"no object has {least} to {most} properties and fits")
        return built

    def _is_generous(self, depth: int, needed: bool) -> bool:
        return needed or (depth < GENEROUS_DEPTH and self._left > MOST_VALUES // 2)

    def _array(self, rules: Schema, key: str, depth: int) -> JSON:
        first, rest = _items(rules)
        least, most = whole(rules, "minItems", 0), whole(rules, "maxItems", MOST_ITEMS)
        if least > min(most, MOST_ITEMS):
            raise Unsatisfiable(f"no offline model writes a list of {least} items")
        usual = 2 + int(self._clues.chance.random() * 2) if depth <= GENEROUS_DEPTH else 0
        asked = first[: max(least, min(most, max(usual, len(first))))]
        if "contains" in rules:
            times = min(whole(rules, "minContains", 1), MOST_ITEMS)
            contained: JSON = {"allOf": [rules["contains"], rest]}
            asked += [contained] * times
        asked += [rest] * (max(least, min(most, usual)) - len(asked))
        built: list[JSON] = []
        for rule in asked:
            try:
                built.append(self._another(rule, key, depth, built, "uniqueItems" in rules))
            except Unsatisfiable:
                if len(built) < least or "contains" in rules:
                    raise
                break
        return built

    def _another(self, rule: JSON, key: str, depth: int, known: list[JSON], unique: bool) -> JSON:
        written = {msgspec.json.encode(item) for item in known} if unique else set[bytes]()
        for self._attempt in range(40):
            item = self.value(rule, key, depth + 1)
            if msgspec.json.encode(item) not in written:
                self._attempt = 0
                return item
        raise Unsatisfiable("no more items differ")


def _items(rules: Schema) -> tuple[list[JSON], JSON]:
    """The rules for a list's first items, and the one for the rest."""
    items = rules.get("items", True)
    if isinstance(items, list):  # before draft 2020-12
        return items, rules.get("additionalItems", True)
    return list(as_list(rules.get("prefixItems"))), items


def _kind(rules: Schema) -> str:
    kinds = types_of(rules)
    if "type" not in rules:
        return next((_BY_KEYWORD[word] for word in rules if word in _BY_KEYWORD), "string")
    kind = next((kind for kind in kinds if kind != "null"), "null")
    if kind not in {"object", "array", "string", "integer", "number", "boolean", "null"}:
        raise Unsatisfiable(f"{kind!r} is no type")
    return kind


def _is(value: JSON, kind: str) -> bool:
    match kind:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case _:
            if isinstance(value, bool) or not isinstance(value, int | float):
                return False
            return kind == "number" or float(value).is_integer()


def _is_null(branch: JSON) -> bool:
    return isinstance(branch, dict) and branch.get("type") == "null"


def _refers(branch: JSON) -> bool:
    return "$ref" in _words(branch)


def _words(schema: JSON) -> Iterable[str]:
    return schema if isinstance(schema, dict) else ()


def _without_options(rules: Schema) -> Schema:
    properties, required = rules.get("properties"), as_list(rules.get("required"))
    if not isinstance(properties, dict):
        return rules
    return {**rules, "properties": {n: rule for n, rule in properties.items() if n in required}}
