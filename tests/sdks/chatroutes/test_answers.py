"""Every shape in which a service may answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.http import UNREADABLE
from chatroutes import UnreadableAnswerError
from chatroutes.answers import checkpoint, conversations, exchange, held, listed, suggestions
from sdks.chatroutes.both import enveloped, outcome
from support.twins import Call, Reply

GET: Call = lambda client: client.conversations.get("c1")  # noqa: E731 - reads best in place
DELETE: Call = lambda client: client.messages.delete("m1")  # noqa: E731
ANY: Call = lambda client: client.http.get("/x")  # noqa: E731
LIST: Call = lambda client: client.conversations.list()  # noqa: E731
MESSAGES: Call = lambda client: client.messages.list("c1")  # noqa: E731
SEND: Call = lambda client: client.messages.send("c1", {"content": "hi"})  # noqa: E731
SUGGEST: Call = lambda client: client.autobranch.suggest_branches("t")  # noqa: E731

ONE = {"id": "c1", "title": "T"}
ASKED = {"id": "q", "role": "user", "content": "hi"}
SAID = {"id": "a", "role": "assistant", "content": "hello"}
FILLED = {"conversationId": "c1"}
NO_USAGE = {"promptTokens": 0, "completionTokens": 0, "totalTokens": 0}


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ({"success": True, "data": {"conversation": ONE}}, ONE),
        ({"data": {"conversation": ONE}}, ONE),
        ({"success": True, "conversation": ONE}, ONE),
        ({"success": True, "conversation": ONE, "data": None}, ONE),
        ({"success": True, "data": ONE}, ONE),
        (ONE, ONE),
        ({"success": True, "data": None}, {"success": True, "data": None}),
        ({"data": {"conversation": {**ONE, "future": [1]}}}, {**ONE, "future": [1]}),
    ],
)
def test_one_thing_is_found_wherever_it_is(told: Any, answer: Any) -> None:
    assert outcome(GET, told).answer == answer


@pytest.mark.parametrize(
    ("told", "ids"),
    [
        ({"data": {"messages": [SAID]}}, ["a"]),
        ({"messages": [SAID], "data": None}, ["a"]),
        ({"messages": [SAID], "data": {}}, ["a"]),
        ({"data": [SAID]}, ["a"]),
        ({"data": None}, []),
        ({"data": {"messages": None}}, []),
        ({"data": {"messages": [SAID, None, "x"]}}, ["a"]),
        ({}, []),
    ],
)
def test_a_list_is_found_wherever_it_is(told: Any, ids: list[str]) -> None:
    assert [one["id"] for one in outcome(MESSAGES, told).answer] == ids


def test_messages_know_their_conversation_and_have_text() -> None:
    told = enveloped(messages=[{"id": "m", "content": None}, {"id": "n", "conversationId": "c9"}])
    assert outcome(MESSAGES, told).answer == [
        {"id": "m", "content": "", **FILLED},
        {"id": "n", "content": "", "conversationId": "c9"},
    ]


def test_what_is_in_a_conversation_knows_it_too() -> None:
    told = enveloped(conversation={**ONE, "messages": [SAID], "branches": [{"id": "b"}]})
    answer = outcome(GET, told).answer
    assert answer["messages"] == [{**SAID, **FILLED}]
    assert answer["branches"] == [{"id": "b", **FILLED}]


PAGE: dict[str, Any] = {"total": 7, "page": 2, "limit": 3, "hasNext": True}


@pytest.mark.parametrize(
    "told",
    [
        {"success": True, "conversations": [ONE], **PAGE},
        {"success": True, "data": {"conversations": [ONE], **PAGE}},
        {"conversations": [ONE], **PAGE, "data": {"conversations": [ONE], **PAGE}},
        {"data": [ONE], **PAGE},
        {"data": None, "conversations": [ONE], **PAGE},
        {"conversations": [ONE], "data": PAGE},
    ],
)
def test_a_page_of_conversations_is_found_wherever_it_is(told: Any) -> None:
    assert outcome(LIST, told).answer == {"data": [ONE], **PAGE}


def test_a_page_that_tells_nothing_is_an_empty_one() -> None:
    empty: Any = {"data": [], "total": 0, "page": 1, "limit": 10, "hasNext": False}
    assert outcome(LIST, {"data": None}).answer == empty
    asked = outcome(lambda client: client.conversations.list({"page": 3, "limit": 5}), {})
    assert asked.targets == ["GET /conversations?page=3&limit=5"]
    assert asked.answer == {**empty, "page": 3, "limit": 5}


@pytest.mark.parametrize(
    ("told", "question"),
    [
        ({"message": SAID}, None),
        ({"assistantMessage": SAID}, None),
        ({"message": SAID, "userMessage": ASKED}, ASKED),
        ({"assistantMessage": SAID, "userMessage": ASKED}, ASKED),
        ({"message": SAID, "assistantMessage": SAID, "userMessage": ASKED}, ASKED),
        ({"message": ASKED, "assistantMessage": SAID}, ASKED),
        ({"message": None, "assistantMessage": SAID, "userMessage": None}, None),
    ],
)
@pytest.mark.parametrize("is_enveloped", [True, False])
def test_an_exchange_always_holds_all_of_it(told: Any, question: Any, is_enveloped: bool) -> None:
    answer = outcome(SEND, enveloped(**told) if is_enveloped else told).answer
    assert answer == {
        "message": {**SAID, **FILLED},
        "assistantMessage": {**SAID, **FILLED},
        "userMessage": {**question, **FILLED} if question else None,
        "usage": NO_USAGE,
        "model": "",
    }


def test_an_exchange_tells_what_its_metadata_does() -> None:
    metadata = {"model": "m", "prompt_tokens": 2, "completion_tokens": 3}
    answer = outcome(SEND, enveloped(message={**SAID, "metadata": metadata})).answer
    assert answer["model"] == "m"
    assert answer["usage"] == {"promptTokens": 2, "completionTokens": 3, "totalTokens": 5}


def test_what_nobody_names_is_kept() -> None:
    told = enveloped(message={**SAID, "future": 1}, usage={"reasoning": 4}, later=[2])
    answer = outcome(SEND, told).answer
    assert (answer["message"]["future"], answer["later"]) == (1, [2])
    assert answer["usage"] == {**NO_USAGE, "reasoning": 4}


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (GET, b"<html>"),
        (GET, b"[]"),
        (GET, b'"text"'),
        (GET, b"null"),
        (GET, b"\xff"),
        (GET, b'{"a":' * 100_000),
        (GET, b'{"success": false, "error": "no"}'),
        (SEND, b'{"success": true}'),
        (SEND, b'{"success": true, "data": {"message": "text"}}'),
        (LIST, b"<html>"),
        (DELETE, b"<html>"),
        (DELETE, b'{"success": false}'),
        (ANY, b"[]"),
    ],
)
def test_what_is_no_answer_is_never_taken_for_one(call: Call, body: bytes) -> None:
    error = outcome(call, Reply(body)).answer
    assert isinstance(error, UnreadableAnswerError)
    assert error.status_code == 200


SNAKE = {
    "id": "p",
    "summary": "s",
    "conversation_id": "c",
    "branch_id": "b",
    "anchor_message_id": "m",
    "token_count": 1,
    "created_at": "x",
}
CAMEL = {
    "id": "p",
    "summary": "s",
    "conversationId": "c",
    "branchId": "b",
    "anchorMessageId": "m",
    "tokenCount": 1,
    "createdAt": "x",
}


@pytest.mark.parametrize("told", [SNAKE, CAMEL, {**SNAKE, **CAMEL}])
def test_a_checkpoint_is_told_in_both_spellings(told: Any) -> None:
    assert checkpoint({**told, "future": 1}) == {**SNAKE, **CAMEL, "future": 1}


@pytest.mark.parametrize("is_enveloped", [True, False])
def test_suggestions_are_found_wherever_they_are(is_enveloped: bool) -> None:
    metadata = {"detectionMethod": "pattern", "totalBranchPointsFound": 4, "modelUsed": None}
    told: Any = {"suggestions": [{"id": "s"}], "metadata": metadata}
    assert outcome(SUGGEST, enveloped(**told) if is_enveloped else told).answer == told


NAMES = [
    *("data", "conversations", "conversation", "message", "assistantMessage", "userMessage"),
    *("id", "role", "content", "usage", "metadata", "suggestions", "nextCursor", "hasNext"),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 9) | st.sampled_from(["", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=6))
def test_readers_take_any_object_or_say_that_it_is_none(told: dict[str, Any]) -> None:
    body = json.dumps(told).encode()
    page = conversations(body, {})
    assert all(isinstance(one, dict) for one in page["data"])
    assert isinstance(page["hasNext"], bool)
    assert isinstance(held(body, "conversation"), dict)
    assert all(isinstance(one, dict) for one in listed(body, "messages").items)
    assert isinstance(suggestions(body)["suggestions"], list)
    assert checkpoint(told).keys() >= told.keys()
    try:
        answer = exchange(told, "c1")
    except UNREADABLE:
        return
    assert answer["message"] == answer["assistantMessage"]
    assert answer["message"]["conversationId"]
    assert answer["usage"].keys() >= NO_USAGE.keys()
