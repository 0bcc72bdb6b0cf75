"""Python functions that a model may call."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest

from chatloom import SettingsError
from puter import PuterAPIError, PuterToolLimitError, Tool, ToolCall
from puter import PuterToolError as ToolError
from puter.answers import answer
from support.puter import Using, calling, said, service


def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: The one.
        b (int): The other.
    """
    return a + b


async def later(word: str) -> str:
    """Say it later."""
    return f"later: {word}"


@dataclass
class Place:
    """Where something is."""

    city: str
    country: str = "FR"


class Span(TypedDict, total=False):
    """How long."""

    days: int


def forecast(
    place: Place,
    unit: Literal["C", "F"] = "C",
    *,
    span: Span | None = None,
    tags: Annotated[list[str], "What else to tell"] = [],  # noqa: B006 - as people write it
) -> dict[str, object]:
    """Tell the weather.

    :param place: Where.
    :param str unit: In which scale.
    """
    return {"where": f"{place.city}, {place.country}", "unit": unit, "span": span, "tags": tags}


def test_a_schema_is_read_from_the_signature_and_the_docstring() -> None:
    assert Tool(add).told == {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Add two numbers.",
            "parameters": {
                "type": "object",
                "properties": {
                    "a": {"type": "integer", "description": "The one."},
                    "b": {"type": "integer", "description": "The other."},
                },
                "required": ["a", "b"],
                "additionalProperties": False,
            },
        },
    }


def test_a_schema_knows_every_kind_of_type() -> None:
    parameters: Any = Tool(forecast).parameters
    assert parameters["required"] == ["place"]
    told = parameters["properties"]
    assert told["place"] == {"$ref": "#/$defs/Place", "description": "Where."} or (
        told["place"]["description"] == "Where."
    )
    assert told["unit"]["enum"] == ["C", "F"]
    assert (told["unit"]["default"], told["unit"]["description"]) == ("C", "In which scale.")
    assert told["tags"]["description"] == "What else to tell"
    assert set(parameters["$defs"]) == {"Place", "Span"}


def test_a_name_and_a_description_may_be_told_otherwise() -> None:
    tool = Tool(lambda: "now", name="clock", description="Tell the time.")
    function: Any = tool.told["function"]
    assert (function["name"], function["description"]) == ("clock", "Tell the time.")
    assert function["parameters"] == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


def variable(*args: int) -> None: ...


def positional(a: int, /) -> None: ...


def odd(a: type[int]) -> None: ...


def made(source: str) -> Any:
    """A function that no checker would let pass."""
    names: dict[str, Any] = {}
    exec(source, names)
    return names["f"]


UNTYPED, UNKNOWN = made("def f(a): ..."), made("def f(a: 'Nowhere'): ...")
NOT_FUNCTIONS: list[tuple[Any, str]] = [
    (UNTYPED, "does not say what type a has"),
    (UNKNOWN, "cannot be read"),
    (variable, "which a model cannot give by name"),
    (positional, "which a model cannot give by name"),
    (odd, "cannot be told to a model"),
    (lambda: None, "is no name for a tool"),
    (5, "a tool is a function or a Tool, not 5"),
]


@pytest.mark.parametrize(("function", "message"), NOT_FUNCTIONS)
def test_what_cannot_be_told_is_refused_before_anything_is_sent(
    using: Using, function: Any, message: str
) -> None:
    with service(said("hi")) as puter, pytest.raises(SettingsError, match=message):
        using(puter.client()).chat("hi", tools=[function])
    assert puter.targets == []


def test_two_tools_have_two_names(using: Using) -> None:
    with service(said("hi")) as puter, pytest.raises(SettingsError, match="two tools have one"):
        using(puter.client(tools=[add])).chat("hi", tools=[add])


# Calls


def told_by(bodies: list[dict[str, Any]]) -> list[Any]:
    """What the tools answered, as the last request tells it."""
    messages = bodies[-1]["args"]["messages"]
    return [one["content"] for one in messages if one["role"] == "tool"]


def test_tools_are_called_until_the_model_answers(using: Using) -> None:
    answers = [
        calling(("add", {"a": 2, "b": 3}), ("add", {"a": "4", "b": 5})),
        calling(("add", {"a": 5, "b": 9})),
        said("14"),
    ]
    with service(*answers) as puter:
        client = puter.client()
        assert using(client).chat("2 + 3 + 4 + 5?", tools=[add]) == "14"
        first, second, third = (body["args"]["messages"] for body in puter.bodies)
        assert puter.bodies[0]["args"]["tools"] == [Tool(add).told]
    assert second[0] == first[0]
    assert second[1]["tool_calls"][0]["function"] == {
        "name": "add",
        "arguments": '{"a": 2, "b": 3}',
    }
    assert second[2:] == [
        {"role": "tool", "tool_call_id": "c0", "content": "5"},
        {"role": "tool", "tool_call_id": "c1", "content": "9"},
    ]
    assert third[:4] == second
    assert client.chat_history == [
        {"role": "user", "content": "2 + 3 + 4 + 5?"},
        {"role": "assistant", "content": "14"},
    ]


def test_arguments_come_in_their_types(using: Using) -> None:
    asked = {"place": {"city": "Lyon"}, "span": {"days": 2}}
    with service(calling(("forecast", asked)), said("sunny")) as puter:
        using(puter.client(tools=[forecast])).chat("Weather?")
        (told,) = told_by(puter.bodies)
    assert json.loads(told) == {
        "where": "Lyon, FR",
        "unit": "C",
        "span": {"days": 2},
        "tags": [],
    }


MISTAKES: list[tuple[Any, str]] = [
    (("add", {"a": 1}), "Error: the arguments do not fit: Object missing required field `b`"),
    (("add", {"a": 1, "b": "x"}), "Error: the arguments do not fit: Expected `int`"),
    (("add", {"a": 1, "b": 2, "c": 3}), "Error: the arguments do not fit: Object contains"),
    (("add", []), "Error: the arguments do not fit: Expected `object`"),
    (("nothing", {}), "Error: there is no tool 'nothing'; there are add"),
]


@pytest.mark.parametrize(("call", "content"), MISTAKES)
def test_what_a_model_got_wrong_it_is_told(
    using: Using, call: tuple[str, object], content: str
) -> None:
    with service(calling(call), said("sorry")) as puter:
        client = puter.client(tools=[add])
        assert using(client).chat("hi", tool_errors="raise") == "sorry"
        (told,) = told_by(puter.bodies)
    assert told.startswith(content)


def broken() -> str:
    raise KeyError("gone")


def test_the_model_is_told_what_a_tool_raises(using: Using) -> None:
    with service(calling(("broken", {})), said("sorry")) as puter:
        assert using(puter.client(tools=[broken])).chat("hi") == "sorry"
        assert told_by(puter.bodies) == ["Error: KeyError: 'gone'"]


def test_the_caller_is_told_where_wanted(using: Using) -> None:
    with service(calling(("broken", {}))) as puter:
        client = puter.client(tools=[broken])
        with pytest.raises(ToolError, match="the tool broken failed: 'gone'") as caught:
            using(client).chat("hi", tool_errors="raise")
        assert len(puter.bodies) == 1
    assert isinstance(caught.value.__cause__, KeyError)
    assert isinstance(caught.value, PuterAPIError)
    assert client.chat_history == []


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_rounds_have_a_limit(using: Using, rounds: int) -> None:
    with service(calling(("add", {"a": 1, "b": 1}))) as puter:
        client = puter.client(tools=[add])
        with pytest.raises(PuterToolLimitError, match=f"after {rounds} rounds.*wants add"):
            using(client).chat("hi", max_tool_rounds=rounds)
        assert len(puter.bodies) == rounds + 1
    assert client.chat_history == []


def test_async_tools_are_awaited_and_refused_where_nobody_can(using: Using) -> None:
    with service(calling(("later", {"word": "hi"})), said("ok")) as puter:
        either = using(puter.client(tools=[later]))
        if either.is_async:
            assert either.chat("hi") == "ok"
            assert told_by(puter.bodies) == ["later: hi"]
            return
        for call in (either.chat, either.stream):
            with pytest.raises(SettingsError, match="later is an async function: use async_chat"):
                call("hi")
        assert puter.targets == []


def test_an_object_may_be_a_tool(using: Using) -> None:
    class Counter:
        def __call__(self, by: int = 1) -> int:
            return by + 1

    with service(calling(("count", {})), said("ok")) as puter:
        using(puter.client()).chat("hi", tools=[Tool(Counter(), name="count")])
        assert told_by(puter.bodies) == ["2"]


def test_a_partial_function_may_be_a_tool(using: Using) -> None:
    with service(calling(("plus", {"b": 3})), said("ok")) as puter:
        using(puter.client()).chat("hi", tools=[Tool(partial(add, a=2), name="plus")])
        assert told_by(puter.bodies) == ["5"]


def test_a_call_that_nobody_was_told_of_is_told(using: Using) -> None:
    with service(calling(("add", {"a": 1}))) as puter:
        client = puter.client()
        with pytest.raises(ToolError, match="the model calls add, and was given no such tool"):
            using(client).chat("hi")
    assert client.chat_history == []


def test_what_says_how_to_handle_errors_is_checked(using: Using) -> None:
    with service(said("hi")) as puter, pytest.raises(SettingsError, match="'tell' or 'raise'"):
        using(puter.client()).chat("hi", tool_errors="ignore")


def test_calls_are_read_in_either_familys_words() -> None:
    part = {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}}
    claude: Any = {"result": {"message": {"content": [{"type": "text", "text": "so"}, part]}}}
    told = answer(claude)
    assert (told.text, told.tool_calls) == ("so", (ToolCall("c1", "add", '{"a":1}'),))
    function: Any = {"name": "add", "arguments": '{"a":1}'}
    openai: Any = {"message": {"content": None, "tool_calls": [{"id": "c1", "function": function}]}}
    assert answer({"result": openai}).tool_calls == told.tool_calls
    assert answer({"result": {"choices": [openai]}}).tool_calls == told.tool_calls
    assert answer({"result": openai}).message["content"] is None
    odd: Any = {"message": {"tool_calls": [5, {"function": {"arguments": None}}]}}
    assert answer({"result": odd}).tool_calls == (
        ToolCall("call_0", "", "{}"),
        ToolCall("call_1", "", "{}"),
    )
    with pytest.raises(msgspec.ValidationError):
        answer({"result": {"message": {"tool_calls": 5}}})
