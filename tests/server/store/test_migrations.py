"""A database that an older chatloom wrote opens, and keeps everything."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import canonical, path_hashes
from chatloom.server.models.driver import Price, Usage
from chatloom.server.store.contract import Branch, Conversation, Node
from chatloom.server.store.keys import ApiSecret, Key
from chatloom.server.store.spending import ChargeFilter
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.sqlite.connect import APPLICATION_ID, prepare
from chatloom.server.store.sqlite.statements import migrations
from support.books import USAGE, Books, answered

pytestmark = pytest.mark.anyio

SAID = [Message("user", "First?"), Message("assistant", "Good day.")]

FIRST = """
INSERT INTO account VALUES ('a', 'test', 0, 1);
INSERT INTO api_key (id, account_id, name, scopes, created_at) VALUES ('k', 'a', 'test', '[]', 1);
INSERT INTO api_secret VALUES (x'01', 'k', 'loom_test', 1, NULL);
INSERT INTO conversation (id, account_id, listed, title, message_count, tokens_in, tokens_out, cost,
                          created_at, updated_at)
VALUES ('c', 'a', 1, 'A title', 2, 3, 4, 11, 1, 2);
INSERT INTO price VALUES (1, 'script', 1, 2, NULL, 1);
INSERT INTO turn (id, account_id, key_id, end_user, conversation_id, branch_id, message_id,
                  protocol, model, served_model, provider, streamed, request, outcome, usage,
                  price_id, reserved, cost, started_at, ended_at)
VALUES ('t1', 'a', 'k', 'one', 'c', 'b', 'm2', 'chatserver', 'script', 'script-1', 'script', 1,
        CAST('{"new":[1],"parameters":{}}' AS BLOB), 'complete', x'5b2275222c332c345d',
        1, 50, 11, 1, 2);
INSERT INTO turn (id, account_id, key_id, conversation_id, branch_id, parent_id, protocol, model,
                  provider, streamed, request, price_id, reserved, started_at)
VALUES ('t2', 'a', 'k', 'c', 'b', 'm2', 'chatserver', 'script', 'script', 1,
        CAST('{"new":[2],"parameters":{}}' AS BLOB), 1, 60, 3);
INSERT INTO turn (id, account_id, key_id, conversation_id, branch_id, parent_id, protocol, model,
                  provider, streamed, request, outcome, problem, price_id, reserved, cost,
                  started_at, ended_at)
VALUES ('t3', 'a', 'k', 'c', 'b', 'm2', 'chatserver', 'script', 'script', 1, x'7b7d',
        'provider_error', 'it was down', 1, 70, 0, 4, 5),
       ('t4', 'a', 'k', 'c', 'b', 'm2', 'chatserver', 'script', 'script', 1, x'7b7d',
        'truncated', 'it broke off', 1, 80, 0, 5, 6);
INSERT INTO ledger (kind, turn_id, account_id, key_id, end_user, amount, price_id, prompt_tokens,
                    completion_tokens, created_at)
VALUES ('reserve', 't1', 'a', 'k', 'one', 50, 1, NULL, NULL, 1),
       ('settle', 't1', 'a', 'k', 'one', 11, 1, 3, 4, 2),
       ('reserve', 't2', 'a', 'k', NULL, 60, 1, NULL, NULL, 3),
       ('reserve', 't3', 'a', 'k', NULL, 70, 1, NULL, NULL, 4),
       ('release', 't3', 'a', 'k', NULL, 0, 1, NULL, NULL, 5),
       ('reserve', 't4', 'a', 'k', NULL, 80, 1, NULL, NULL, 5),
       ('release', 't4', 'a', 'k', NULL, 0, 1, NULL, NULL, 6);
INSERT INTO balance VALUES ('account', 'a', 60, 11), ('key', 'k', 60, 11),
                           ('end_user', 'a/one', 0, 11);
INSERT INTO replay VALUES ('t1', x'5b315d', 9);
INSERT INTO journal VALUES ('t2', 2, x'5b325d'), ('t2', 3, x'5b335d');
"""
"""A talk of one turn, another under way, and two that failed, in the first schema's words."""


def _write_messages(connection: sqlite3.Connection) -> None:
    parent = None
    for depth, (message, hash) in enumerate(zip(SAID, path_hashes(SAID), strict=True), 1):
        body = canonical(message).decode()
        connection.execute(
            "INSERT INTO message VALUES (?, 'c', 'a', ?, ?, ?, ?, ?, 't1', NULL, 1, 1, NULL)",
            (f"m{depth}", parent, depth, message.role, body, hash),
        )
        parent = f"m{depth}"
    connection.execute(
        "INSERT INTO branch (id, conversation_id, name, head_id, is_main, created_at, updated_at)"
        " VALUES ('b', 'c', 'main', 'm2', 1, 1, 2)"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """What the first schema alone made, with data."""
    path = tmp_path / "store.db"
    (_, first), *_ = migrations()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(first + FIRST)
        _write_messages(connection)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("PRAGMA user_version=1")
    return path


@pytest.fixture
async def old(path: Path) -> AsyncIterator[Books]:
    store = SQLiteStore(path)
    yield Books(store, "a", "k")
    await store.close()


async def test_an_older_database_is_sound_when_it_is_opened(old: Books) -> None:
    health = await old.store.check()
    assert health.problems == []
    assert health.open_turns == ["t2"]
    assert health.checked == {"messages": 2, "balances": 3, "turns": 4, "audit entries": 0}


async def test_an_older_database_keeps_what_it_held(old: Books) -> None:
    turn, key = await old.store.turn("a", "t1"), await old.store.find_key(b"\x01")
    assert turn is not None
    assert key is not None
    assert (turn.outcome, turn.cost, turn.told_as, turn.body_digest) == ("complete", 11, "", None)
    assert key.unread == "cancel"
    conversation, (main,) = await old.tree(old.opening(*await _place(old)))
    assert (conversation.message_count, main.head_id) == (2, "m2")
    assert await old.store.replay("t1") == b"[1]"


async def test_turns_that_failed_in_an_older_version_are_still_failures(old: Books) -> None:
    told = [await old.store.turn("a", id) for id in ("t1", "t3", "t4")]
    assert [turn and (turn.problem, turn.problem_kind) for turn in told] == [
        (None, None),
        ("it was down", "unavailable"),
        ("it broke off", "truncated"),
    ]


async def test_a_turn_left_open_by_an_older_version_can_be_settled(old: Books) -> None:
    (left,) = await old.store.open_turns()
    assert left.deltas == [b"[2]", b"[3]"]
    assert (left.price_id, left.opening.price) == (1, Price(prompt=1, completion=2))
    assert left.opening.asked == b"[2]"
    assert left.opening.request == b'{"parameters":{}}'
    parent = await old.store.node("a", "m2")
    await old.store.settle(answered(left.opening, parent, price_id=left.price_id))
    health = await old.store.check()
    assert (health.problems, health.open_turns) == ([], [])


async def test_an_older_database_is_gone_on_with(old: Books) -> None:
    opening = await old.begin(old.opening(*await _place(old)))
    await old.store.settle(answered(opening, await old.store.node("a", "m2")))
    assert (await old.tree(opening))[0].message_count == 4
    key = Key(id="k2", account_id="a", name="new", scopes=frozenset(), created_at=5, unread="run")
    await old.store.add_key(key, ApiSecret(key_id="k2", digest=b"2", hint="loom", created_at=5))
    assert (await old.store.check()).problems == []


def test_what_is_written_for_good_stays_so(path: Path) -> None:
    prepare(path)
    with closing(sqlite3.connect(path)) as connection:
        for statement in ("UPDATE ledger SET amount = 1", "DELETE FROM ledger"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


async def _place(old: Books) -> tuple[Conversation | None, Branch, Node | None]:
    conversation = await old.store.conversation("a", "c")
    (main,) = await old.store.branches("c")
    return conversation, main, await old.store.node("a", "m2")


SECOND = """
INSERT INTO account VALUES ('a', 'one', 0, 1), ('b', 'two', 0, 1);
INSERT INTO api_key (id, account_id, name, scopes, created_at)
VALUES ('k1', 'a', 'one', '["admin","chat"]', 1), ('k2', 'a', 'two', '["chat"]', 1),
       ('k3', 'b', 'three', '["models","admin"]', 1);
INSERT INTO api_secret VALUES (x'01', 'k1', 'loom_1', 1, NULL);
INSERT INTO price VALUES (1, 'script', 1, 2, NULL, 1);
INSERT INTO budget VALUES ('account', 'a', 90000), ('end_users', 'b', 5);
INSERT INTO balance VALUES
    ('account', 'a', 60, 27), ('key', 'k1', 60, 16), ('key', 'k2', 0, 11),
    ('end_user', 'a/ann', 60, 11), ('account', 'b', 0, 11), ('key', 'k3', 0, 11);
"""
"""Two accounts in the second schema's words, and what the turns below took."""

TURNS: list[tuple[str, str, str, str | None, int, tuple[int, int] | None, str | None]] = [
    # its id, account, key and end user; when it ended, its tokens, how
    ("d1", "a", "k1", None, 40, (3, 1), "complete"),
    ("d2", "a", "k2", "ann", 20, (9, 1), "complete"),
    ("d3", "a", "k1", None, 20, None, "cancelled"),
    ("d4", "b", "k3", None, 10, (9, 1), "complete"),
    ("d5", "a", "k1", None, 40, (0, 0), "complete"),
    ("d6", "a", "k1", None, 40, (9, 1), "complete"),
    ("d7", "a", "k1", "ann", 50, None, None),
]


def _write_turns(connection: sqlite3.Connection) -> None:
    for id, account, key, end_user, ended_at, tokens, outcome in TURNS:
        prompt, completion = tokens or (None, None)
        cost = sum((prompt or 0, 2 * (completion or 0)))
        usage = msgspec.json.encode(Usage(*tokens)) if tokens else None
        connection.execute(
            "INSERT INTO turn (id, account_id, key_id, end_user, conversation_id, protocol,"
            " told_as, model, provider, streamed, listed, outcome, usage, price_id, reserved,"
            " cost, started_at, ended_at, request) VALUES (?1, ?2, ?3, ?4, ?1, 'chatserver', '',"
            " 'script', 'script', 1, 0, ?5, ?6, 1, 60, iif(?5 IS NULL, NULL, ?7), 5,"
            " iif(?5 IS NULL, NULL, ?8), x'7b7d')",
            (id, account, key, end_user, outcome, usage, cost, ended_at),
        )
        entries: list[tuple[object, ...]] = [("reserve", 60, None, None, 5)]
        if outcome is not None:
            kind = "settle" if tokens else "release"
            entries.append((kind, cost, prompt, completion, ended_at))
        connection.executemany(
            "INSERT INTO ledger (turn_id, account_id, key_id, end_user, kind, amount, price_id,"
            " prompt_tokens, completion_tokens, created_at) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?)",
            [(id, account, key, end_user, *entry) for entry in entries],
        )


@pytest.fixture
async def older(tmp_path: Path) -> AsyncIterator[Books]:
    """What the first two schemas made, with books, opened."""
    path = tmp_path / "books.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for _, script in migrations()[:2]:
            connection.executescript(script)
        connection.executescript(SECOND)
        _write_turns(connection)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("PRAGMA user_version=2")
    store = SQLiteStore(path)
    yield Books(store, "a", "k1")
    await store.close()


async def test_older_books_are_sound_and_tell_what_was_spent_before(older: Books) -> None:
    health = await older.store.check()
    assert (health.problems, health.open_turns) == ([], ["d7"])
    charges = {
        one.turn_id: (one.spent_before, one.cost)
        for account in ("a", "b")
        for one in await older.store.charges(
            ChargeFilter(account_id=account), before=None, offset=0, limit=50
        )
    }
    assert charges == {
        "d2": (0, 11),
        "d3": (11, 0),
        "d1": (11, 5),
        "d5": (16, 0),
        "d6": (16, 11),
        "d4": (0, 11),
    }


async def test_older_balances_count_turns_and_tokens(older: Books, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "books.db")) as connection:
        found = connection.execute(
            "SELECT scope, subject, reserved, spent, turns, prompt_tokens, completion_tokens,"
            " moved_at FROM balance ORDER BY scope, subject"
        ).fetchall()
    assert found == [
        ("account", "a", 60, 27, 5, 21, 3, 40),
        ("account", "b", 0, 11, 1, 9, 1, 10),
        ("end_user", "a/ann", 60, 11, 1, 9, 1, 20),
        ("key", "k1", 60, 16, 4, 12, 2, 40),
        ("key", "k2", 0, 11, 1, 9, 1, 20),
        ("key", "k3", 0, 11, 1, 9, 1, 10),
    ]
    (ann,) = await older.store.holders("end_user", "a")
    assert (ann.name, ann.requests, ann.spent, ann.last_used_at) == ("ann", 1, 11, 20)


async def test_older_books_are_gone_on_with(older: Books) -> None:
    (left,) = await older.store.open_turns()
    assert (left.opening.ancestors, left.opening.organization) == ((), None)
    await older.store.settle(answered(left.opening, price_id=left.price_id))
    opening = await older.begin(older.opening())
    await older.store.settle(answered(opening))
    which = ChargeFilter(account_id="a")
    charges = await older.store.charges(which, before=None, offset=0, limit=50)
    before = {one.turn_id: one.spent_before for one in charges}
    assert before["d7"] == 27
    assert left.opening.price is not None
    assert before[opening.turn_id] == 27 + left.opening.price.of(USAGE)
    assert (await older.store.check()).problems == []


async def test_older_keys_and_budgets_are_kept(older: Books) -> None:
    keys = {key.id: key for key in await older.store.keys()}
    assert {id: sorted(key.scopes) for id, key in keys.items()} == {
        "k1": ["admin", "chat", "keys"],
        "k2": ["chat"],
        "k3": ["admin", "keys", "models"],
    }
    assert {
        (key.ancestors, key.owner, key.routes, key.rate, key.tier) for key in keys.values()
    } == {((), None, None, None, None)}
    found = [(one.concern, one.subject, one.amount) for one in await older.store.budgets()]
    assert found == [("account", "a", 90000), ("end_users", "b", 5)]
