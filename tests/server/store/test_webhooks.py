"""Webhooks are told all that concerns them and nothing else, each conversation in its order."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from chatloom.core.secret import Secret
from chatloom.server.events.kinds import ping_of
from chatloom.server.ids import first_id_at
from chatloom.server.store.contract import Store
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.sqlite.connect import APPLICATION_ID, connect_in_memory
from chatloom.server.store.sqlite.statements import migrations, statements
from chatloom.server.store.webhooks import (
    MOST_SECRETS,
    Attempt,
    Attempted,
    DeliveryState,
    TooManySecrets,
)
from support.books import Books, answered, books
from support.parcels import DEED, FAR, a_webhook, added, all_due, log_of, secret_of

pytestmark = pytest.mark.anyio


async def test_what_fails_with_others_is_told_of_nowhere_and_the_others_once(
    tmp_path: Path,
) -> None:
    store, woken, gate = (
        SQLiteStore(tmp_path / "store.db"),
        list[frozenset[str]](),
        threading.Event(),
    )
    own = await books(store)
    first = await added(store, own.account_id)
    opening = await own.begin(own.opening())
    store.wake_by(woken.append)
    held = _place(store).write(partial(_hold, gate))
    webhook = a_webhook(own.account_id)
    waiting = [
        asyncio.ensure_future(it)
        for it in (
            store.remember(own.account_id, None, "before", 1, now=6),
            store.add_webhook(webhook, secret_of(webhook.id), most=2, deed=DEED),
            store.remember(own.account_id, None, "behind", 1, now=7),
            store.add_webhook(a_webhook(own.account_id), secret_of(first), most=2, deed=DEED),
            store.open_turn(replace(opening, key_id="nobody's")),
            store.remember(own.account_id, None, "last", 1, now=8),
            store.settle(answered(opening)),
        )
    ]
    await asyncio.sleep(0)
    gate.set()
    await held
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(it, Exception) for it in results] == [False] * 3 + [True] * 2 + [False] * 2
    turn = ["turn.complete", "chat.response", "chat.message"]
    assert [it.type for it in await log_of(store, first)] == [*turn, *["memory.stored"] * 3]
    assert [it.type for it in await log_of(store, webhook.id)] == [*turn, *["memory.stored"] * 2]
    assert [*woken] == [{first}, {first, webhook.id}, {first, webhook.id}, {first, webhook.id}]
    assert (await store.check()).problems == []
    await store.close()


def _hold(gate: threading.Event, connection: sqlite3.Connection) -> None:
    """Keep the writer busy, so that what follows waits together."""
    gate.wait(10)


def _place(store: SQLiteStore) -> Any:
    return store._place  # pyright: ignore[reportPrivateUsage]


async def test_a_webhook_whose_transaction_is_undone_is_told_nothing(store: Store) -> None:
    assert isinstance(store, SQLiteStore)
    own = await books(store)
    woken = list[frozenset[str]]()
    store.wake_by(woken.append)
    webhook = a_webhook(own.account_id)
    event = msgspec.structs.replace(ping_of(own.account_id, webhook.id, 7), type="turn.length")

    def undone(connection: sqlite3.Connection) -> None:
        outbox = _place(store).outbox
        connection.execute(
            "INSERT INTO webhook (id, account_id, url, events, description, created_at, updated_at)"
            " VALUES (?, ?, '', '[\"*\"]', '', 1, 1)",
            (webhook.id, own.account_id),
        )
        outbox.change()
        outbox.report(connection, [event])
        assert connection.execute("SELECT count(*) FROM delivery").fetchone() == (1,)
        raise LookupError("on second thought")

    with pytest.raises(LookupError):
        await _place(store).write(undone)
    await store.remember(own.account_id, None, "a", 1, now=8)
    assert await store.webhook(webhook.id) is None
    assert await log_of(store, webhook.id) == []
    assert woken == []
    id = await added(store, own.account_id)
    await store.remember(own.account_id, None, "a", 2, now=9)
    assert [one.type for one in await log_of(store, id)] == ["memory.stored"]
    assert woken == [{id}]


async def test_whoever_is_woken_finds_what_is_committed(tmp_path: Path) -> None:
    path, found = tmp_path / "store.db", list[object]()

    def look(_: frozenset[str]) -> None:
        with closing(sqlite3.connect(path)) as connection:
            found.append(connection.execute("SELECT count(*) FROM delivery").fetchone()[0])

    store = SQLiteStore(path)
    own = await books(store)
    await added(store, own.account_id)
    store.wake_by(look)
    await store.remember(own.account_id, None, "a", 1, now=6)
    await own.talk("Hello!")
    assert found == [1, 4]
    await store.close()


async def test_what_is_written_stays_so_where_nobody_can_be_woken(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    own = await books(store)
    id = await added(store, own.account_id)

    def fail(_: frozenset[str]) -> None:
        raise RuntimeError("the event loop is closed")

    store.wake_by(fail)
    await store.remember(own.account_id, None, "a", 1, now=6)
    store.wake_by(None)
    await store.remember(own.account_id, None, "b", 1, now=6)
    assert len(await log_of(store, id)) == 2
    assert [one.message for one in caplog.records] == [
        "webhooks have something to do, and nobody could be told"
    ]


async def test_secrets_sign_until_they_expire(store: Store) -> None:
    own = await books(store)
    id = await added(store, own.account_id)

    async def signing(now: int) -> list[str]:
        return [one.value.reveal() for one in await store.webhook_secrets(id, now)]

    for created_at, value in ((10, "whsec_BBBB"), (20, "whsec_CCCC")):
        newer = secret_of(id, value, created_at)
        await store.rotate_webhook(newer, old_expire_at=created_at + 50, deed=DEED)
    assert await signing(20) == ["whsec_CCCC", "whsec_BBBB", "whsec_AAAA"]
    assert await signing(60) == ["whsec_CCCC", "whsec_BBBB"]
    await store.remove_webhook(id, now=61, deed=DEED)
    late = secret_of(id, "whsec_DDDD", 62)
    await store.rotate_webhook(late, old_expire_at=70, deed=DEED)
    assert await signing(62) == []
    assert await store.forget_events(0) == 0
    assert (await store.check()).problems == []


async def test_a_page_of_the_log_is_what_was_asked_for(own: Books, foreign: Books) -> None:
    store = own.store
    id, other = await added(store, own.account_id), await added(store, own.account_id)
    stranger = await added(store, foreign.account_id)
    for key in "abcdef":
        await store.remember(own.account_id, None, key, 1, now=6)
    log = await log_of(store, id)
    states: tuple[DeliveryState, ...] = ("delivered", "failed", "waiting")
    for one, state in zip(log[:3], states, strict=True):
        await store.note_attempt(await _noted(store, id, one.number, state))
    await store.disable_webhook(other, "gone", now=9)
    numbers = [one.number for one in log]

    async def page(**filter: Any) -> list[int]:
        return [one.number for one in await log_of(store, id, **filter)]

    assert await page(limit=2, before=numbers[1]) == numbers[2:4]
    assert await page(state="delivered") == numbers[:1]
    assert (await page(state="waiting"))[1:] == numbers[2:]
    assert await page(state="waiting", before=numbers[3]) == numbers[4:]
    assert await page(state="missed") == []
    assert await page(event_id=log[1].event_id) == numbers[1:2]
    assert await page(event_id=log[1].event_id, state="waiting") == []
    assert await page(event_id=log[1].event_id, state="failed") == numbers[1:2]
    assert await log_of(store, other, state="missed") == await log_of(store, other)
    assert await log_of(store, stranger) == []
    (failed_one,) = await log_of(store, id, state="failed")
    assert [(one.number, one.status, one.problem) for one in failed_one.attempts] == [
        (1, 500, "it failed")
    ]


async def _noted(store: Store, id: str, number: int, state: DeliveryState) -> Attempted:
    due, _ = await all_due(store, id)
    attempt = Attempt(number=1, started_at=7, ended_at=8, status=500, problem="it failed")
    (one,) = [it for it in due if it.number == number]
    next_at = 9 if state == "waiting" else None
    return Attempted(webhook_id=id, due=one, attempt=attempt, state=state, next_at=next_at)


ODD = 'Grüße \0 \U0001f600 "\\ </script>\u2028\x7f'


async def bodies(store: Store, id: str) -> list[Any]:
    """What is sent, decoded; its ``data`` must be as compact as it was when it was signed."""
    due, _ = await all_due(store, id)
    told = [json.loads(one.body) for one in due]
    for one, body in zip(told, due, strict=True):
        compact = json.dumps(one["data"], separators=(",", ":"), ensure_ascii=False).encode()
        raw = bytes(msgspec.json.decode(body.body, type=_Raw).data)
        assert raw == msgspec.json.encode(json.loads(compact))
    return told


class _Raw(msgspec.Struct):
    data: msgspec.Raw


@pytest.fixture
async def heard(own: Books) -> str:
    """The webhook of an account."""
    return await added(own.store, own.account_id)


async def test_words_of_a_deleted_message_are_told_nobody(own: Books, heard: str) -> None:
    store = own.store
    opening = await own.begin(own.opening())
    await store.settle(answered(opening, question=ODD, answer=f"{ODD} too"))
    kept = await own.talk("Stays.")
    head = await own.head(opening)
    assert head.parent_id is not None
    before = await _flush(store, heard)
    for id in (head.parent_id, head.id):
        assert await store.delete_message(own.account_id, id, 9)
    after = await _flush(store, heard)
    for old, new in zip(before, after, strict=True):
        words = old["data"].get("content")
        is_gone = old["data"]["conversationId"] != kept.conversation_id and words is not None
        erased = {**old["data"], "content": None, "deleted": True}
        assert new == ({**old, "data": erased} if is_gone else old)
    assert ODD in {one["data"].get("content") for one in before}


async def _flush(store: Store, id: str) -> list[Any]:
    """All that a webhook was ever told, again, each when its turn comes."""
    log = await log_of(store, id)
    delivered: tuple[DeliveryState, ...] = ("delivered",)
    await store.replay_events(id, states=delivered, now=9, deed=DEED)
    told: list[tuple[int, Any]] = []
    while len(told) < len(log):
        due, _ = await all_due(store, id)
        told += zip([one.number for one in due], await bodies(store, id), strict=True)
        for one in due:
            await store.note_attempt(await _noted(store, id, one.number, "delivered"))
    return [body for _, body in sorted(told, key=lambda it: it[0])]


async def test_words_of_a_deleted_conversation_are_told_nobody(own: Books, heard: str) -> None:
    store = own.store
    first = await own.talk("Hello!", end_user="ann")
    running = await own.begin(await own.next(first, end_user="ann"))
    end = answered(running, await own.head(first), question="Late?")
    assert await store.delete_conversation(own.account_id, first.conversation_id, 9)
    await store.settle(end)
    told = await _flush(store, heard)
    types = ["chat.message", "chat.response", "turn.complete"]
    assert [one["type"] for one in told] == types * 2
    for one in told:
        is_message = one["type"] in types[:2]
        assert one["data"].get("content") is None
        assert one["data"].get("deleted", False) == is_message
        assert one["data"]["conversationId"] == first.conversation_id


async def test_a_database_of_the_schema_before_tells_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for number, script in migrations():
            if number < 7:
                connection.executescript(script)
                connection.execute(f"PRAGMA user_version={number}")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("INSERT INTO account (id, name, created_at) VALUES ('a', 'test', 1)")
    store = SQLiteStore(path)
    own = await books(store, "a")
    assert await store.webhooks() == []
    id = await added(store, "a")
    await own.talk("Hello!")
    assert len(await log_of(store, id)) == 3
    assert (await store.check()).problems == []
    await store.close()


PLANS = {
    "due": ["delivery USING COVERING INDEX delivery_due (webhook_id=? AND next_at>?)"],
    "due_event": [
        "d USING PRIMARY KEY (webhook_id=? AND event=?)",
        "e USING INTEGER PRIMARY KEY",
    ],
    "add_delivery": ["delivery USING INDEX delivery_in_lane (webhook_id=? AND lane=?)"],
    "next_in_lane": [
        "delivery USING PRIMARY KEY (webhook_id=? AND event=?)",
        "delivery USING INDEX delivery_in_lane (webhook_id=? AND lane=?)",
    ],
    "note_attempt": [
        "delivery USING PRIMARY KEY (webhook_id=? AND event=?)",
        "older USING INDEX delivery_in_lane (webhook_id=? AND lane=? AND event<?)",
    ],
    "wait_in_lanes": [
        "delivery USING INDEX delivery_due (webhook_id=? AND next_at>?)",
        "older USING INDEX delivery_in_lane (webhook_id=? AND lane=? AND event<?)",
    ],
    "waited_for": ["delivery USING COVERING INDEX delivery_due (webhook_id=? AND next_at>?)"],
    "miss_what_waits": [
        "delivery USING COVERING INDEX delivery_in_state (webhook_id=? AND state=?)"
    ],
    "replay_named": ["delivery USING PRIMARY KEY (webhook_id=? AND event=?)"],
    "replay_some": ["delivery USING COVERING INDEX delivery_in_state (webhook_id=? AND state=?)"],
    "deliveries": ["d USING PRIMARY KEY (webhook_id=? AND event<?)"],
    "deliveries_in_state": [
        "d USING INDEX delivery_in_state (webhook_id=? AND state=? AND event<?)"
    ],
    "deliveries_of_event": ["d USING PRIMARY KEY (webhook_id=? AND event=?)"],
    "delivery_attempts": ["delivery_attempt USING PRIMARY KEY"],
    "old_deliveries": [
        "e USING COVERING INDEX sqlite_autoindex_event_1 (id<?)",
        "d USING INDEX delivery_of_event (event=?)",
    ],
    "forget_event": ["delivery USING COVERING INDEX delivery_of_event (event=?)"],
    "erase_message_event": [
        "event USING INDEX event_of_message (conversation_id=? AND message_id=?)"
    ],
    "erase_conversation_events": ["event USING INDEX event_of_message (conversation_id=?"],
    "webhooks_of_account": ["webhook USING INDEX webhook_of_account (account_id=?)"],
}
"""How each is searched. Nothing here counts rows, so plans are the same for any number of them."""


@pytest.mark.parametrize("name", PLANS)
def test_no_log_is_read_as_a_whole(name: str) -> None:
    with closing(connect_in_memory()) as connection:
        sql = statements("webhooks.sql")[name]
        nothing = [None] * max([int(it) for it in re.findall(r"\?(\d)", sql)] or [sql.count("?")])
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", nothing)]
    for searched in PLANS[name]:
        assert any(line.startswith(f"SEARCH {searched}") for line in plan), plan
    assert [line for line in plan if line.startswith("SCAN") and "deliver" in line] == []
    assert "USE TEMP B-TREE" not in " ".join(plan)


@pytest.mark.parametrize(
    ("damage", "subject"),
    [
        ("UPDATE delivery SET next_at = NULL WHERE lane IS NULL", "waits for nothing"),
        ("UPDATE delivery SET next_at = 5 WHERE next_at IS NULL", "or for nobody"),
    ],
)
async def test_an_event_that_nobody_would_send_or_before_its_turn_is_found(
    tmp_path: Path, damage: str, subject: str
) -> None:
    store = SQLiteStore(tmp_path / "store.db")
    own = await books(store)
    webhook_id = await added(store, own.account_id)
    await own.talk("First?")
    await store.remember(own.account_id, None, "key", 1, now=6)
    assert (await store.check()).problems == []
    await store.close()
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection, connection:
        assert connection.execute(damage).rowcount > 0
    again = SQLiteStore(tmp_path / "store.db")
    problems = (await again.check()).problems
    assert {(one.check, one.subject) for one in problems} == {("webhook", webhook_id)}
    assert all(subject in one.detail for one in problems)
    await again.close()


async def test_no_more_secrets_sign_at_once_than_may(own: Books, heard: str) -> None:
    rotating = [
        own.store.rotate_webhook(
            replace(secret_of(heard), value=Secret(f"whsec_{at}")), old_expire_at=FAR, deed=DEED
        )
        for at in range(12)
    ]
    came_to = await asyncio.gather(*rotating, return_exceptions=True)
    assert [type(it) for it in came_to] == [type(None)] * 4 + [TooManySecrets] * 8
    assert len(await own.store.webhook_secrets(heard, 9)) == MOST_SECRETS


async def test_what_waits_longer_than_events_are_kept_is_forgotten(own: Books, heard: str) -> None:
    await own.talk("First?")
    waiting = (await log_of(own.store, heard))[::-1]  # one behind the other, as in one talk
    second = int(waiting[1].event_id.replace("-", "")[:12], 16)
    ids = [one.event_id for one in waiting if one.event_id >= first_id_at(second + 1)]
    forgotten = await own.store.forget_events(second + 1)
    assert forgotten == len(waiting) - len(ids)
    assert [one.event_id for one in (await log_of(own.store, heard))[::-1]] == ids
    due, _ = await all_due(own.store, heard)
    assert [one.event_id for one in due] == ids[:1]
    assert (await own.store.check()).problems == []
