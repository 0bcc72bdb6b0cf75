from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chatloom.server.models.offline.clues import Clues
from chatloom.server.models.offline.json_schema import fitting
from chatloom.server.models.offline.schema_merge import Unsatisfiable

Schema = dict[str, Any]
WORDS = "Ask Ada Lovelace for 12 or 7.5 of 'the finest threads', red or blue, by 2024-02-03."


def built(schema: Any, seed: int = 0) -> Any:
    return fitting(schema, Clues(WORDS, "A sentence.", Random(seed)))


def assert_fits(schema: Schema, seed: int = 0) -> None:
    validator: Any = Draft202012Validator(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    validator.validate(built(schema, seed))


NAMES = st.sampled_from(["name", "city", "age", "red", "query", "x-y", "größe"])
SCALARS = st.one_of(
    st.booleans(), st.none(), st.integers(-9, 9), st.text("abc", max_size=3), st.just(0.5)
)


@st.composite
def numbers(draw: st.DrawFn) -> Schema:
    schema: Schema = {"type": draw(st.sampled_from(["integer", "number"]))}
    low = draw(st.integers(-1000, 1000))
    if draw(st.booleans()):
        schema[draw(st.sampled_from(["minimum", "exclusiveMinimum"]))] = low
    if draw(st.booleans()):
        high = low + draw(st.integers(20, 2000))
        schema[draw(st.sampled_from(["maximum", "exclusiveMaximum"]))] = high
    if draw(st.booleans()):
        schema["multipleOf"] = draw(st.sampled_from([1, 2, 3, 0.5, 0.25]))
    return schema


@st.composite
def strings(draw: st.DrawFn) -> Schema:
    schema: Schema = {"type": "string"}
    kind = draw(st.sampled_from(["length", "format", "pattern"]))
    if kind == "length":
        schema["minLength"] = draw(st.integers(0, 60))
        schema["maxLength"] = schema["minLength"] + draw(st.integers(0, 9))
    elif kind == "format":
        forms = ["date", "date-time", "time", "email", "uuid", "ipv4", "ipv6", "uri", "regex"]
        schema["format"] = draw(st.sampled_from(forms))
    else:
        patterns = [
            r"^[A-Z]{3}-\d{4}$",
            r"^(red|blue)+$",
            r"^[^a-z]{2,5}\.x?$",
            r"\w+@\w+\.(?:com|org)",
        ]
        schema["pattern"] = draw(st.sampled_from(patterns))
    return schema


def arrays(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    @st.composite
    def drawn(draw: st.DrawFn) -> Schema:
        schema: Schema = {"type": "array", "items": draw(inner)}
        if draw(st.booleans()):
            schema["minItems"] = draw(st.integers(0, 4))
            schema["maxItems"] = schema["minItems"] + draw(st.integers(0, 3))
        if draw(st.booleans()):
            schema["prefixItems"] = [draw(inner)]
        return schema

    return drawn()


def objects(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    @st.composite
    def drawn(draw: st.DrawFn) -> Schema:
        properties = draw(st.dictionaries(NAMES, inner, max_size=4))
        schema: Schema = {"type": "object", "properties": properties}
        if properties:
            schema["required"] = draw(st.lists(st.sampled_from(sorted(properties)), unique=True))
        if draw(st.booleans()):
            schema["additionalProperties"] = False
        return schema

    return drawn()


def unions(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    either = st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches})
    nullable = inner.map(lambda branch: {"anyOf": [branch, {"type": "null"}]})
    return either | nullable | inner.map(lambda part: {"allOf": [part, {"title": "Same"}]})


FLAT: st.SearchStrategy[Schema] = st.one_of(
    numbers(),
    strings(),
    st.lists(SCALARS, min_size=1, max_size=4).map(lambda choices: {"enum": choices}),
    SCALARS.map(lambda value: {"const": value}),
    st.sampled_from(["boolean", "null", "string", "object", "array"]).map(lambda t: {"type": t}),
    st.just({"type": ["string", "null"]}),
    st.just({}),
)
SCHEMAS = st.recursive(
    FLAT, lambda inner: arrays(inner) | objects(inner) | unions(inner), max_leaves=8
)


@given(SCHEMAS, st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_what_is_built_fits(schema: Schema, seed: int) -> None:
    assert_fits(schema, seed)


NODE = {
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
            "required": ["value", "next", "children"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/Node",
}
CAT = {
    "type": "object",
    "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer", "maximum": 9}},
    "required": ["kind", "lives"],
}
DOG = {
    "type": "object",
    "properties": {"kind": {"const": "dog"}, "name": {"type": "string"}},
    "required": ["kind", "name"],
}


@pytest.mark.parametrize(
    "schema",
    [
        NODE,
        {"oneOf": [CAT, DOG]},
        {"type": "object", "properties": {"pet": {"oneOf": [DOG, CAT]}}, "required": ["pet"]},
        {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        {"allOf": [CAT, {"properties": {"lives": {"minimum": 5}}}]},
        {"allOf": [{"anyOf": [{"minimum": 3}, {"type": "null"}]}, {"type": "integer"}]},
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 3},
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 12},
        {"type": "array", "contains": {"const": 7}, "minContains": 2, "items": {"type": "integer"}},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
        {"type": "object", "minProperties": 3, "additionalProperties": {"type": "number"}},
        {"type": "object", "properties": {"a": {}, "b": {}}, "maxProperties": 1},
        {"type": "object", "required": ["extra"], "additionalProperties": {"type": "boolean"}},
        {"properties": {"a": {"$ref": "#/$defs/x~1y"}}, "$defs": {"x/y": {"type": "null"}}},
        {"type": "number", "minimum": 0.1, "maximum": 0.2},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "integer", "minimum": 10**30},
        {"type": "number", "maximum": -(10.0**300)},
        {"type": "number", "multipleOf": 0.1, "minimum": 0.25},
        {"minLength": 500},
        {"type": ["null", "integer"], "minimum": 4},
        {"enum": [1, "red", None], "type": "string"},
        True,
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_the_usual_constructions_fit(schema: Any, seed: int) -> None:
    assert_fits(schema, seed)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        None,
        {"type": "nothing"},
        {"not": {}},
        {"enum": []},
        {"anyOf": []},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"allOf": [{"const": 1}, {"const": 2}]},
        {"$ref": "#"},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "https://example.com/schema.json"},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "integer", "multipleOf": 1000, "minimum": 1, "maximum": 2},
        {"type": "string", "minLength": 10**9},
        {"type": "array", "minItems": 10**9},
        {"type": "array", "items": {"const": 1}, "uniqueItems": True, "minItems": 2},
        {"type": "string", "pattern": "(?=x)y"},
        {"type": "string", "pattern": "(a+"},
        {"type": "string", "pattern": "((((a{999}){999}){999}){999})"},
        {
            "$defs": {"N": {"properties": {"n": {"$ref": "#/$defs/N"}}, "required": ["n"]}},
            "$ref": "#/$defs/N",
        },
    ],
)
def test_what_cannot_be_built_is_refused(schema: Any) -> None:
    with pytest.raises(Unsatisfiable):
        built(schema)


def test_a_schema_that_doubles_at_each_level_ends_soon() -> None:
    levels = {str(level): {"allOf": [{"$ref": f"#/$defs/{level + 1}"}] * 2} for level in range(60)}
    with pytest.raises(Unsatisfiable):
        built({"$ref": "#/$defs/0", "$defs": {**levels, "60": {"type": "string"}}})


def test_values_come_from_the_prompt() -> None:
    properties: Schema = {
        "name": {"type": "string"},
        "colour": {"enum": ["green", "blue"]},
        "amount": {"type": "integer"},
        "price": {"type": "number"},
        "due": {"type": "string", "format": "date"},
    }
    answer = built({"type": "object", "properties": properties, "required": list(properties)})
    assert answer["name"] in {"the finest threads", "Ada Lovelace"}
    assert (answer["colour"], answer["amount"], answer["price"]) == ("blue", 12, 7.5)
    assert answer["due"] == "2024-02-03"
