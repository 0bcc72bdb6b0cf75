"""The check finds damage to what is known and remembered."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatloom.server.store.sqlite import SQLiteStore
from support.knowledge import LONG, draft

pytestmark = pytest.mark.anyio

DAMAGE: dict[str, tuple[str, str, str]] = {
    "a passage": ("DELETE FROM passage WHERE number & 1048575 = 3", "entry", "not as many"),
    "a text": (
        "UPDATE passage SET text = text || 'x' WHERE number & 1048575 = 3",
        "entry",
        "not as long",
    ),
    "a place": ("UPDATE passage SET start = start - 9", "passage", "does not stand where it says"),
    "an entry": ("DELETE FROM entry", "passage", "its entry is missing"),
    "an entry's size": (
        "UPDATE entry SET passages = 7",
        "knowledge",
        "another size than its entries",
    ),
    "a sum": ("UPDATE knowledge SET entries = 9", "knowledge", "another size than its entries"),
    "no sum": ("DELETE FROM knowledge", "knowledge", "another size than its entries"),
    "a word too much": (
        "INSERT INTO passage_text (rowid, words) VALUES (99, 'a')",
        "passage",
        "is not there, and its words are in the index",
    ),
    "words": (
        "INSERT INTO passage_text (passage_text) VALUES ('delete-all')",
        "passage",
        "not in the index",
    ),
    "a value": ("UPDATE memory SET value = '[1, 2]'", "memory", "another size than it says"),
    "no value": ("UPDATE memory SET value = '[1'", "memory", "another size than it says"),
    "a memory": ("DELETE FROM memory", "memory", "is not there, and its words are in the index"),
    "words of a memory": ("DELETE FROM memory_text", "memory", "its words are not in the index"),
}


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    store = SQLiteStore(tmp_path / "store.db")
    await store.account("a", "test", dev=False, now=1)
    await store.keep_entry(draft("a", LONG))
    await store.keep_entry(draft("a"))
    await store.remember("a", None, "key", [1], now=1)
    assert (await store.check()).problems == []
    await store.close()
    return tmp_path / "store.db"


@pytest.mark.parametrize(("damage", "check", "detail"), DAMAGE.values(), ids=DAMAGE)
async def test_damage_is_found(path: Path, damage: str, check: str, detail: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(damage)
        connection.commit()
    store = SQLiteStore(path)
    problems = (await store.check()).problems
    await store.close()
    assert any(one.check == check and detail in one.detail for one in problems), problems
