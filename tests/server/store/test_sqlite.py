"""What SQLite adds to the contract: the file, its schema, and what a crash leaves."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import support
from chatloom.core.errors import SettingsError
from chatloom.server.models.driver import Price
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.sqlite.balances import Balances
from chatloom.server.store.sqlite.connect import APPLICATION_ID, prepare
from chatloom.server.store.sqlite.outbox import Outbox
from chatloom.server.store.sqlite.places import File
from chatloom.server.store.sqlite.statements import migrations
from support.books import Books, answered, books

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "store.db"


@pytest.fixture
def file(path: Path) -> Iterator[sqlite3.Connection]:
    """The bare file of a fresh database."""
    prepare(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def schema(path: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
async def test_only_its_owner_may_read_the_file(path: Path) -> None:
    store = SQLiteStore(path)
    await books(store)
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()}
    await store.close()
    assert {"store.db", "store.db-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_migrations_are_numbered_without_gaps() -> None:
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_preparing_again_changes_nothing(path: Path) -> None:
    prepare(path)
    before = schema(path)
    prepare(path)
    assert schema(path) == before
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_empty_file_is_taken(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    prepare(path)
    assert schema(path)


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="another program's database"):
        prepare(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(file: sqlite3.Connection, path: Path) -> None:
    file.execute("PRAGMA user_version=9999")
    with pytest.raises(SettingsError, match="newer chatloom"):
        prepare(path)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("Dear diary, " * 1000)
    with pytest.raises(SettingsError, match="not a database chatloom can use"):
        prepare(path)


@pytest.mark.parametrize("name", ["a/folder", "a/file/beneath.db"])
def test_a_path_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a" / "folder").mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    with pytest.raises(SettingsError):
        prepare(tmp_path / name)


ENTRIES = {
    "ledger": (
        "INSERT INTO ledger (kind, turn_id, account_id, key_id, amount, created_at)"
        " VALUES ('settle', 't', 'a', 'k', 1, 1)"
    ),
    "audit": (
        "INSERT INTO audit (at, actor, action, resource, hash)"
        " VALUES (1, 'somebody', 'key.create', 'key', x'00')"
    ),
}


@pytest.mark.parametrize("table", ENTRIES)
def test_what_is_written_for_good_cannot_be_changed(file: sqlite3.Connection, table: str) -> None:
    file.execute(ENTRIES[table])
    before = file.execute(f"SELECT * FROM {table}").fetchall()
    for statement in (f"UPDATE {table} SET account_id = 'b'", f"DELETE FROM {table}"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            file.execute(statement)
    assert file.execute(f"SELECT * FROM {table}").fetchall() == before


def test_a_turn_is_settled_once_in_the_ledger_too(file: sqlite3.Connection) -> None:
    file.execute(ENTRIES["ledger"])
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        file.execute(ENTRIES["ledger"])


async def test_every_entry_names_the_price_of_its_time(path: Path) -> None:
    store = SQLiteStore(path)
    own = await books(store)
    for rate in (1, 1, 1000, 1):
        opening = own.opening(price=Price(prompt=0, completion=rate))
        price = await store.open_turn(opening)
        await store.settle(answered(opening, price_id=price))
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        charged = connection.execute(
            "SELECT l.amount, p.completion * l.completion_tokens FROM ledger l"
            " JOIN price p ON p.id = l.price_id WHERE l.kind = 'settle' ORDER BY l.turn_id"
        ).fetchall()
        assert charged == [(2, 2), (2, 2), (2000, 2000), (2, 2)]
        assert connection.execute("SELECT count(*) FROM price").fetchone() == (3,)


async def test_balances_are_the_sums_of_the_ledger(path: Path) -> None:
    store = SQLiteStore(path)
    own = await books(store)
    await own.talk("First?", "Second?", end_user="customer")
    opening = await own.begin(own.opening())
    await store.close()
    spent = _one(path, "SELECT sum(amount) FROM ledger WHERE kind = 'settle'")
    kept = dict(_balances(path))
    assert kept == {
        "account": (opening.reserved, spent),
        "key": (opening.reserved, spent),
        "end_user": (0, spent),
    }


def _one(path: Path, statement: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (value,) = connection.execute(statement).fetchone()
        return int(value)


def _balances(path: Path) -> list[tuple[str, tuple[int, int]]]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT scope, reserved, spent FROM balance").fetchall()
    return [(scope, (reserved, spent)) for scope, reserved, spent in rows]


async def test_a_settled_turns_journal_is_folded(path: Path) -> None:
    store = SQLiteStore(path)
    own = await books(store)
    opening = await own.begin(own.opening())
    await store.append(opening.turn_id, 1, b"[]")
    await store.append(opening.turn_id, 2, b"[]")
    assert _one(path, "SELECT count(*) FROM journal") == 2
    await store.settle(answered(opening))
    assert _one(path, "SELECT count(*) FROM journal") == 0
    assert _one(path, "SELECT count(*) FROM replay") == 1
    await store.close()


def _write_and_die(path: Path) -> list[str]:
    """Have a process write until it is killed; the turns whose end it was told of."""
    tests = Path(next(iter(support.__path__))).parent
    with subprocess.Popen(
        [sys.executable, str(tests / "support" / "busy_writer.py"), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tests)},
    ) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip() for _ in range(200)]
        writer.kill()
        acknowledged += writer.stdout.read().split("\n")[:-1]
    return acknowledged


async def test_a_killed_writer_leaves_all_it_acknowledged(path: Path) -> None:
    acknowledged = _write_and_die(path)
    store = SQLiteStore(path)
    health = await store.check()
    account = (await store.keys())[0].account_id
    turns = [await store.turn(account, id) for id in acknowledged]
    await store.close()
    assert health.problems == []
    assert [turn and turn.outcome for turn in turns] == ["complete"] * len(acknowledged)
    assert len(health.open_turns) <= 8


async def test_the_store_can_be_opened_again_and_gone_on_with(path: Path) -> None:
    store = SQLiteStore(path)
    own = await books(store)
    opening = await own.talk("First?")
    await store.close()
    again = SQLiteStore(path)
    own = Books(again, own.account_id, own.key_id)
    second = await own.begin(await own.next(opening))
    await again.settle(answered(second, await own.head(opening)))
    assert (await own.tree(opening))[0].message_count == 4
    assert (await again.check()).problems == []
    await again.close()


async def test_closing_waits_for_whoever_reads(path: Path) -> None:
    place, reading, told = File(path, Balances(), Outbox()), threading.Event(), list[str]()

    def read() -> None:
        rows = place.reader.execute("SELECT 1 UNION SELECT 2")
        reading.set()
        time.sleep(0.1)  # while it is closed
        told.append(f"{len(rows.fetchall())} rows")

    apart = asyncio.ensure_future(place.apart(read))
    await asyncio.to_thread(reading.wait)
    await place.close()
    told.append("closed")
    await apart
    assert told == ["2 rows", "closed"]
    with pytest.raises(RuntimeError, match="closed"):
        await place.apart(read)
