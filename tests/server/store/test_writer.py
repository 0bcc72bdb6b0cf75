"""Group commit: whatever waits goes into one transaction, and each write fares as it deserves."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from functools import partial
from pathlib import Path

import pytest

from chatloom.server.store.sqlite.connect import connect, prepare
from chatloom.server.store.sqlite.writer import Writer

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "writer.db"
    prepare(path)
    return path


def note(name: str, connection: sqlite3.Connection) -> str:
    connection.execute("INSERT INTO account (id, name, created_at) VALUES (?, 'test', 1)", (name,))
    return name


def names(path: Path) -> list[str]:
    connection = connect(path, read_only=True)
    found = [name for (name,) in connection.execute("SELECT id FROM account ORDER BY id")]
    connection.close()
    return found


def hold(gate: threading.Event, connection: sqlite3.Connection) -> None:
    """Keep the writer busy, so that what follows waits together."""
    gate.wait(10)


async def test_waiting_writes_share_a_transaction_and_fail_alone(path: Path) -> None:
    writer, gate = Writer(partial(connect, path)), threading.Event()
    held = writer.write(partial(hold, gate))
    writes = [writer.write(partial(note, name)) for name in ("a", "b", "a", "c")]
    gate.set()
    await held
    results = await asyncio.gather(*writes, return_exceptions=True)
    writer.close()
    assert [one if isinstance(one, str) else type(one) for one in results] == [
        "a",
        "b",
        sqlite3.IntegrityError,
        "c",
    ]
    assert names(path) == ["a", "b", "c"]


async def test_a_write_is_committed_before_it_is_acknowledged(path: Path) -> None:
    writer = Writer(partial(connect, path))
    for name in "abc":
        await writer.write(partial(note, name))
        assert name in names(path)
    writer.close()


async def test_a_write_that_nobody_waits_for_is_made(path: Path) -> None:
    writer, gate = Writer(partial(connect, path)), threading.Event()
    held = writer.write(partial(hold, gate))
    left = writer.write(partial(note, "left"))
    left.cancel()
    gate.set()
    await held
    await writer.write(partial(note, "later"))
    writer.close()
    assert names(path) == ["later", "left"]


async def test_closing_writes_what_waits(path: Path) -> None:
    writer, gate = Writer(partial(connect, path)), threading.Event()
    writer.write(partial(hold, gate))
    for name in "abc":
        writer.write(partial(note, name))
    gate.set()
    await asyncio.to_thread(writer.close)
    assert names(path) == ["a", "b", "c"]


@pytest.mark.parametrize(("durable", "level"), [(False, 1), (True, 2)])
async def test_a_durable_write_is_synced(path: Path, durable: bool, level: int) -> None:
    def look(connection: sqlite3.Connection) -> int:
        return int(connection.execute("PRAGMA synchronous").fetchone()[0])

    writer = Writer(partial(connect, path))
    await writer.write(partial(note, "before"), durable=not durable)
    assert await writer.write(look, durable=durable) == level
    writer.close()


async def test_the_order_of_writes_of_one_kind_is_kept(path: Path) -> None:
    writer, seen = Writer(partial(connect, path)), list[int]()

    def see(number: int, connection: sqlite3.Connection) -> None:
        seen.append(number)

    await asyncio.gather(*(writer.write(partial(see, number)) for number in range(500)))
    writer.close()
    assert seen == list(range(500))


async def test_a_write_after_the_end_is_refused_and_never_waits(path: Path) -> None:
    writer = Writer(partial(connect, path))
    writer.close()
    with pytest.raises(RuntimeError, match="closed"):
        await writer.write(partial(note, "late"))


async def test_a_broken_connection_fails_its_writes_and_is_replaced(path: Path) -> None:
    writer = Writer(partial(connect, path))

    def slam(connection: sqlite3.Connection) -> None:
        connection.close()

    with pytest.raises(sqlite3.ProgrammingError):
        await writer.write(slam)
    assert await writer.write(partial(note, "after"), durable=True) == "after"
    writer.close()


async def test_a_connection_that_cannot_be_replaced_fails_its_writes_alone(path: Path) -> None:
    failures = [sqlite3.OperationalError("no file handles left")] * 2

    def connect_later() -> sqlite3.Connection:
        if failures:
            raise failures.pop()
        return connect(path)

    writer = Writer(connect_later)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="no file handles left"):
            await asyncio.wait_for(writer.write(partial(note, "lost")), 5)
    assert await writer.write(partial(note, "after")) == "after"
    writer.close()
    assert names(path) == ["after"]
