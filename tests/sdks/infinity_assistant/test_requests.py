"""What the Infinity Assistant clients send, call by call."""

from __future__ import annotations

from typing import Any

import pytest

from chatloom.core.raw import Raw
from infinity_assistant import InfinityAssistantNotFoundError
from sdks.infinity_assistant.both import Call, Reply, outcome

ANSWER: Any = {
    "success": True,
    "response": "Hi!",
    "conversationId": "c1",
    "messageId": "m1",
    "metadata": {"model": "m", "tokensUsed": 3},
}
KEY = {"id": "k1", "name": "n", "prefix": "ia_0123", "createdAt": "x", "isActive": True}
HOOK = {"id": "w1", "url": "https://x", "events": ["chat.message"], "isActive": True}
ENTRY = {"id": "e1", "type": "pattern", "title": "T", "content": "C", "tags": ["a"]}
DONE = {"success": True}

CASES: dict[str, tuple[Call, str, Any, Any]] = {
    "chat": (
        lambda client: client.chat(message="Hello!"),
        "POST /chat",
        {"message": "Hello!"},
        ANSWER,
    ),
    "search": (
        lambda client: client.search_knowledge(query="q", limit=5, filters={"type": "wisdom"}),
        "POST /knowledge/search",
        {"query": "q", "limit": 5, "filters": {"type": "wisdom"}},
        {"success": True, "results": [ENTRY], "total": 7},
    ),
    "search briefly": (
        lambda client: client.search_knowledge("q"),
        "POST /knowledge/search",
        {"query": "q"},
        {"success": True, "results": [], "total": 0},
    ),
    "add knowledge": (
        lambda client: client.add_knowledge({"content": "C", "tags": ["a"]}),
        "POST /knowledge",
        {"content": "C", "tags": ["a"]},
        {"success": True, "entry": ENTRY},
    ),
    "list knowledge": (
        lambda client: client.list_knowledge(limit=5, cursor="a b"),
        "GET /knowledge?limit=5&cursor=a%20b",
        None,
        {"success": True, "entries": [ENTRY], "nextCursor": "y"},
    ),
    "update knowledge": (
        lambda client: client.update_knowledge("e1", {"title": "U"}),
        "PATCH /knowledge?id=e1",
        {"title": "U"},
        {"success": True, "entry": ENTRY},
    ),
    "delete knowledge": (
        lambda client: client.delete_knowledge("e/1"),
        "DELETE /knowledge?id=e%2F1",
        None,
        DONE,
    ),
    "store": (
        lambda client: client.store_memory("k", {"a": [1, None]}),
        "POST /memory/store",
        {"key": "k", "value": {"a": [1, None]}, "ttl": None},
        {"success": True, "stored": True},
    ),
    "store for a while": (
        lambda client: client.store_memory(key="k", value="v", ttl=60),
        "POST /memory/store",
        {"key": "k", "value": "v", "ttl": 60},
        {"success": True, "stored": False},
    ),
    "retrieve": (
        lambda client: client.retrieve_memory("a&b c"),
        "GET /memory/retrieve?key=a%26b%20c",
        None,
        {"success": True, "value": {"a": 1}, "found": True},
    ),
    "retrieve nothing": (
        lambda client: client.retrieve_memory("k"),
        "GET /memory/retrieve?key=k",
        None,
        {"success": True, "value": None, "found": False},
    ),
    "list memories": (
        lambda client: client.list_memories(),
        "GET /memory/list",
        None,
        {"success": True, "entries": [{"key": "k"}], "nextCursor": None},
    ),
    "list some memories": (
        lambda client: client.list_memories("user/", limit=2, cursor="x"),
        "GET /memory/list?prefix=user%2F&limit=2&cursor=x",
        None,
        {"success": True, "entries": [], "nextCursor": "y"},
    ),
    "delete memory": (
        lambda client: client.delete_memory("k"),
        "DELETE /memory?key=k",
        None,
        DONE,
    ),
    "research": (
        lambda client: client.research(query="q", depth="deep", sources=4),
        "POST /research",
        {"query": "q", "depth": "deep", "sources": 4},
        {"success": True, "results": [{"title": "T", "url": "u"}], "summary": "S"},
    ),
    "list keys": (
        lambda client: client.list_api_keys(),
        "GET /api-keys",
        None,
        {"success": True, "apiKeys": [KEY]},
    ),
    "create key": (
        lambda client: client.create_api_key("n"),
        "POST /api-keys",
        {"name": "n"},
        {"success": True, "apiKey": {**KEY, "key": "ia_x"}, "message": "keep it"},
    ),
    "delete key": (
        lambda client: client.delete_api_key("k1"),
        "DELETE /api-keys?id=k1",
        None,
        {"success": True, "message": "gone"},
    ),
    "list webhooks": (
        lambda client: client.list_webhooks(),
        "GET /webhooks",
        None,
        {"success": True, "webhooks": [HOOK]},
    ),
    "create webhook": (
        lambda client: client.create_webhook("https://x", ("chat.message", "chat.response")),
        "POST /webhooks",
        {"url": "https://x", "events": ["chat.message", "chat.response"]},
        {"success": True, "webhook": {**HOOK, "secret": "s"}},
    ),
    "create webhook of one event": (
        lambda client: client.create_webhook(url="https://x", events="chat.message"),
        "POST /webhooks",
        {"url": "https://x", "events": ["chat.message"]},
        {"success": True, "webhook": HOOK},
    ),
    "delete webhook": (
        lambda client: client.delete_webhook("w1"),
        "DELETE /webhooks?id=w1",
        None,
        DONE,
    ),
    "health": (
        lambda client: client.health(),
        "GET /health",
        None,
        {"status": "healthy", "timestamp": "x", "checks": {}},
    ),
}


@pytest.mark.parametrize(("call", "target", "body", "told"), CASES.values(), ids=CASES)
def test_a_call_sends_what_the_document_says_and_gives_what_is_told(
    call: Call, target: str, body: Any, told: Any
) -> None:
    happened = outcome(call, told)
    assert (happened.targets, happened.bodies) == ([target], [body])
    assert happened.answer == told


SNAKE = {
    "conversation_id": "c1",
    "user_id": "u1",
    "user_tier": "pro",
    "user_context": {"a": 1},
    "session_id": "s1",
    "driving_mode": {"enabled": True},
}
CAMEL = {
    "conversationId": "c1",
    "userId": "u1",
    "userTier": "pro",
    "userContext": {"a": 1},
    "sessionId": "s1",
    "drivingMode": {"enabled": True},
}
REST = {"mode": "build", "preferences": {"b": 2}, "essence": {"c": 3}}


@pytest.mark.parametrize("spelled", [SNAKE, CAMEL, {**SNAKE, **CAMEL}], ids=["snake", "camel", ""])
def test_a_chat_is_spelled_either_way_and_sent_in_the_wires(spelled: dict[str, Any]) -> None:
    happened = outcome(lambda client: client.chat("hi", **spelled, **REST), ANSWER)
    assert happened.bodies == [{"message": "hi", **CAMEL, **REST}]


def test_what_is_false_is_told() -> None:
    happened = outcome(lambda client: client.chat("hi", driving_mode=False, userId=""), ANSWER)
    assert happened.bodies == [{"message": "hi", "drivingMode": False, "userId": ""}]


@pytest.mark.parametrize(("snake", "camel"), list(zip(SNAKE, CAMEL, strict=True)))
def test_two_spellings_may_not_differ(snake: str, camel: str) -> None:
    given = {snake: SNAKE[snake], camel: "other"}
    happened = outcome(lambda client: client.chat("hi", **given))
    assert (type(happened.answer), happened.asked) == (ValueError, [])
    assert str(happened.answer).startswith(f"{snake} is told in two spellings")


def test_a_streams_spellings_may_not_differ_either() -> None:
    happened = outcome(lambda client: client.chat_stream("hi", user_id="a", userId="b").collect())
    assert (type(happened.answer), happened.asked) == (ValueError, [])


def test_what_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="conversation"):
        outcome(lambda client: client.chat("hi", conversation="c"))


CALLS_BY_ID: list[Call] = [
    lambda client: client.delete_api_key(""),
    lambda client: client.delete_webhook(""),
    lambda client: client.delete_memory(""),
    lambda client: client.delete_knowledge(""),
    lambda client: client.update_knowledge("", {"title": "T"}),
]


@pytest.mark.parametrize("call", CALLS_BY_ID)
def test_nothing_is_changed_that_has_no_name(call: Call) -> None:
    happened = outcome(call)
    assert (type(happened.answer), happened.asked) == (ValueError, [])


def test_a_route_that_a_server_lacks_is_told_clearly() -> None:
    page = Reply(b"<!DOCTYPE html><html>404</html>", b"404 Not Found")
    happened = outcome(lambda client: client.store_memory("k", 1), page)
    assert type(happened.answer) is InfinityAssistantNotFoundError
    assert str(happened.answer) == (
        "NOT_FOUND: this server has no such route: 404 from POST /api/memory/store"
    )


def test_a_raw_answer_has_the_response_with_it() -> None:
    happened = outcome(lambda client: client.with_raw_response.chat("hi"), ANSWER)
    raw: Raw[object] = happened.answer
    assert (raw.status_code, raw.parsed) == (200, ANSWER)


def test_each_post_has_an_idempotency_key_of_its_own() -> None:
    calls: list[Call] = [
        lambda client: client.chat("hi"),
        lambda client: client.store_memory("k", 1),
        lambda client: client.with_options(idempotency_key="mine").chat("hi"),
    ]
    keys = [outcome(call, ANSWER).asked[0].all("idempotency-key") for call in calls]
    assert [len(key) for key in keys] == [1, 1, 1]
    assert keys[0] != keys[1]
    assert keys[2] == ["mine"]


def test_a_call_can_be_made_in_another_manner() -> None:
    def call(client: Any) -> Any:
        return client.with_options(extra_body={"temperature": 0}, extra_headers={"X-A": "b"}).chat(
            "hi"
        )

    happened = outcome(call, ANSWER)
    assert happened.bodies == [{"message": "hi", "temperature": 0}]
    assert happened.asked[0].all("x-a") == ["b"]
