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
        "INSERT INTO balance VALUES ('key', 'nobody', 1, 1)",
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
    assert health.checked == {"messages": 6, "balances": 3, "turns": 3}


@pytest.mark.parametrize(("script", "check", "detail"), DAMAGE.values(), ids=DAMAGE)
async def test_damage_is_found(path: Path, script: str, check: str, detail: str) -> None:
    tamper(path, script)
    problems = (await checked(path)).problems
    assert [one for one in problems if one.check == check and detail in one.detail], problems


async def test_a_deleted_message_keeps_its_hash_and_is_no_damage(path: Path) -> None:
    tamper(path, "UPDATE message SET body = '{}', deleted_at = 1 WHERE depth = 2")
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
            " hash, answered, created_at) VALUES (?, ?, ?, ?, 3, 'user', ?, ?, 1, 1)",
            (id, conversation, account, first, '{"role":"user","content":"Both?"}', merged),
        )
        connection.execute("INSERT INTO merge VALUES (?, 0, ?)", (id, second))
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
