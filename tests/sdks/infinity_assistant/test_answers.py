"""Answers of every shape that a server of Infinity Assistant was seen to give."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.http import JSON, UNREADABLE
from infinity_assistant import InfinityAssistantUnreadableAnswerError, answers
from sdks.infinity_assistant.both import Call, Reply, outcome

Read = Any


def read(how: Read, told: Any) -> Any:
    return how(json.dumps(told).encode())


def test_the_real_servers_chat_is_completed() -> None:
    told = {
        "response": "Hi!",
        "conversationId": "conv_1_a",
        "rateLimit": {"allowed": True, "limit": 20},
        "metadata": {"model": "infinity-agent", "tokensUsed": 3, "drivingMode": {"x": 1}},
    }
    assert read(answers.chat, told) == {"success": True, "messageId": "", **told}


def test_the_public_documents_chat_is_completed() -> None:
    data = {
        "message_id": "m1",
        "conversation_id": "c1",
        "response": "Hi!",
        "timestamp": "x",
        "tokens_used": 3,
        "model": "m",
    }
    answer = read(answers.chat, {"success": True, "data": data})
    assert (answer["response"], answer["conversationId"], answer["messageId"]) == (
        "Hi!",
        "c1",
        "m1",
    )
    assert answer["metadata"] == {"timestamp": "x", "tokensUsed": 3, "model": "m"}
    assert answer["data"] == data


def test_ids_may_be_told_in_the_metadata() -> None:
    told = {"response": "", "metadata": {"conversation_id": "c1", "messageId": "m1"}}
    answer = read(answers.chat, told)
    assert (answer["conversationId"], answer["messageId"]) == ("c1", "m1")
    assert answer["metadata"]["conversation_id"] == "c1"


@pytest.mark.parametrize(
    ("how", "told", "answer"),
    [
        (answers.found, {"results": [{"id": "a"}]}, {"results": [{"id": "a"}], "total": 1}),
        (answers.found, {"data": {"results": None}}, {"results": [], "total": 0}),
        (answers.stored, {}, {"stored": True}),
        (answers.retrieved, {"value": 0}, {"value": 0, "found": True}),
        (answers.retrieved, {"value": None}, {"value": None, "found": False}),
        (answers.retrieved, {}, {"value": None, "found": False}),
        (answers.memories, {}, {"entries": [], "nextCursor": None}),
        (answers.memories, {"memories": [{"key": "k"}]}, {"entries": [{"key": "k"}]}),
        (answers.history, {"messages": None}, {"messages": []}),
        (answers.research, {"results": []}, {"citations": [], "metadata": {}, "summary": ""}),
        (answers.research, {"metadata": {"tokens_used": 2}}, {"metadata": {"tokensUsed": 2}}),
        (answers.knowledge, {"entries": [1, {"id": "a"}]}, {"entries": [{"id": "a"}]}),
        (answers.api_keys, {"apiKeys": None}, {"apiKeys": []}),
        (answers.webhooks, {"webhooks": [{"id": "w"}]}, {"webhooks": [{"id": "w"}]}),
        (answers.entry, {"id": "a", "content": "x"}, {"entry": {"id": "a", "content": "x"}}),
        (answers.deleted, {"revoked": True}, {"revoked": True}),
    ],
)
def test_what_is_left_out_is_filled_in(how: Read, told: Any, answer: Any) -> None:
    given = read(how, told)
    assert given["success"] is True
    for name, value in answer.items():
        held = given[name]
        assert held == value or (isinstance(value, dict) and held.items() >= value.items())


def test_research_is_read_in_the_real_servers_shape() -> None:
    sources = [{"title": "T", "url": "u"}]
    result: Any = {
        "query": "q",
        "synthesis": {"summary": "S", "keyInsights": []},
        "sources": sources,
    }
    answer = read(answers.research, {"success": True, "result": result})
    assert (answer["results"], answer["summary"], answer["result"]) == (sources, "S", result)


@pytest.mark.parametrize(
    "told",
    [
        {"entries": [{"id": "a"}, {"id": "b", "content": "x"}]},
        {"entry": {"id": "b", "content": "x"}},
        {"id": "b", "content": "x"},
    ],
    ids=["among others", "alone", "at the top"],
)
def test_one_entry_is_found_wherever_it_is_told(told: Any) -> None:
    entry = read(answers.entry_named("b"), told)["entry"]
    assert (entry["id"], entry["content"]) == ("b", "x")


def test_an_empty_body_is_a_deletion() -> None:
    happened = outcome(lambda client: client.delete_webhook("w"), Reply(b"", b"204 No Content"))
    assert happened.answer == {"success": True}


NONSENSE: list[tuple[Call, bytes]] = [
    (lambda client: client.chat("hi"), b"<html>"),
    (lambda client: client.chat("hi"), b"[]"),
    (lambda client: client.chat("hi"), b'{"message": "hm"}'),
    (lambda client: client.chat("hi"), b'{"response": null}'),
    (lambda client: client.create_api_key("n"), b"{}"),
    (lambda client: client.create_webhook("u", ["a"]), b'{"webhook": []}'),
    (lambda client: client.get_knowledge("b"), b'{"entries": [{"id": "a"}]}'),
    (lambda client: client.health(), b""),
    (lambda client: client.list_memories(), b'{"a":' * 100_000),
]


@pytest.mark.parametrize(("call", "body"), NONSENSE)
def test_what_makes_no_sense_is_an_error(call: Call, body: bytes) -> None:
    error = outcome(call, Reply(body)).answer
    assert type(error) is InfinityAssistantUnreadableAnswerError
    assert error.status_code == 200


@pytest.mark.parametrize(
    "error", ["it is full", {"message": "it is full", "code": "FULL"}], ids=["text", "object"]
)
def test_a_success_that_says_it_is_none_is_an_error(error: Any) -> None:
    told = {"error": error} if isinstance(error, str) else {"success": False, "error": error}
    answer = outcome(lambda client: client.store_memory("k", 1), told).answer
    assert type(answer) is InfinityAssistantUnreadableAnswerError
    assert "it says that it is no success: it is full" in str(answer)


JSON_VALUES: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
NAMES = st.sampled_from(
    [
        *("success", "response", "data", "metadata", "conversationId", "messageId", "model"),
        *("results", "total", "entries", "nextCursor", "result", "summary", "entry", "id"),
    ]
)
READERS: list[Read] = [
    *(answers.chat, answers.found, answers.stored, answers.retrieved, answers.research),
    *(answers.memories, answers.entry, answers.api_keys, answers.deleted, answers.health),
]


@given(st.sampled_from(READERS), st.dictionaries(NAMES, JSON_VALUES), JSON_VALUES)
def test_any_object_is_an_answer_or_none_and_what_nobody_knows_is_kept(
    how: Read, told: Any, value: JSON
) -> None:
    try:
        answer = read(how, {**told, "unknown": value})
    except UNREADABLE:
        return
    place = answer if "unknown" in answer else answer["entry"]
    assert place["unknown"] == value
