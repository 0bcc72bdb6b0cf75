"""One holder at a time, and nothing left behind."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chatloom.core.errors import SettingsError
from chatloom.server.lock import DatabaseLock, Holder, Locked, is_held


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "own.db"


def test_a_lock_is_gone_once_it_is_given_back(database: Path) -> None:
    with DatabaseLock(database) as lock:
        lock.tell(Holder("http://127.0.0.1:1", "token", 1))
        assert list(database.parent.iterdir()) == [database.with_name("own.db.lock")]
        with pytest.raises(Locked, match=r"http://127\.0\.0\.1:1"):
            DatabaseLock(database).acquire()
    assert list(database.parent.iterdir()) == []


def test_what_a_killed_holder_has_left_is_taken_over(database: Path) -> None:
    database.with_name("own.db.lock").write_text('{"url": null, "token": "", "pid": 1}')
    with DatabaseLock(database):
        pass
    assert list(database.parent.iterdir()) == []


def test_another_programs_file_of_that_name_is_left_alone(database: Path) -> None:
    theirs = database.with_name("own.db.lock")
    theirs.write_text("# yarn lockfile v1\n")
    with pytest.raises(SettingsError, match="another program's"):
        DatabaseLock(database).acquire()
    assert theirs.read_text() == "# yarn lockfile v1\n"


@pytest.mark.skipif(os.name == "nt", reason="what is open cannot be removed there")
def test_a_lock_that_was_removed_while_it_was_taken_is_none(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, opened = DatabaseLock(database).acquire(), os.open

    def open_late(path: Path, flags: int, mode: int) -> int:
        file = opened(path, flags, mode)
        first.release()
        return file

    monkeypatch.setattr(os, "open", open_late)
    with DatabaseLock(database), pytest.raises(Locked):
        DatabaseLock(database).acquire()


def test_however_many_want_it_one_has_it(database: Path) -> None:
    inside = threading.Lock()

    def take(_: int) -> bool:
        try:
            with DatabaseLock(database):
                assert inside.acquire(blocking=False), "somebody else had it"
                inside.release()
        except Locked:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert any(pool.map(take, range(2000)))
    assert list(database.parent.iterdir()) == []


def test_who_asks_takes_nothing_from_anybody(database: Path) -> None:
    """Neither the lock from who wants it, nor another asker's view that nobody has it."""
    database.with_name("own.db.lock").touch()
    over = threading.Event()

    def ask() -> bool:
        found = [is_held(database)]
        while not over.is_set():
            found.append(is_held(database))
        return any(found)

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask) for _ in range(2)]
        try:
            time.sleep(0.1)
        finally:
            over.set()
    assert not any(one.result() for one in asked)


def test_who_wants_it_gets_it_however_many_ask(database: Path) -> None:
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            is_held(database)

    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(ask)
        try:
            for _ in range(300):
                with DatabaseLock(database):
                    assert is_held(database)
        finally:
            over.set()
