"""What the Infinity Assistant clients send, call by call."""

from __future__ import annotations

from collections.abc import Callable
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
FOUND = {"title": "T", "url": "u"}
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
    "search by lists": (
        lambda client: client.search_knowledge(
            "q", filters={"type": ["wisdom", "gotcha"], "tags": ("a",), "minConfidence": 0}
        ),
        "POST /knowledge/search",
        {
            "query": "q",
            "filters": {"type": ["wisdom", "gotcha"], "tags": ["a"], "minConfidence": 0},
        },
        {"success": True, "results": [], "total": 0},
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
    "list some knowledge": (
        lambda client: client.list_knowledge(5, "x", type="gotcha", domain="a b", tag="t"),
        "GET /knowledge?limit=5&cursor=x&type=gotcha&domain=a%20b&tag=t",
        None,
        {"success": True, "entries": [], "nextCursor": None},
    ),
    "get knowledge": (
        lambda client: client.get_knowledge("e/1"),
        "GET /knowledge?id=e%2F1",
        None,
        {"success": True, "entry": ENTRY},
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
        {"success": True, "results": [FOUND], "summary": "S", "citations": [], "metadata": {}},
    ),
    "research with a model": (
        lambda client: client.research("q", model="m"),
        "POST /research",
        {"query": "q", "model": "m"},
        {
            "success": True,
            "query": "q",
            "results": [{**FOUND, "number": 1, "provider": "brave"}],
            "summary": "S [1]",
            "citations": [{"number": 1, "source": 1, "url": "u", "quote": "S"}],
            "metadata": {"depth": "medium", "unread": [{"url": "v", "reason": "gone"}]},
        },
    ),
    "history": (
        lambda client: client.chat_history("c 1"),
        "GET /chat?conversationId=c%201",
        None,
        {"success": True, "conversationId": "c 1", "messages": [{"id": "m1", "role": "user"}]},
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
CAMEL: dict[str, Any] = {
    "conversationId": "c1",
    "userId": "u1",
    "userTier": "pro",
    "userContext": {"a": 1},
    "sessionId": "s1",
    "drivingMode": {"enabled": True},
}
REST = {"mode": "build", "model": "m", "preferences": {"b": 2}, "essence": {"c": 3}}


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


USERS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "retrieve": (lambda client, whose: client.retrieve_memory("k", **whose), "?key=k"),
    "list": (lambda client, whose: client.list_memories("p", **whose), "?prefix=p"),
    "iterate": (lambda client, whose: client.iter_memories("p", **whose).collect(), "?prefix=p"),
    "delete": (lambda client, whose: client.delete_memory("k", **whose), "?key=k"),
    "history": (lambda client, whose: client.chat_history("c", **whose), "?conversationId=c"),
    "store": (lambda client, whose: client.store_memory("k", 1, **whose), ""),
}


@pytest.mark.parametrize(("call", "query"), USERS.values(), ids=USERS)
@pytest.mark.parametrize(
    "whose",
    [{"user_id": "u 1"}, {"userId": "u 1"}, {"user_id": "u 1", "userId": "u 1"}],
    ids=["snake", "camel", ""],
)
def test_whose_something_is_can_be_spelled_either_way(
    call: Callable[[Any, Any], Any], query: str, whose: dict[str, str]
) -> None:
    happened = outcome(lambda client: call(client, whose), DONE)
    assert not isinstance(happened.answer, Exception)
    if query:
        assert happened.targets[0].endswith(f"{query}&userId=u%201")
    else:
        assert happened.bodies == [{"key": "k", "value": 1, "ttl": None, "userId": "u 1"}]


@pytest.mark.parametrize("call", [call for call, _ in USERS.values()], ids=USERS)
def test_nothing_is_two_users(call: Callable[[Any, Any], Any]) -> None:
    happened = outcome(lambda client: call(client, {"user_id": "a", "userId": "b"}))
    assert (type(happened.answer), happened.asked) == (ValueError, [])


@pytest.mark.parametrize("name", ["min_confidence", "minConfidence"])
def test_filters_are_spelled_either_way_and_stay_as_they_are(name: str) -> None:
    filters = {"type": "wisdom", name: 0.5}
    happened = outcome(
        lambda client: client.search_knowledge("q", filters=filters), {"results": []}
    )
    assert happened.bodies == [{"query": "q", "filters": {"type": "wisdom", "minConfidence": 0.5}}]
    assert filters == {"type": "wisdom", name: 0.5}


def test_filters_in_two_spellings_may_not_differ() -> None:
    filters = {"min_confidence": 0.5, "minConfidence": 0.6}
    happened = outcome(lambda client: client.search_knowledge("q", filters=filters))
    assert (type(happened.answer), happened.asked) == (ValueError, [])


ITERATED: dict[str, tuple[Call, str, str]] = {
    "memories": (
        lambda client: client.iter_memories("a b", 2, userId="u").collect(),
        "memories",
        "GET /memory/list?prefix=a%20b&limit=2",
    ),
    "knowledge": (
        lambda client: client.iter_knowledge(2, type="t", domain="d", tag="g").collect(),
        "entries",
        "GET /knowledge?limit=2",
    ),
}


@pytest.mark.parametrize(("call", "name", "begin"), ITERATED.values(), ids=ITERATED)
def test_what_is_listed_is_gone_through_until_no_cursor_is_told(
    call: Call, name: str, begin: str
) -> None:
    end = "&userId=u" if name == "memories" else "&type=t&domain=d&tag=g"
    happened = outcome(
        call,
        {name: [{"id": "1"}, {"id": "2"}], "nextCursor": "x"},
        {name: [], "nextCursor": "y"},
        {name: [{"id": "3"}], "nextCursor": None},
    )
    assert [one["id"] for one in happened.answer] == ["1", "2", "3"]
    cursors = ["", "&cursor=x", "&cursor=y"]
    assert happened.targets == [f"{begin}{cursor}{end}" for cursor in cursors]


@pytest.mark.parametrize(("call", "name", "begin"), ITERATED.values(), ids=ITERATED)
def test_a_cursor_that_leads_nowhere_is_the_end(call: Call, name: str, begin: str) -> None:
    page = {name: [{"id": "1"}], "nextCursor": "x"}
    happened = outcome(call, page, page)
    assert (len(happened.answer), len(happened.asked)) == (2, 2)
    assert happened.targets[0].startswith(begin)


CALLS_BY_ID: list[Call] = [
    lambda client: client.get_knowledge(""),
    lambda client: client.delete_memory("k", user_id=""),
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
