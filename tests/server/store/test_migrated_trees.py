"""A tree that an older chatloom wrote has, once it is opened, branches for all of its messages."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import canonical, node_hash
from chatloom.server.models.driver import Usage
from chatloom.server.store.contract import Branch
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.sqlite.connect import APPLICATION_ID
from chatloom.server.store.sqlite.statements import migrations
from support.books import Books, answered

pytestmark = pytest.mark.anyio

FIRST = """
INSERT INTO account (id, name, created_at) VALUES ('a', 'one', 1);
INSERT INTO api_key (id, account_id, name, scopes, created_at) VALUES ('k', 'a', 'one', '[]', 1);
INSERT INTO price VALUES (1, 'script', 1, 2, NULL, 1);
INSERT INTO balance (scope, subject, reserved, spent)
VALUES ('account', 'a', 0, 0), ('key', 'k', 0, 0);
"""


class _Older:
    """Writes as the third schema had it: messages know no branch, branches no cost."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._said: dict[str | None, tuple[str | None, bytes, int]] = {None: (None, b"", 0)}

    def id(self, name: str | None) -> str | None:
        """A message's id; later ones sort later."""
        return self._said[name][0]

    def say(self, name: str, parent: str | None, role: str, text: str, turn: str) -> None:
        message = Message(role, text)
        above, above_hash, depth = self._said[parent]
        hash = node_hash(message, (above_hash,) if parent else ())
        id = f"{len(self._said):02}{name}"
        self._said[name] = (id, hash, depth + 1)
        self._connection.execute(
            "INSERT INTO message VALUES (?, 'c', 'a', ?, ?, ?, ?, ?, ?, NULL, 1, 1, NULL)",
            (id, above, depth + 1, role, canonical(message).decode(), hash, turn),
        )

    def exchange(
        self,
        turn: str,
        parent: str | None,
        branch: str | None,
        *answers: str,
        tokens: int = 1,
    ) -> None:
        """A settled turn: a question, and its answers; its branch goes on from the first."""
        asked = f"q{turn}"
        self.say(asked, parent, "user", f"Question {turn}?", turn)
        for answer in answers:
            self.say(answer, asked, "assistant", f"Answer {answer}.", turn)
        self.turn(turn, parent, branch, answers[0], tokens=tokens)

    def turn(
        self,
        id: str,
        parent: str | None,
        branch: str | None,
        answer: str | None = None,
        *,
        tokens: int | None = 1,
        conversation: str = "c",
        settled: bool = True,
    ) -> None:
        usage = None if tokens is None else msgspec.json.encode(Usage(tokens, tokens))
        cost = 3 * (tokens or 0)
        outcome = ("complete" if answer else "cancelled") if settled else None
        self._connection.execute(
            "INSERT INTO turn (id, account_id, key_id, conversation_id, branch_id, parent_id,"
            " message_id, protocol, told_as, model, provider, streamed, listed, outcome, usage,"
            " price_id, reserved, cost, started_at, ended_at, request)"
            " VALUES (?, 'a', 'k', ?, ?, ?, ?,"
            " 'chatserver', '', 'script', 'script', 1, 0, ?, ?, 1, 9, ?, 5, ?, x'7b7d')",
            (id, conversation, branch, self.id(parent), self.id(answer), outcome, usage)
            + ((cost, 6) if settled else (None, None)),
        )
        self._enter(id, "reserve", 9, None, None)
        if settled:
            kind = "release" if tokens is None else "settle"
            self._enter(id, kind, cost, tokens, self._spent())
        self._connection.execute(
            "UPDATE balance SET spent = spent + ?, reserved = reserved + ?",
            (cost if settled else 0, 0 if settled else 9),
        )
        self._connection.execute(
            "UPDATE conversation SET cost = cost + ? WHERE id = ?",
            (cost if settled else 0, conversation),
        )

    def _spent(self) -> int:
        (spent,) = self._connection.execute(
            "SELECT spent FROM balance WHERE scope = 'account'"
        ).fetchone()
        return int(spent)

    def _enter(
        self, turn: str, kind: str, amount: int, tokens: int | None, before: int | None
    ) -> None:
        self._connection.execute(
            "INSERT INTO ledger (turn_id, kind, account_id, key_id, amount, price_id,"
            " prompt_tokens, completion_tokens, created_at, spent_before)"
            " VALUES (?, ?, 'a', 'k', ?, 1, ?, ?, 5, ?)",
            (turn, kind, amount, tokens, tokens, before),
        )

    def branch(
        self, id: str, name: str, head: str, parent: str | None, forked_from: str | None
    ) -> None:
        self._connection.execute(
            "INSERT INTO branch (id, conversation_id, name, head_id, parent_branch_id,"
            " forked_from_id, is_main, created_at, updated_at)"
            " VALUES (?, 'c', ?, ?, ?, ?, ?, 1, 2)",
            (id, name, self.id(head), parent, self.id(forked_from), int(name == "main")),
        )

    def conversation(self) -> None:
        self._connection.execute(
            "INSERT INTO conversation (id, account_id, listed, title, created_at, updated_at)"
            " VALUES ('c', 'a', 1, 'A title', 1, 2)"
        )

    def count(self) -> None:
        self._connection.execute(
            "UPDATE conversation SET message_count = (SELECT count(*) FROM message)"
        )


def _write(older: _Older) -> None:
    """Siblings, further answers, answers gone on from, failures: as they were left."""
    older.conversation()
    older.exchange("t1", None, "b1", "a1")
    older.exchange("t2", "a1", "b1", "a2", "a2x", "a2y", tokens=2)
    older.exchange("t3", "a1", "b1", "a3", tokens=3)  # somebody else moved the branch meanwhile
    older.exchange("t4", "a2x", None, "a4", "a4x", tokens=4)  # goes on from a further answer
    older.exchange("t5", "a4", "b3", "a5", tokens=5)
    older.exchange("t6", None, "b1", "a6", tokens=6)  # a history that shares nothing
    older.say("a7", "qt2", "assistant", "Answer a7.", "t7")  # a known question asked again
    older.turn("t7", "qt2", None, "a7", tokens=7)
    older.turn("t8", "a2", "b1", tokens=8)  # failed, and was charged
    older.turn("t9", "a1", None, tokens=9)  # the same, in the middle of the tree
    older.turn("u1", "a1", None, tokens=None)
    older.turn("u2", None, "nowhere", tokens=2, conversation="gone")  # a first turn that failed
    older.turn("u3", None, None, tokens=1, conversation="")  # embeddings
    older.turn("u4", "a3", "b2", settled=False)
    older.branch("b1", "main", "a2", None, None)
    older.branch("b2", "branch 2", "a3", "b1", "a1")
    older.branch("b3", "branch 3", "a5", None, "a2x")
    older.branch("b4", "branch 4", "a6", "b1", None)
    older.branch("b5", "branch 5", "a7", None, "qt2")
    older.count()


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[Books]:
    """What the third schema held, opened."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for _, script in migrations()[:3]:
            connection.executescript(script)
        connection.executescript(FIRST)
        _write(_Older(connection))
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("PRAGMA user_version=3")
    store = SQLiteStore(path)
    yield Books(store, "a", "k")
    await store.close()


async def _own(old: Books, branch: Branch) -> list[str | None]:
    """A branch's own messages, by the chain from its head."""
    path = await old.store.path(branch.head_id or "")
    return [_name(node.id) for node in path if node.depth > branch.fork_depth]


def _name(id: str | None) -> str | None:
    """What a message was called when it was written."""
    return id and id[2:]


async def test_an_older_tree_is_sound(old: Books) -> None:
    health = await old.store.check()
    assert (health.problems, health.open_turns) == ([], ["u4"])


async def test_every_message_of_an_older_tree_is_on_a_branch(old: Books) -> None:
    branches = {one.name: one for one in await old.store.branches("c")}
    assert {name: await _own(old, one) for name, one in branches.items()} == {
        "main": ["qt1", "a1", "qt2", "a2"],
        "branch 2": ["qt3", "a3"],
        "branch 3": ["a2x", "qt4", "a4", "qt5", "a5"],
        "branch 4": ["qt6", "a6"],
        "branch 5": ["a7"],
        "alternative 6": ["a2y"],
        "alternative 7": ["a4x"],
    }
    assert {
        name: (_name(one.forked_from_id), one.parent_branch_id) for name, one in branches.items()
    } == {
        "main": (None, None),
        "branch 2": ("a1", "b1"),
        "branch 3": ("qt2", "b1"),
        "branch 4": (None, "b1"),
        "branch 5": ("qt2", "b1"),
        "alternative 6": ("qt2", "b1"),
        "alternative 7": ("qt4", "b3"),
    }
    conversation = await old.store.conversation("a", "c")
    assert conversation is not None
    assert conversation.branch_count == len(branches)


async def test_the_branches_of_an_older_tree_cost_what_it_cost(old: Books) -> None:
    branches = {one.name: one for one in await old.store.branches("c")}
    costs = {name: one.cost for name, one in branches.items()}
    assert costs == {
        "main": 3 * (1 + 2 + 8 + 9),
        "branch 2": 3 * 3,
        "branch 3": 3 * (4 + 5),
        "branch 4": 3 * 6,
        "branch 5": 3 * 7,
        "alternative 6": 0,
        "alternative 7": 0,
    }
    conversation = await old.store.conversation("a", "c")
    assert conversation is not None
    assert conversation.cost == sum(costs.values())
    assert (branches["branch 3"].tokens_in, branches["branch 3"].tokens_out) == (9, 9)


async def test_an_older_tree_is_gone_on_with(old: Books) -> None:
    (left,) = await old.store.open_turns()
    parent = await old.store.node("a", left.opening.parent_id or "")
    assert await old.store.settle(answered(left.opening, parent, price_id=left.price_id)) == "b2"
    for name in ("main", "branch 3", "alternative 7"):
        (branch,) = [one for one in await old.store.branches("c") if one.name == name]
        head = await old.store.node("a", branch.head_id or "")
        conversation = await old.store.conversation("a", "c")
        opening = await old.begin(old.opening(conversation, branch, head))
        assert await old.store.settle(answered(opening, head)) == branch.id
    assert (await old.store.check()).problems == []


async def test_an_older_tree_is_told_from_the_root_on(old: Books) -> None:
    told = await old.store.tree_slice("c", 0, 100)
    seen: set[str | None] = {None}
    for node in told.nodes:
        assert node.parent_id in seen
        seen.add(node.id)
    assert len(told.nodes) == 16
