from __future__ import annotations

import json
from typing import Any

import pytest

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.models.driver import ToolCall
from chatloom.server.models.offline.scribe import Scribe
from server.models.asking import Answered, ask, prompt

WEATHER: dict[str, JSON] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 14},
            },
            "required": ["city", "unit"],
        },
    },
}
SUM: dict[str, JSON] = {
    "type": "function",
    "function": {
        "name": "calculate",
        "parameters": {"type": "object", "properties": {"expression": {"type": "string"}}},
    },
}
TOOLS = [WEATHER, SUM]


def scribed(said: str | list[Message] = "Tell me about weaving", **fields: Any) -> Answered:
    answered = ask(Scribe(), prompt(said, **fields))
    assert answered.error is None
    return answered


def refused(**fields: Any) -> tuple[str, str | None]:
    error = ask(Scribe(), prompt(**fields)).error
    assert error is not None
    return error.kind, error.param


def test_the_same_prompt_has_the_same_answer() -> None:
    assert scribed().deltas == scribed(temperature=1.5, top_p=0.1, presence_penalty=1).deltas


def test_another_prompt_seed_or_history_has_another_answer() -> None:
    history = [
        Message("user", "Hi"),
        Message("assistant", "Hello"),
        Message("user", "Tell me about weaving"),
    ]
    texts = {
        scribed().text(),
        scribed(seed=1).text(),
        scribed(seed=2).text(),
        scribed("Tell me about knitting").text(),
        scribed(history).text(),
    }
    assert len(texts) == 5


def test_choices_differ_and_follow_from_the_seed() -> None:
    answered = scribed(n=3)
    assert len({answered.text(choice) for choice in range(3)}) == 3
    assert answered.text(1) == scribed(seed=1).text()


@pytest.mark.parametrize(
    ("question", "phrase"),
    [
        ("Explain quantum computing in simple terms", "quantum computing"),
        ("What is the capital of France?", "the capital of France"),
        ("Write a haiku about the ocean.", "a haiku"),
    ],
)
def test_an_answer_speaks_of_what_was_asked(question: str, phrase: str) -> None:
    assert phrase in scribed(question).text()


def test_an_answer_may_recall_what_was_said_before() -> None:
    history = [Message("user", "Tell me about black holes"), Message("assistant", "…")]
    assert "black holes" in scribed([*history, Message("user", "And neutron stars?")]).text()


@pytest.mark.parametrize("number", range(40))
def test_an_answer_has_a_readable_length(number: int) -> None:
    assert 30 <= scribed(f"What is the use of gate {number} in a loom?").tokens <= 140


@pytest.mark.parametrize("said", ["", "?", "写一首诗", "👋🏽", "the of and"])
def test_it_has_an_answer_to_anything(said: str) -> None:
    assert scribed(said).text().endswith(".")


def test_a_call_can_be_scripted_word_for_word() -> None:
    lines = (
        '!call get_weather {"city": "Oslo",  "x": [1]}',
        "!call calculate",
        "!call other not json",
    )
    said = "\n".join(("Please", *lines))
    answered = scribed(said, tools=TOOLS)
    assert answered.calls() == [
        ("get_weather", '{"city": "Oslo",  "x": [1]}'),
        ("calculate", "{}"),
        ("other", "not json"),
    ]
    assert answered.reasons == ["tool_calls"]
    assert len(set(answered.ids)) == 3


def test_without_parallel_calls_only_the_first_is_made() -> None:
    said = "!call get_weather {}\n!call calculate {}"
    assert len(scribed(said, tools=TOOLS, parallel_tool_calls=False).calls()) == 1


def test_a_call_streams_as_openai_streams_it() -> None:
    deltas = scribed("!call calculate {}", tools=TOOLS).deltas
    first, *rest = [delta for delta in deltas if isinstance(delta, ToolCall)]
    assert first.id is not None
    assert first.id.startswith("call_")
    assert (first.name, first.arguments) == ("calculate", "")
    assert {(delta.id, delta.name) for delta in rest} == {(None, None)}
    assert "".join(delta.arguments for delta in rest) == "{}"


def test_ids_of_calls_follow_from_the_request() -> None:
    asked: dict[str, Any] = {"tools": TOOLS, "tool_choice": "required"}
    assert scribed(**asked).ids == scribed(**asked).ids
    assert scribed(**asked).ids != scribed("Something else", **asked).ids


@pytest.mark.parametrize(
    ("said", "choice", "names"),
    [
        ("What's the weather in Paris?", "auto", ["get_weather"]),
        ("What's the weather in Paris?", None, ["get_weather"]),
        ("What's the weather in Paris?", "none", []),
        ("Use calculate and get_weather", "auto", ["get_weather", "calculate"]),
        ("Tell me a joke", "auto", []),
        ("Tell me a joke", "required", ["get_weather"]),
        ("Please calculate 1+1", "required", ["calculate"]),
        ("Hi", {"type": "function", "function": {"name": "calculate"}}, ["calculate"]),
        ("Hi", {"type": "function", "name": "calculate"}, ["calculate"]),
        (
            "the weather",
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "calculate"}}],
                },
            },
            [],
        ),
    ],
)
def test_tools_are_called_as_asked(said: str, choice: Any, names: list[str]) -> None:
    answered = scribed(said, tools=TOOLS, tool_choice=choice)
    assert [name for name, _ in answered.calls()] == names
    assert answered.reasons == ["tool_calls" if names else "stop"]
    assert bool(answered.text()) is not bool(names)


def test_arguments_are_found_in_the_prompt() -> None:
    said = "How is the weather in New York, in Fahrenheit, for 3 days?"
    ((_, arguments),) = scribed(said, tools=TOOLS).calls()
    assert json.loads(arguments) == {"city": "New York", "unit": "fahrenheit", "days": 3}
    ((_, arguments),) = scribed("calculate 12*(3+4) please", tools=TOOLS).calls()
    assert json.loads(arguments) == {"expression": "12*(3+4)"}


def test_max_tokens_may_cut_a_call() -> None:
    answered = scribed('!call get_weather {"city": "Oslo"}', tools=TOOLS, max_tokens=3)
    assert (answered.reasons, answered.tokens) == (["length"], 3)


def test_after_a_tools_result_comes_text_that_quotes_it() -> None:
    call: dict[str, JSON] = {"id": "c1", "type": "function", "function": {"name": "get_weather"}}
    talk = [
        Message("user", "What's the weather in Paris?"),
        Message("assistant", None, tool_calls=[call]),
        Message("tool", '{"sky": "grey"}', tool_call_id="c1"),
    ]
    answered = scribed(talk, tools=TOOLS)
    assert answered.reasons == ["stop"]
    assert answered.text().startswith('get_weather answered: {"sky": "grey"}')


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": TOOLS, "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"function": {"name": "nobody"}}}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields) == ("rejected", param)


def test_a_json_object_is_one() -> None:
    answer = json.loads(scribed(response_format={"type": "json_object"}).text())
    assert isinstance(answer, dict)
    assert answer


def test_text_as_response_format_is_text() -> None:
    assert scribed(response_format={"type": "text"}).text() == scribed().text()


def test_json_is_filled_from_the_prompt() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "email": {"type": "string", "format": "email"},
        },
        "required": ["name", "age", "email"],
    }
    asked = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    answered = scribed("Extract: Jane Doe, 31, jane@example.org", response_format=asked)
    expected = {"name": "Jane Doe", "age": 31, "email": "jane@example.org"}
    assert json.loads(answered.text()) == expected


def test_images_are_counted_and_admitted_unseen() -> None:
    image: dict[str, JSON] = {
        "type": "image_url",
        "image_url": {"url": "https://example.com/a.png"},
    }
    answered = scribed([Message("user", [{"type": "text", "text": "What is on it?"}, image])])
    assert "image" in answered.text()
