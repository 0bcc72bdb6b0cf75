"""The check of everything finds each kind of damage."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import node_hash
from chatloom.server.ids import new_id
from chatloom.server.store.contract import Health
from chatloom.server.store.sqlite import SQLiteStore
from support.books import books

pytestmark = pytest.mark.anyio

UNLOCK = "DROP TRIGGER ledger_is_append_only; DROP TRIGGER ledger_is_kept;"

_FORK = """
INSERT INTO branch (id, conversation_id, name, head_id, parent_branch_id, forked_from_id,
                    created_at, updated_at)
SELECT 'b', conversation_id, 'fork', id, branch_id, id, 1, 1 FROM message
WHERE depth = 2 AND conversation_id = (SELECT conversation_id FROM message WHERE depth = 4);
UPDATE conversation SET branch_count = 2 WHERE message_count = 4;
"""
"""A branch that is as it should be."""

DAMAGE: dict[str, tuple[str, str, str]] = {
    "content": (
        "UPDATE message SET body = replace(body, 'First', 'Thirst')",
        "message",
        "does not match its hash",
    ),
    "role": (
        "UPDATE message SET body = replace(body, 'assistant', 'user') WHERE depth = 4",
        "message",
        "does not match its hash",
    ),
    "hash": ("UPDATE message SET hash = zeroblob(32) WHERE depth = 4", "message", "hash"),
    "unreadable": ("UPDATE message SET body = '{' WHERE depth = 4", "message", "cannot be read"),
    "foreign": ("UPDATE message SET body = '[]' WHERE depth = 4", "message", "cannot be read"),
    "depth": ("UPDATE message SET depth = 9 WHERE depth = 4", "message", "depth"),
    "orphan": ("DELETE FROM message WHERE depth = 1", "message", "parent is missing"),
    "moved": (
        "UPDATE message SET parent_id = NULL, depth = 1 WHERE depth = 3",
        "message",
        "does not match its hash",
    ),
    "spent": ("UPDATE balance SET spent = spent + 1", "balance", "the ledger sums to"),
    "reserved": ("UPDATE balance SET reserved = 1", "balance", "the ledger sums to"),
    "no balance": ("DELETE FROM balance WHERE scope = 'key'", "balance", "the ledger sums to"),
    "balance of nobody": (
        "INSERT INTO balance (scope, subject, reserved, spent) VALUES ('key', 'nobody', 1, 1)",
        "balance",
        "the ledger sums to 0 reserved and 0 spent",
    ),
    "entry": (
        UNLOCK + "UPDATE ledger SET amount = amount - 1 WHERE kind = 'settle'",
        "turn",
        "its cost is not what the ledger says",
    ),
    "no settlement": (
        UNLOCK + "DELETE FROM ledger WHERE kind = 'settle'",
        "turn",
        "neither settled nor released",
    ),
    "cost": ("UPDATE turn SET cost = 0", "turn", "its cost is not what the ledger says"),
    "answer": ("UPDATE turn SET message_id = 'gone'", "turn", "not a stored message"),
    "head": ("UPDATE branch SET head_id = 'gone'", "branch", "not a message of its conversation"),
    "foreign head": (
        "UPDATE branch SET head_id = (SELECT id FROM message m"
        " WHERE m.conversation_id <> branch.conversation_id AND depth = 1)",
        "branch",
        "not a message of its conversation",
    ),
    "journal": (
        "INSERT INTO journal SELECT id, 1, x'5b5d' FROM turn",
        "journal",
        "settled or unknown",
    ),
    "no reservation": (
        UNLOCK + "DELETE FROM ledger WHERE kind = 'reserve'",
        "turn",
        "nothing was set aside for it",
    ),
    "another reservation": (
        "UPDATE turn SET reserved = reserved + 1",
        "turn",
        "what was set aside for it is not what the ledger says",
    ),
    "both": (
        "INSERT INTO ledger SELECT turn_id, 'release', account_id, key_id, end_user, 0, price_id,"
        " NULL, NULL, unread, 0, 1, NULL, spent_before FROM ledger WHERE kind = 'settle'",
        "turn",
        "both settled and released",
    ),
    "open again": (
        "UPDATE turn SET outcome = NULL",
        "turn",
        "still open, and its money was settled",
    ),
    "overcharged": (
        UNLOCK + "UPDATE ledger SET amount = amount + 1 WHERE kind = 'settle';"
        "UPDATE turn SET cost = cost + 1",
        "turn",
        "not what its tokens cost at its price",
    ),
    "another price": ("UPDATE price SET prompt = 101", "turn", "not what its tokens cost"),
    "no usage": ("UPDATE turn SET usage = NULL", "turn", "nobody says for what"),
    "unreadable usage": ("UPDATE turn SET usage = x'7b'", "turn", "its usage cannot be read"),
    "unreadable request": (
        "UPDATE turn SET request = x'7b'",
        "turn",
        "what was asked cannot be read",
    ),
    "unreadable question": (
        "UPDATE turn SET outcome = NULL, asked = x'7b'",
        "turn",
        "what was asked cannot be read",
    ),
    "unreadable replay": (
        "UPDATE replay SET deltas = x'7b'",
        "replay",
        "what was said cannot be read",
    ),
    "another usage": (
        UNLOCK + "UPDATE ledger SET prompt_tokens = 11 WHERE kind = 'settle'",
        "turn",
        "its tokens are not those that the ledger says",
    ),
    "not estimated": (
        UNLOCK + "UPDATE ledger SET estimated = 1 WHERE kind = 'settle'",
        "turn",
        "its tokens are not those that the ledger says",
    ),
    "another payer": (
        UNLOCK + "UPDATE ledger SET end_user = 'somebody' WHERE kind = 'settle'",
        "ledger",
        "its settle entry has another payer",
    ),
    "price of another": (
        "INSERT INTO price VALUES (9, 'other', 100, 400, NULL, 1); UPDATE turn SET price_id = 9",
        "ledger",
        "its reserve entry has another payer or price",
    ),
    "unknown price": ("UPDATE turn SET price_id = 9", "reference", "a price that is not there"),
    "ledger of nobody": ("DELETE FROM turn", "ledger", "its settle entry has no turn"),
    "attempt of nobody": ("DELETE FROM turn", "attempt", "unknown or still open"),
    "replay of nobody": ("DELETE FROM turn", "replay", "unknown or still open"),
    "key of another": (
        "INSERT INTO account VALUES ('other', '', 0, 1, NULL);"
        "UPDATE api_key SET account_id = 'other'",
        "turn",
        "its key is not of its account",
    ),
    "message of nothing": (
        "DELETE FROM conversation",
        "message",
        "its conversation is missing",
    ),
    "branch of nothing": ("DELETE FROM conversation", "branch", "its conversation is missing"),
    "fork": (
        "UPDATE branch SET forked_from_id = 'gone'",
        "branch",
        "the message it was forked from is missing",
    ),
    "attempt of an open turn": (
        "UPDATE turn SET outcome = NULL",
        "attempt",
        "unknown or still open",
    ),
    "attempts": ("UPDATE attempt SET number = 2", "attempt", "not numbered from 1 on"),
    "replay": ("UPDATE turn SET outcome = NULL", "replay", "unknown or still open"),
    "half a key": ("UPDATE turn SET body_digest = x'00'", "turn", "half of an idempotency key"),
    "key of a forgotten answer": (
        "UPDATE turn SET key_digest = CAST(id AS BLOB), body_digest = x'00'; DELETE FROM replay",
        "turn",
        "stands for an answer that is forgotten",
    ),
    "key of a turn that was released": (
        UNLOCK + "UPDATE turn SET key_digest = CAST(id AS BLOB), body_digest = x'00', cost = 0;"
        "UPDATE ledger SET kind = 'release', amount = 0 WHERE kind = 'settle'",
        "turn",
        "stands for a turn that was free to begin anew",
    ),
    "message count": (
        "UPDATE conversation SET message_count = message_count + 1",
        "conversation",
        "messages by its own count",
    ),
    "conversation's cost": (
        "UPDATE conversation SET cost = cost + 1",
        "conversation",
        "not what its turns cost",
    ),
    "branch count": (
        "UPDATE conversation SET branch_count = branch_count + 1",
        "conversation",
        "branches by its own count",
    ),
    "branch's cost": ("UPDATE branch SET cost = cost - 1", "branch", "not what its turns cost"),
    "cost of another branch": (
        "UPDATE turn SET branch_id = 'gone'",
        "branch",
        "not what its turns cost",
    ),
    "message of no branch": (
        "UPDATE message SET branch_id = 'gone' WHERE depth = 4",
        "message",
        "its branch is missing, or of another conversation",
    ),
    "message of another branch": (
        _FORK + "UPDATE message SET branch_id = 'b' WHERE depth = 4",
        "message",
        "behind another branch than its own was forked from",
    ),
    "head that is not the last": (
        "UPDATE branch SET head_id = (SELECT id FROM message m"
        " WHERE m.conversation_id = branch.conversation_id AND depth = 1)",
        "branch",
        "its own messages do not end at its head",
    ),
    "head of another branch": (
        _FORK + "UPDATE branch SET head_id = (SELECT id FROM message WHERE depth = 3)"
        " WHERE id = 'b'",
        "branch",
        "its own messages do not end at its head",
    ),
    "parent branch": (
        _FORK + "UPDATE branch SET parent_branch_id = 'b' WHERE id = 'b'",
        "branch",
        "belongs to another branch than its parent",
    ),
    "merge of nothing": (
        "INSERT INTO merge SELECT conversation_id, 'gone', 0, id FROM message WHERE depth = 4",
        "merge",
        "a message that is not of its conversation",
    ),
    "merge of another conversation": (
        "INSERT INTO merge SELECT m.conversation_id, m.id, 0, o.id FROM message m, message o"
        " WHERE m.depth = 4 AND o.depth = 1 AND o.conversation_id <> m.conversation_id",
        "merge",
        "a message that is not of its conversation",
    ),
    "checkpoint": (
        "INSERT INTO checkpoint SELECT id, account_id, conversation_id, branch_id, id, 9, '', 0,"
        " NULL, NULL, 1, NULL FROM message",
        "checkpoint",
        "its anchor is not a message of its conversation",
    ),
    "journal of nobody": (
        "INSERT INTO journal VALUES ('nobody', 1, x'5b5d')",
        "journal",
        "settled or unknown",
    ),
}


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database with two conversations."""
    path = tmp_path / "store.db"
    store = SQLiteStore(path)
    own = await books(store)
    await own.talk("First?", "Second?", end_user="customer")
    await own.talk("Else?")
    await store.close()
    return path


async def checked(path: Path) -> Health:
    store = SQLiteStore(path)
    health = await store.check()
    await store.close()
    return health


def tamper(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


async def test_an_untouched_database_is_sound(path: Path) -> None:
    health = await checked(path)
    assert (health.problems, health.open_turns) == ([], [])
    assert health.checked == {"messages": 6, "balances": 3, "turns": 3, "audit entries": 0}


@pytest.mark.parametrize(("script", "check", "detail"), DAMAGE.values(), ids=DAMAGE)
async def test_damage_is_found(path: Path, script: str, check: str, detail: str) -> None:
    tamper(path, script)
    problems = (await checked(path)).problems
    assert [one for one in problems if one.check == check and detail in one.detail], problems


async def test_a_branch_at_a_message_is_no_damage(path: Path) -> None:
    tamper(path, _FORK)
    assert (await checked(path)).problems == []


async def test_a_deleted_message_keeps_its_hash_and_is_no_damage(path: Path) -> None:
    tamper(
        path,
        "UPDATE message SET body = '{}', deleted_at = 1 WHERE depth = 2;"
        "UPDATE conversation SET message_count = message_count - 1",
    )
    assert (await checked(path)).problems == []


async def test_a_merged_message_is_hashed_with_both_parents(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (conversation, account, first, one), (*_, second, two) = connection.execute(
            "SELECT conversation_id, account_id, id, hash FROM message WHERE depth IN (2, 4)"
            " AND conversation_id = (SELECT conversation_id FROM message WHERE depth = 4)"
            " ORDER BY depth"
        ).fetchall()
        merged = node_hash(Message("user", "Both?"), [one, two])
        id = new_id()
        connection.execute(
            "INSERT INTO message (id, conversation_id, account_id, parent_id, depth, role, body,"
            " hash, answered, created_at, branch_id)"
            " VALUES (?, ?, ?, ?, 3, 'user', ?, ?, 1, 1, 'b')",
            (id, conversation, account, first, '{"role":"user","content":"Both?"}', merged),
        )
        connection.execute(
            "INSERT INTO branch (id, conversation_id, name, head_id, parent_branch_id,"
            " forked_from_id, created_at, updated_at)"
            " SELECT 'b', ?1, 'both', ?2, branch_id, id, 1, 1"
            " FROM message WHERE id = ?3",
            (conversation, id, first),
        )
        connection.execute("INSERT INTO merge VALUES (?, ?, 0, ?)", (conversation, id, second))
        connection.execute(
            "UPDATE conversation SET message_count = 5, branch_count = 2 WHERE message_count = 4"
        )
    assert (await checked(path)).problems == []
    tamper(path, f"UPDATE merge SET other_id = '{first}'")
    assert [problem.subject for problem in (await checked(path)).problems] == [id]


def _overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


async def test_a_torn_page_is_found(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'message'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _overwrite(path, (page - 1) * size, b"\xa5" * size)
    problems = (await checked(path)).problems
    assert "file" in {problem.check for problem in problems}
