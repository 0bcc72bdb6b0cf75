"""Where in the tree a request goes, as a client sees it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest

from support.live import Live

SCRIBE = "loom/scribe"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}

_numbers = count()


@pytest.fixture
def key() -> str:
    """A key nobody else has, and so an account of its own."""
    return f"histories-{next(_numbers)}"


def says(role: str, content: object, **more: object) -> dict[str, object]:
    return {"role": role, "content": content, **more}


def conversation(live: Live, key: str, id: str, branch: str = "") -> Any:
    query = f"?branch_id={branch}" if branch else ""
    return live.call("GET", f"/v1/conversations/{id}{query}", key=key).json


def test_a_client_that_repeats_the_talk_stays_in_one_conversation(live: Live, key: str) -> None:
    talk: list[dict[str, object]] = [says("system", "Be brief.")]
    found: set[str] = set()
    for number in range(4):
        talk.append(says("user", f"Question {number}?"))
        answer = live.complete(talk, key=key)
        talk.append({**answer.json["choices"][0]["message"], "annotations": [], "audio": None})
        found.add(answer.json["system_fingerprint"])
    (id,) = found
    told = conversation(live, key, id)
    assert [m["content"] for m in told["messages"]] == [m["content"] for m in talk]
    assert (told["message_count"], len(told["branches"])) == (9, 1)


@pytest.fixture
def talk(live: Live, key: str) -> tuple[str, list[dict[str, object]]]:
    """A conversation of two questions, and its id."""
    talk = [says("user", "First?")]
    first = live.complete(talk, key=key)
    talk += [says("assistant", first.text), says("user", "Second?")]
    second = live.complete(talk, key=key)
    talk.append(says("assistant", second.text))
    return first.json["system_fingerprint"], talk


Talk = tuple[str, list[dict[str, object]]]


def test_a_history_branches_where_it_differs(live: Live, key: str, talk: Talk) -> None:
    id, told = talk
    answer = live.complete([*told[:2], says("user", "Another second?")], key=key)
    assert answer.json["system_fingerprint"] == id
    kept = conversation(live, key, id)
    main, other = kept["branches"]
    assert [m["content"] for m in kept["messages"]] == [m["content"] for m in told]
    aside = conversation(live, key, id, other["id"])["messages"]
    assert [m["id"] for m in aside[:2]] == [m["id"] for m in kept["messages"][:2]]
    assert [m["content"] for m in aside[2:]] == ["Another second?", answer.text]
    assert other["forked_from_id"] == kept["messages"][1]["id"]
    assert (main["is_main"], other["is_main"]) == (True, False)


def test_an_edited_answer_branches_in_the_conversation_named(
    live: Live, key: str, talk: Talk
) -> None:
    id, told = talk
    edited = [told[0], says("assistant", "My own words."), says("user", "Go on?")]
    live.complete(edited, key=key, metadata={"session_id": id})
    kept = conversation(live, key, id)
    assert (len(kept["branches"]), kept["message_count"]) == (2, 4 + 3)


def test_the_same_request_twice_makes_siblings(live: Live, key: str, talk: Talk) -> None:
    id, told = talk
    again = live.complete(told[:3], key=key)
    assert again.json["system_fingerprint"] == id
    kept = conversation(live, key, id)
    other = conversation(live, key, id, kept["branches"][1]["id"])["messages"]
    assert [m["id"] for m in other[:3]] == [m["id"] for m in kept["messages"][:3]]
    assert other[3]["id"] != kept["messages"][3]["id"]
    assert other[3]["hash"] == kept["messages"][3]["hash"]


def test_examples_that_prompts_begin_with_are_no_talk(live: Live, key: str) -> None:
    examples = [says("user", "2+2"), says("assistant", "4"), says("user", "3+3")]
    one, two = (live.complete(examples, key=key) for _ in range(2))
    assert one.json["system_fingerprint"] != two.json["system_fingerprint"]
    more = [*examples, says("assistant", one.text), says("user", "4+4")]
    assert live.complete(more, key=key).json["system_fingerprint"] in {
        one.json["system_fingerprint"],
        two.json["system_fingerprint"],
    }


def test_a_history_nobody_knows_begins_a_conversation(live: Live, key: str, talk: Talk) -> None:
    id, _ = talk
    strange = [says("user", "Else?"), says("assistant", "Yes."), says("user", "So?")]
    answer = live.complete(strange, key=key)
    assert answer.json["system_fingerprint"] != id
    assert conversation(live, key, answer.json["system_fingerprint"])["message_count"] == 4


def test_a_strange_history_in_a_named_conversation_is_a_branch_of_it(
    live: Live, key: str, talk: Talk
) -> None:
    id, _ = talk
    strange = [says("user", "Else?"), says("assistant", "Yes."), says("user", "So?")]
    answer = live.complete(strange, key=key, metadata={"session_id": id})
    assert answer.json["system_fingerprint"] == id
    assert len(conversation(live, key, id)["branches"]) == 2


def test_a_new_message_alone_begins_a_conversation(live: Live, key: str, talk: Talk) -> None:
    id, _ = talk
    assert live.complete("First?", key=key).json["system_fingerprint"] != id


@pytest.mark.parametrize("name", ["session_id", "conversation_id"])
def test_a_session_goes_on(live: Live, key: str, talk: Talk, name: str) -> None:
    id, told = talk
    answer = live.complete("Third?", key=key, metadata={name: id})
    assert answer.json["system_fingerprint"] == id
    kept = conversation(live, key, id)
    assert [m["content"] for m in kept["messages"]][:4] == [m["content"] for m in told]
    assert len(kept["messages"]) == 6
    assert len(kept["branches"]) == 1
    alone = live.complete("Third?", key=f"{key}-alone")
    assert answer.json["usage"]["prompt_tokens"] > alone.json["usage"]["prompt_tokens"]


def test_a_message_can_be_gone_on_from(live: Live, key: str, talk: Talk) -> None:
    id, _ = talk
    parent = conversation(live, key, id)["messages"][1]["id"]
    live.complete("Aside?", key=key, metadata={"parent_message_id": parent})
    branch = conversation(live, key, id)["branches"][1]
    aside = conversation(live, key, id, branch["id"])["messages"]
    assert (len(aside), aside[1]["id"], aside[2]["content"]) == (4, parent, "Aside?")
    assert aside[2]["parent_id"] == parent


def test_a_branch_can_be_gone_on_with(live: Live, key: str, talk: Talk) -> None:
    id, told = talk
    live.complete([*told[:2], says("user", "Aside?")], key=key)
    branch = conversation(live, key, id)["branches"][1]["id"]
    live.complete("Further?", key=key, metadata={"session_id": id, "branch_id": branch})
    kept = conversation(live, key, id, branch)
    assert [m["content"] for m in kept["messages"]][4:5] == ["Further?"]
    assert len(kept["branches"]) == 2


@pytest.mark.parametrize("content", [{"content": None}, {"content": ""}, {}], ids=str)
def test_a_tools_result_stays_on_the_branch(
    live: Live, key: str, content: Mapping[str, object]
) -> None:
    asked = says("user", '!call get_weather {"city": "Paris"}')
    first = live.complete([asked], key=key, tools=[WEATHER]).json
    calls = first["choices"][0]["message"]["tool_calls"]
    called = {"role": "assistant", "tool_calls": calls, **content}
    result = says("tool", "Sunny.", tool_call_id=calls[0]["id"])
    second = live.complete([asked, called, result], key=key, tools=[WEATHER])
    assert "Sunny." in second.text
    kept = conversation(live, key, first["system_fingerprint"])
    assert [m["role"] for m in kept["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert len(kept["branches"]) == 1


def test_a_system_prompt_leads_the_context_and_is_no_message(live: Live, key: str) -> None:
    without = live.complete("Hello!", key=key)
    answer = live.complete("Hello!", key=key, system_prompt="Speak of ships.")
    more = answer.json["usage"]["prompt_tokens"] - without.json["usage"]["prompt_tokens"]
    assert more > 0
    kept = conversation(live, key, answer.json["system_fingerprint"])
    assert [m["role"] for m in kept["messages"]] == ["user", "assistant"]
    assert (
        kept["messages"][0]["hash"]
        == (conversation(live, key, without.json["system_fingerprint"])["messages"][0]["hash"])
    )


def test_a_partial_answer_can_be_gone_on_from(live: Live, key: str) -> None:
    told = live.events("Tell me of looms.", key=key, model=f"{SCRIBE}?cut=5")
    id = told.chunks[0]["system_fingerprint"]
    history = [says("user", "Tell me of looms."), says("assistant", told.text)]
    answer = live.complete([*history, says("user", "Go on.")], key=key)
    assert answer.json["system_fingerprint"] == id
    assert len(conversation(live, key, id)["branches"]) == 1
