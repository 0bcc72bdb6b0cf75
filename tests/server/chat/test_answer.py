"""An answer put together from its deltas."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chatloom.core.http import JSON
from chatloom.server.chat.answer import Answer
from chatloom.server.chat.message import Message
from chatloom.server.models.driver import (
    Delta,
    Finish,
    Reasoning,
    Refusal,
    Served,
    Text,
    ToolCall,
    Usage,
)


def called(id: str, name: str, arguments: str) -> dict[str, JSON]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


CASES: dict[str, tuple[Sequence[Delta], Message]] = {
    "text": ([Text("All"), Text(" said.")], Message("assistant", "All said.")),
    "no text": ([Text("")], Message("assistant", "")),
    "a call": (
        [ToolCall(0, "id", "add"), ToolCall(0, arguments='{"a":'), ToolCall(0, arguments="1}")],
        Message("assistant", None, tool_calls=[called("id", "add", '{"a":1}')]),
    ),
    "calls out of order": (
        [ToolCall(1, "b", "two"), ToolCall(0, "a", "one"), ToolCall(1, arguments="{}")],
        Message("assistant", None, tool_calls=[called("a", "one", ""), called("b", "two", "{}")]),
    ),
    "text and a call": (
        [Text("Wait."), ToolCall(0, "id", "add", "{}")],
        Message("assistant", "Wait.", tool_calls=[called("id", "add", "{}")]),
    ),
    "a refusal": (
        [Refusal("I "), Refusal("will not.")],
        Message("assistant", "", refusal="I will not."),
    ),
    "thoughts": ([Reasoning("Hm."), Text("Yes.")], Message("assistant", "Yes.")),
}


@pytest.mark.parametrize(("deltas", "message"), CASES.values(), ids=CASES)
def test_deltas_become_a_message(deltas: Sequence[Delta], message: Message) -> None:
    answer = Answer(deltas)
    assert answer.choices[0].message() == message


def test_choices_are_kept_apart_and_in_order() -> None:
    answer = Answer([Text("b", 1), Text("a"), Finish("stop", 1), Text("B", 1), Finish("length")])
    told = [
        (index, choice.message().text, choice.finish_reason) for index, choice in answer.ordered()
    ]
    assert told == [(0, "a", "length"), (1, "bB", "stop")]
    assert answer.text == "a"


def test_an_answer_is_whole_once_every_choice_is_finished() -> None:
    answer = Answer([Text("a"), Text("b", 1), Finish("stop")])
    assert [answer.is_whole(1), answer.is_whole(2)] == [True, False]
    answer.add([Finish("stop", 1)])
    assert [answer.is_whole(2), answer.is_whole(3)] == [True, False]


SILENT: list[Sequence[Delta]] = [[], [Served("x")], [Usage(1, 1)], [Finish("stop")]]
SAID: list[Sequence[Delta]] = [
    [Text("a")],
    [Refusal("no")],
    [Reasoning("hm")],
    [ToolCall(0, "id", "add")],
    [Text("a", 1)],
]


def test_what_counts_as_said() -> None:
    assert [Answer(deltas).said_something for deltas in SILENT] == [False] * len(SILENT)
    assert [Answer(deltas).said_something for deltas in SAID] == [True] * len(SAID)


def test_who_served_and_what_it_took_are_kept() -> None:
    answer = Answer([Served("x-1"), Text("a", logprobs=[1]), Text("b", logprobs=[2]), Usage(3, 4)])
    assert (answer.served_model, answer.usage) == ("x-1", Usage(3, 4))
    assert answer.choices[0].logprobs == [1, 2]
