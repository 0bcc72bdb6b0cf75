"""What real traffic tells webhooks: which events, of what, in which order, together with what."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from chatloom.server.events.kinds import EVENTS, LONGEST_TEXT, expand
from chatloom.server.ids import is_id
from chatloom.server.protocols.deeds import deed
from chatloom.server.store.sqlite import SQLiteStore
from support.chatroutes import Member
from support.house import WHOLE, a_house
from support.infinity import Assistant
from support.live import Live
from support.parcels import added

pytestmark = pytest.mark.anyio

ACCOUNTS = 32
ENDLESS = "loom/scribe?delay=20&tokens=4000"


def account_of(key: str) -> str:
    """The account that ``--dev`` gives a key."""
    return f"dev-{hashlib.sha256(key.encode()).hexdigest()[:24]}"


async def listen(store: SQLiteStore, account_id: str, **fields: Any) -> str:
    """Have everything put down for a webhook that is disabled, so that nothing is sent."""
    id = await added(store, account_id, **fields)
    await store.disable_webhook(id, "owner", now=1)
    return id


async def _prepare(path: Path) -> None:
    store = SQLiteStore(path)
    for number in range(ACCOUNTS):
        id = account_of(f"listener-{number}")
        await store.account(id, "made by --dev", dev=True, now=1)
        await listen(store, id)
    await store.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    path = tmp_path_factory.mktemp("events") / "own.db"
    asyncio.run(_prepare(path))
    server = Live(path, "--grace", "1")
    yield server
    assert server.stop() == 0
    asyncio.run(_check(path))


async def _check(path: Path) -> None:
    store = SQLiteStore(path)
    health = await store.check()
    assert (health.problems, health.open_turns) == ([], [])
    await store.close()


@pytest.fixture(scope="module")
def keys() -> Iterator[str]:
    return (f"listener-{number}" for number in range(ACCOUNTS))


@pytest.fixture
def key(keys: Iterator[str]) -> str:
    """A key whose account is listened to, and nobody else's."""
    return next(keys)


def bodies(server: Live, key: str) -> list[Any]:
    """What was put down for an account, as it is sent."""
    query = "SELECT body FROM event WHERE account_id = ? ORDER BY number"
    told = [json.loads(body) for (body,) in server.rows(query, account_of(key))]
    for body in told:
        _check_form(body)
    return told


def _check_form(body: Any) -> None:
    names = ["id", "object", "type", "event", "created_at", "timestamp", "data"]
    assert [*body] == names
    assert is_id(body["id"])
    assert body["object"] == "event"
    assert body["type"] == body["event"]
    assert body["type"] in EVENTS
    assert body["timestamp"].endswith("Z")
    assert int(datetime.fromisoformat(body["timestamp"]).timestamp()) == body["created_at"]
    assert abs(body["created_at"] - time.time()) < 3600


def told(server: Live, key: str, skip: int = 0) -> list[tuple[str, Any]]:
    """Types and data of what was put down, but for what was before."""
    return [(one["type"], one["data"]) for one in bodies(server, key)[skip:]]


def types(events: list[tuple[str, Any]]) -> list[str]:
    return [type for type, _ in events]


def said(events: list[tuple[str, Any]]) -> list[tuple[str, str]]:
    """The words that were told."""
    return [(type, data["content"]) for type, data in events if type.startswith("chat.")]


TURN = ["chat.message", "chat.response", "turn.complete"]


def test_a_turn_tells_what_was_asked_what_was_answered_and_how_it_ended(
    server: Live, key: str
) -> None:
    talk = Member(server, key).begin(model="loom/echo")
    done = talk.send("Hello?")
    question, answer, end = told(server, key)
    here = {"conversationId": talk.id, "branchId": talk.main["id"]}
    whose = {"protocol": "chatroutes", "userId": None, "organizationId": None}
    ((turn_id, cost),) = server.rows(
        "SELECT id, cost FROM turn WHERE account_id = ?", account_of(key)
    )
    whose["turnId"] = turn_id
    asked_id, answer_id = done["userMessage"]["id"], done["message"]["id"]
    assert question == (
        "chat.message",
        {
            **here,
            "messageId": asked_id,
            "parentId": None,
            "role": "user",
            "content": "Hello?",
            **whose,
        },
    )
    usage = answer[1].pop("usage")
    assert usage["promptTokens"] + usage["completionTokens"] == usage["totalTokens"]
    assert answer == (
        "chat.response",
        {
            **here,
            "messageId": answer_id,
            "parentId": asked_id,
            "role": "assistant",
            "content": "Hello?",
            "model": "loom/echo",
            "outcome": "complete",
            **whose,
        },
    )
    assert float(end[1].pop("cost")) == cost == 0
    assert end == (
        "turn.complete",
        {
            **here,
            "outcome": "complete",
            "problem": None,
            "model": "loom/echo",
            "servedModel": "loom/echo",
            "provider": "loom",
            "streamed": False,
            "apart": False,
            "usage": usage,
            "estimated": False,
            **whose,
        },
    )


def test_streams_edits_and_deleted_messages_of_chatroutes(server: Live, key: str) -> None:
    talk = Member(server, key).begin()
    talk.member.stream(f"{talk.path}/messages/stream", {"content": "One"})
    first, second = talk.messages()
    talk.member.data("PATCH", f"/messages/{first['id']}", {"content": "Eins"})
    events = told(server, key)
    assert types(events)[:4] == [*TURN, "chat.message"]
    assert events[2][1]["streamed"] is True
    edited = events[3][1]
    assert (edited["edited"], edited["content"], edited["role"]) == (True, "Eins", "user")
    assert edited["branchId"] == talk.main["id"]
    assert edited["messageId"] == talk.messages()[0]["id"]
    count = len(events)
    talk.member.data("DELETE", f"/messages/{second['id']}")
    talk.member.data("DELETE", f"/messages/{edited['messageId']}")
    events = told(server, key)
    assert len(events) == count
    assert said(events)[:3] == [
        ("chat.message", "One"),
        ("chat.response", None),
        ("chat.message", None),
    ]
    deleted = [data["messageId"] for _, data in events if data.get("deleted")]
    assert deleted == [second["id"], edited["messageId"]]
    talk.member.data("DELETE", talk.path)
    assert {text for _, text in said(told(server, key))} == {None}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("protocol", "path", "request_"),
    [
        ("chatserver", "/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}),
        (
            "chatserver",
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "Hi"}], "metadata": {"user_id": "ann"}},
        ),
        (
            "anthropic",
            "/v1/messages",
            {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 99},
        ),
        ("infinity", "/api/chat", {"message": "Hi", "userId": "ann"}),
    ],
    ids=["plain", "listed", "anthropic", "infinity"],
)  # fmt: skip
def test_every_protocol_tells_the_same(
    server: Live, key: str, protocol: str, path: str, request_: dict[str, object], streamed: bool
) -> None:
    body = {"model": "loom/echo", "stream": streamed, **request_}
    assert server.call("POST", path, body, key=key).status == 200
    events = told(server, key)
    assert types(events) == TURN
    assert said(events) == [("chat.message", "Hi"), ("chat.response", "Hi")]
    user = "ann" if "ann" in str(request_) else None
    for _, data in events:
        assert (data["protocol"], data["userId"]) == (protocol, user)
    assert events[2][1]["streamed"] is streamed


def test_zaguans_clients_are_told_as_all_others(server: Live, key: str) -> None:
    server.complete("Hi", key=key, headers={"X-Request-Id": "one"}, model="loom/scribe", n=2)
    events = told(server, key)
    assert types(events) == ["chat.message", *["chat.response"] * 2, "turn.complete"]
    _, first, second, end = (data for _, data in events)
    assert first["branchId"] == end["branchId"] != second["branchId"]
    assert first["parentId"] == second["parentId"]
    assert first["usage"] == end["usage"]
    assert second["usage"] is None


def test_a_talk_that_is_told_again_tells_what_is_new(server: Live, key: str) -> None:
    talk = [{"role": "user", "content": "One"}]
    for question in ("Two", "Three"):
        answer = server.complete(talk, key=key, model="loom/echo").text
        talk += [{"role": "assistant", "content": answer}, {"role": "user", "content": question}]
    server.complete(talk, key=key, model="loom/echo")
    events = told(server, key)
    assert types(events) == TURN * 3
    assert [text for _, text in said(events)] == ["One", "One", "Two", "Two", "Three", "Three"]
    assert len({data["conversationId"] for _, data in events}) == 1


def test_a_repeated_request_tells_nothing_again(server: Live, key: str) -> None:
    for _ in range(2):
        server.complete("Hi", key=key, headers={"Idempotency-Key": "one"})
    assert types(told(server, key)) == TURN


def test_embeddings_tell_how_they_ended_and_no_words(server: Live, key: str) -> None:
    body = {"model": "loom/embed", "input": "secret words"}
    assert server.call("POST", "/v1/embeddings", body, key=key).status == 200
    ((type, data),) = told(server, key)
    assert (type, data["conversationId"], data["branchId"]) == ("turn.complete", None, None)
    assert "secret" not in json.dumps(data)


def test_what_is_asked_about_a_talk_is_told_as_apart(server: Live, key: str) -> None:
    talk = Member(server, key).begin(model="loom/scribe")
    first = talk.say("One", "Two")[1]
    branch = talk.fork(first, "Aside")
    talk.say("Three", branch=branch)
    before = len(told(server, key))
    talk.merge(branch, strategy="summarize")
    body = {"branchId": talk.main["id"], "anchorMessageId": first}
    talk.member.data("POST", f"{talk.path}/checkpoints", body)
    events = told(server, key, before)
    assert types(events) == ["turn.complete"] * 2
    assert {(data["apart"], data["conversationId"]) for _, data in events} == {(True, talk.id)}
    assert [data["branchId"] for _, data in events][1] == talk.main["id"]


@pytest.mark.parametrize(
    ("model", "outcome", "words"),
    [
        ("loom/scribe?cut=3", "truncated", True),
        ("loom/scribe?cut=0", "truncated", False),
        ("loom/scribe?malformed=2", "truncated", True),
        ("loom/scribe?429=9", "provider_error", False),
        ("loom/scribe?tokens=900", "length", True),
    ],
)
def test_a_turn_that_does_not_end_well_says_so(
    server: Live, key: str, model: str, outcome: str, words: bool
) -> None:
    fields: dict[str, Any] = {"max_tokens": 5} if outcome == "length" else {}
    server.events("Hi", key=key, model=model, **fields)
    events = told(server, key)
    assert types(events) == [*TURN[: 2 * words], f"turn.{outcome}"]
    end = events[-1][1]
    assert end["outcome"] == outcome
    assert (end["problem"] is None) == (outcome == "length")
    if words:
        assert (events[1][1]["outcome"], events[1][1]["usage"]) == (outcome, end["usage"])
        assert events[1][1]["content"]
    else:
        assert end["usage"] is None


def test_a_cancelled_turn_tells_what_was_said_by_then(server: Live, key: str) -> None:
    with server.stream("Hi", key=key, model=ENDLESS) as running:
        turn = running.headers["x-chatloom-turn"]
        while b"content" not in running.readline():
            pass
        assert told(server, key) == []
        cancelled = server.call("POST", f"/v1/turns/{turn}/cancel", key=key)
        assert cancelled.json["outcome"] == "cancelled"
    events = told(server, key)
    assert types(events) == [*TURN[:2], "turn.cancelled"]
    assert {data["turnId"] for _, data in events} == {turn}


def test_memories_and_preferences_are_told_without_what_they_hold(server: Live, key: str) -> None:
    assistant = Assistant(server, key)
    for name in ("note", "preferences", "preferences.tone", "preferencesX"):
        assistant.remember(name, {"secret": 1}, userId="ann")
    stored, updated = "memory.stored", "user.preferences.updated"
    events = told(server, key)
    assert types(events) == [stored, stored, updated, stored, updated, stored]
    assert events[0][1] == {"key": "note", "userId": "ann", "bytes": 12, "expiresAt": None}
    assert "secret" not in json.dumps(events)


def test_what_is_new_to_know_is_told_once_large_or_small(server: Live, key: str) -> None:
    assistant = Assistant(server, key)
    small = assistant.know("Small", "A loom weaves threads.")
    large = assistant.know("Large", "\n\n".join(f"## {n}\n\n{'threads ' * 300}" for n in range(90)))
    events = told(server, key)
    assert [(type, data["id"], data["title"]) for type, data in events] == [
        ("knowledge.created", small, "Small"),
        ("knowledge.created", large, "Large"),
    ]
    assert events[1][1]["passages"] > 64
    assert "threads" not in json.dumps(events)


def test_a_message_that_is_too_long_is_told_in_part(server: Live, key: str) -> None:
    long = "é" * (LONGEST_TEXT + 1)
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    server.complete(long, key=key, model="loom/echo")
    mixed = [{"role": "user", "content": [{"type": "text", "text": "Look"}, part]}]
    server.complete(mixed, key=key, model="loom/scribe")
    messages = [data for type, data in told(server, key) if type == "chat.message"]
    assert [one["content"] for one in messages] == [long[:-1], "Look"][: len(messages)]
    assert all(one["contentTruncated"] for one in messages)


def test_one_users_and_one_accounts_events_are_nobody_elses(
    tmp_path: Path, serve: Callable[..., Live]
) -> None:
    path, key = tmp_path / "own.db", "listener-0"
    ids = asyncio.run(
        _add_some(path, account_of(key), {}, {"end_user": "ann"}, {"end_user": "eve"})
    )
    server = serve(database=path)
    for user in ("ann", "bob"):
        server.complete("Hi", key=key, metadata={"user_id": user})
    server.complete("Hi", key="a-stranger", metadata={"user_id": "ann"})
    query = (
        "SELECT count(*) FROM delivery JOIN event ON event = number"
        " WHERE webhook_id = ? AND type <> 'webhook.disabled'"
    )
    assert [server.rows(query, id)[0][0] for id in ids] == [6, 3, 0]
    assert server.rows("SELECT DISTINCT account_id FROM event") == [(account_of(key),)]


async def _add_some(path: Path, account_id: str, *whose: dict[str, str]) -> list[str]:
    store = SQLiteStore(path)
    await store.account(account_id, "made by --dev", dev=True, now=1)
    ids = [await listen(store, account_id, **one) for one in whose]
    await store.close()
    return ids


def test_a_turn_that_its_process_did_not_survive_is_told_by_the_next(
    tmp_path: Path, serve: Callable[..., Live]
) -> None:
    path, key = tmp_path / "own.db", "listener-0"
    asyncio.run(_add_some(path, account_of(key), {}))
    server = serve(database=path)
    with server.stream("Hi", key=key, model=ENDLESS) as response:
        while not response.readline().startswith(b"data: "):
            pass
        server.kill()
    assert server.rows("SELECT outcome FROM turn") == [(None,)]
    assert server.rows("SELECT * FROM event") == []
    after = serve(database=path)
    for _ in range(600):
        if after.rows("SELECT outcome FROM turn") != [(None,)]:
            break
        time.sleep(0.1)
    events = told(after, key)
    assert types(events)[-1] == "turn.truncated"
    assert types(events)[:-1] in ([], TURN[:2])
    assert events[-1][1]["estimated"] is True
    assert after.stop() == 0
    again = serve(database=path)
    assert told(again, key) == events


async def test_a_tier_is_told_when_it_comes_changes_and_goes(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "own.db")
    await store.account("a", "test", dev=False, now=1)
    id = await listen(store, "a")
    for tier in ("pro", "pro", "max", None, None):
        await store.set_tier("a", tier, deed("test", "account.changed"))
    await store.set_tier("nobody", "pro", deed("test", "account.changed"))
    log = await store.deliveries(id, limit=99)
    await store.close()
    names = ["created", "updated", "cancelled"]
    assert [one.type for one in reversed(log)] == [f"subscription.{name}" for name in names]


async def test_an_end_and_its_events_are_stored_together_or_not_at_all(tmp_path: Path) -> None:
    async with a_house(tmp_path, WHOLE) as house:
        assert isinstance(house.store, SQLiteStore)
        id = await listen(house.store, house.account_id)
        with closing(sqlite3.connect(tmp_path / "house.db")) as connection:
            connection.execute(
                "CREATE TRIGGER full BEFORE INSERT ON event WHEN NEW.type LIKE 'turn.%'"
                " BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
            broken = await house.begun()
            await broken.ended()
            assert await house.store.deliveries(id, limit=9) == []
            assert (await house.stored(broken)).outcome is None
            connection.execute("DROP TRIGGER full")
        await house.settled()
        log = await house.store.deliveries(id, limit=9)
        assert [one.type for one in reversed(log)] == TURN


def test_patterns_stand_for_what_they_name() -> None:
    assert expand(["*"]) == set(EVENTS)
    assert expand(["turn.*"]) == {one for one in EVENTS if one.startswith("turn.")}
    assert expand(["turn.length", "unheard.of"]) == {"turn.length"}
    assert expand([]) == set()
