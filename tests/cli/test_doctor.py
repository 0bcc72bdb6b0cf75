"""``chatloom doctor``."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.sqlite.statements import migrations
from support.books import COST, books
from support.commands import Shell
from support.live import Live


@pytest.fixture
def shell(shell: Shell) -> Shell:
    """A shell beside a database that holds a talk."""
    asyncio.run(_talk(shell.database))
    return shell


async def _talk(path: Path) -> None:
    store = SQLiteStore(path)
    await (await books(store)).talk("Hello!")
    await store.close()


def tamper(shell: Shell, statement: str) -> None:
    with closing(sqlite3.connect(shell.database, isolation_level=None)) as connection:
        connection.execute(statement)


def test_a_sound_database_is_well(shell: Shell) -> None:
    run = shell("doctor")
    assert (run.code, run.err) == (0, "")
    assert "2 messages" in run.out
    assert "all is well" in run.out


def test_programs_are_told_in_json(shell: Shell) -> None:
    assert shell("doctor", "--json").json == {
        "status": "ok",
        "schema": migrations()[-1][0],
        "checked": {"messages": 2, "balances": 2, "turns": 1, "audit entries": 0},
        "running": False,
        "open_turns": [],
        "notes": [],
        "problems": [],
    }


def test_damage_is_told_and_fails(shell: Shell) -> None:
    tamper(shell, "UPDATE message SET body = replace(body, 'Hello', '[red]Hullo')")
    run = shell("doctor")
    assert (run.code, "does not match its hash" in run.out) == (1, True)
    assert "all is well" not in run.out
    told = shell("doctor", "--json")
    assert (told.code, told.json["status"]) == (1, "problems")
    (problem,) = told.json["problems"]
    assert set(problem) == {"check", "subject", "detail"}


def test_a_torn_file_is_told_and_fails(shell: Shell) -> None:
    with closing(sqlite3.connect(shell.database)) as connection:
        find = "SELECT rootpage FROM sqlite_schema WHERE name = 'message'"
        (page,) = connection.execute(find).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with shell.database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
    run = shell("doctor", "--json")
    assert (run.code, run.json["status"]) == (1, "problems")
    assert run.json["problems"][0]["check"] == "file"


def test_a_running_servers_database_can_be_checked(shell: Shell) -> None:
    shell.database = shell.folder / "dev.db"
    server = Live(shell.database, "--grace", "0")
    with server.stream("Hello!", model="loom/scribe?delay=50&tokens=1000") as response:
        turn = response.getheader("X-Chatloom-Turn")
        told = shell("doctor", "--json")
        said = shell("doctor").out
    server.stop()
    assert (told.code, told.json["open_turns"], told.json["running"]) == (0, [turn], True)
    assert "open turns: 1 (running)" in said


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_servers_database_is_sound(shell: Shell) -> None:
    shell.database = shell.folder / "dev.db"
    server = Live(shell.database)
    with server.stream("Hello!", model="loom/scribe?delay=50&tokens=1000") as response:
        response.readline()
        server.stop(signal.SIGKILL)
    told = shell("doctor", "--json")
    assert (told.code, told.json["running"], len(told.json["open_turns"])) == (0, False, 1)
    said = shell("doctor").out
    for words in ("left by a crash", "dev.db-wal: a crash left", "dev.db.lock: a crash left it"):
        assert words in said


def notes(shell: Shell) -> list[str]:
    """What is noted, beside a database that is well."""
    told = shell("doctor", "--json")
    assert (told.code, told.json["status"]) == (0, "ok")
    return [f"{one['subject']}: {one['detail']}" for one in told.json["notes"]]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_file_that_others_may_read_is_noted(shell: Shell) -> None:
    shell.database.chmod(0o640)
    assert notes(shell) == ["own.db: others may open it (mode 640); chmod 600 it"]
    assert "others may open it" in shell("doctor").out


def test_a_budget_of_which_too_much_is_spent_is_noted(shell: Shell) -> None:
    tamper(shell, "INSERT INTO budget SELECT 'key', id, 1 FROM api_key")
    tamper(shell, "INSERT INTO budget SELECT 'account', id, 1800 FROM account")
    (note,) = notes(shell)
    assert note.endswith("$0.0000000018 is spent or set aside, of $0.000000000001")


def test_a_budget_of_each_end_user_is_looked_at_one_by_one(shell: Shell) -> None:
    asyncio.run(_spend(shell.database, {"rich": 1, "poor": 3, "own": 3}))
    tamper(shell, f"INSERT INTO budget SELECT 'end_users', id, {2 * COST} FROM account")
    tamper(shell, f"INSERT INTO budget SELECT 'end_user', id || '/own', {3 * COST} FROM account")
    (note,) = notes(shell)
    assert note.partition(":")[0].endswith("/poor")


async def _spend(path: Path, turns: dict[str, int]) -> None:
    store = SQLiteStore(path)
    own = await books(store)
    for end_user, count in turns.items():
        await own.talk(*["Hello!"] * count, end_user=end_user)
    await store.close()


def test_free_pages_are_noted(shell: Shell) -> None:
    tamper(shell, "CREATE TABLE padding AS SELECT zeroblob(4000000)")
    assert notes(shell) == []
    tamper(shell, "DROP TABLE padding")
    (note,) = notes(shell)
    assert note.startswith("free pages: 4.0 MB of 4.")


def test_what_is_not_there_is_not_made(shell: Shell) -> None:
    absent = shell.folder / "absent.db"
    run = shell("doctor", "--db", str(absent))
    assert (run.code, "there is no database at" in run.err) == (1, True)
    assert not absent.exists()


def left_by(shell: Shell) -> dict[str, bytes]:
    """What lies in the folder."""
    return {entry.name: entry.read_bytes() for entry in shell.folder.iterdir() if entry.is_file()}


def test_nothing_is_left_behind(shell: Shell) -> None:
    before = left_by(shell)
    assert set(before) == {"own.db"}
    assert shell("doctor").code == 0
    assert left_by(shell) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_what_a_crash_has_left_is_left_as_it_is(shell: Shell) -> None:
    shell.database = shell.folder / "dev.db"
    server = Live(shell.database)
    server.complete("Hello!", key="a")
    server.stop(signal.SIGKILL)
    before = left_by(shell)
    assert before["dev.db-wal"]
    assert shell("doctor").code == 0
    after = left_by(shell)
    del before["dev.db-shm"], after["dev.db-shm"]  # readers write down where they are
    assert after == before


def test_another_programs_file_is_refused(shell: Shell) -> None:
    theirs = shell.folder / "theirs.db"
    theirs.write_text("Dear diary, " * 1000)
    run = shell("doctor", "--db", str(theirs))
    assert (run.code, "not a database chatloom can use" in run.err) == (1, True)
