"""A file that keeps answers: for whom, how many, how long, and what becomes of it."""

from __future__ import annotations

import math
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.outside import guard
from chatloom.policies.cache import Cache
from chatloom.transports import cache_file
from chatloom.transports.cache_file import FileStore
from support.scripted import NOON, Scripted

MIB = 2**20


def key(number: int) -> str:
    return sha256(b"%d" % number).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "cache.db"


@pytest.fixture
def store(path: Path) -> FileStore:
    return FileStore(path)


def put(store: FileStore, number: int, value: bytes = b"v", now: float = NOON) -> None:
    store.put(key(number), value, now + 300, now)


def kept(store: FileStore, *numbers: int, now: float = NOON) -> list[int]:
    return [number for number in numbers if store.get(key(number), now) is not None]


def test_what_is_put_is_found_until_it_expires(store: FileStore) -> None:
    store.put(key(1), b"\0one\xff", NOON + 300, NOON)
    assert store.get(key(1), NOON + 299) == b"\0one\xff"
    assert store.get(key(1), NOON + 300) is None
    assert store.get(key(2), NOON) is None


def test_the_newest_takes_the_place_of_the_one_before(store: FileStore) -> None:
    put(store, 1, b"old")
    put(store, 1, b"new")
    assert store.get(key(1), NOON) == b"new"


def test_some_never_expire(store: FileStore) -> None:
    store.put(key(1), b"era", math.inf, NOON)
    assert store.get(key(1), NOON + 10**9) == b"era"


def test_it_is_there_again_in_another_process(path: Path) -> None:
    with closing(FileStore(path)) as store:
        put(store, 1, b"one")
    program = (
        "import sys; from chatloom.transports.cache_file import FileStore;"
        "store = FileStore(sys.argv[1]);"
        f"print(store.get({key(1)!r}, {NOON}));"
        f"store.put({key(2)!r}, b'two', {NOON + 1}, {NOON})"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("b'one'\n", "")
    assert FileStore(path).get(key(2), NOON) == b"two"


def test_a_store_that_was_closed_opens_again(store: FileStore) -> None:
    put(store, 1)
    store.close()
    assert kept(store, 1) == [1]


def test_the_file_is_its_owners_alone(path: Path) -> None:
    FileStore(path).close()
    path.chmod(0o644)
    store = FileStore(path)
    put(store, 1)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


# How much.


def test_the_file_stays_within_its_bounds(path: Path) -> None:
    store = FileStore(path, max_bytes=MIB)
    for number in range(100):
        put(store, number, os.urandom(100_000))
    assert path.stat().st_size <= MIB
    assert len(kept(store, *range(100))) >= 4
    assert kept(store, 99) == [99]


def test_what_was_not_asked_for_longest_makes_way(path: Path) -> None:
    store = FileStore(path, max_bytes=MIB)
    for number in range(4):
        put(store, number, bytes(200_000), NOON + number)
    assert kept(store, 0, now=NOON + 100) == [0]
    put(store, 4, bytes(300_000), NOON + 101)
    assert kept(store, *range(5), now=NOON + 101) == [0, 2, 3, 4]


def test_what_is_too_large_is_not_kept_and_neither_is_what_it_replaces(path: Path) -> None:
    store = FileStore(path, max_bytes=MIB)
    put(store, 1)
    put(store, 2)
    put(store, 1, bytes(2 * MIB))
    assert kept(store, 1, 2) == [2]


def test_what_nobody_asks_for_goes(path: Path) -> None:
    store = FileStore(path, max_age=1000)
    store.put(key(1), b"v", math.inf, NOON)
    store.put(key(2), b"v", math.inf, NOON)
    assert kept(store, 1, now=NOON + 900) == [1]
    put(store, 3, now=NOON + 1100)
    assert kept(store, 1, 2, 3, now=NOON + 1100) == [1, 3]


def test_what_has_expired_leaves_the_file(store: FileStore, path: Path) -> None:
    put(store, 1)
    put(store, 2, now=NOON + 1000)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1,)


@pytest.mark.parametrize("bound", [{"max_bytes": 1000}, {"max_age": 0}])
def test_there_must_be_room(path: Path, bound: Any) -> None:
    with pytest.raises(SettingsError, match="room"):
        FileStore(path, **bound)


# Several at once.


def test_threads_share_a_store(store: FileStore) -> None:
    def use(number: int) -> bool:
        put(store, number % 10, b"%d" % (number % 10))
        return store.get(key(number % 10), NOON) == b"%d" % (number % 10)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(200)))


def test_processes_share_a_file(path: Path) -> None:
    program = (
        "import sys; from chatloom.transports.cache_file import FileStore\n"
        "store = FileStore(sys.argv[1])\n"
        "for number in range(50):\n"
        "    name = f'{int(sys.argv[2]) * 50 + number:064x}'\n"
        f"    store.put(name, name.encode(), {NOON + 300}, {NOON})\n"
        f"    assert store.get(name, {NOON}) == name.encode()\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(path)]
    running = [subprocess.Popen([*command, str(number)]) for number in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    store = FileStore(path)
    assert all(store.get(f"{number:064x}", NOON) for number in range(150))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such thing")
def test_a_child_opens_the_file_for_itself(path: Path) -> None:
    program = (
        "import os, sys; from chatloom.transports.cache_file import FileStore\n"
        "store = FileStore(sys.argv[1])\n"
        f"store.put({key(1)!r}, b'one', {NOON + 300}, {NOON})\n"
        "if not (child := os.fork()):\n"
        f"    store.put({key(2)!r}, store.get({key(1)!r}, {NOON}), {NOON + 300}, {NOON})\n"
        "    sys.exit()\n"
        "os.waitpid(child, 0)\n"
        f"print(store.get({key(2)!r}, {NOON}))\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("b'one'\n", "")


# What becomes of the file.


def overwrite(path: Path) -> None:
    path.write_bytes(b"this is no database " * 1000)


def tear(path: Path) -> None:
    """Leave the head, and nothing behind it that makes sense."""
    path.write_bytes(path.read_bytes()[:100] + os.urandom(50_000))


def shorten(path: Path) -> None:
    os.truncate(path, 5000)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def remove(path: Path) -> None:
    for file in [*path.parent.iterdir()]:
        file.unlink()


@pytest.mark.parametrize("damage", [tear, shorten, remove])
def test_a_damaged_file_is_made_anew(path: Path, damage: Callable[[Path], None]) -> None:
    with closing(FileStore(path)) as store:
        for number in range(20):
            put(store, number, bytes(5000))
    damage(path)
    store = FileStore(path)
    put(store, 100)
    assert kept(store, 100) == [100]


@pytest.mark.parametrize("damage", [overwrite, tear, shorten, empty, remove])
def test_a_file_may_be_damaged_while_it_is_open(path: Path, damage: Callable[[Path], None]) -> None:
    store, other = FileStore(path), FileStore(path)
    for number in range(20):
        put(store, number, bytes(5000))
    damage(path)
    for number in range(20):
        store.get(key(number), NOON)
    for _ in range(2):
        put(other, 100)
        put(store, 100)
    assert kept(store, 100) == kept(other, 100) == [100]


def database(path: Path, *, wal: bool = False, mark: int = 0) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {'wal' if wal else 'delete'}")
        connection.execute(f"PRAGMA application_id = {mark}")
        connection.execute("CREATE TABLE precious (x)")


def damaged(path: Path) -> None:
    database(path, mark=7)
    shorten(path)


NOT_OURS: dict[str, Callable[[Path], object]] = {
    "a text": overwrite,
    "a short text": lambda path: path.write_text("thesis"),
    "an empty file": Path.touch,
    "an empty folder": Path.mkdir,
    "a database": database,
    "a database that is written ahead": lambda path: database(path, wal=True),
    "another program's database": lambda path: database(path, mark=7),
    "a damaged database": damaged,
}


@pytest.mark.parametrize("make", NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_not_ours_is_left_alone(path: Path, make: Callable[[Path], object]) -> None:
    path.parent.mkdir()
    make(path)
    path.chmod(0o755)
    before = found_below(path.parent)
    with pytest.raises(SettingsError, match="something else"):
        FileStore(path)
    assert found_below(path.parent) == before


def found_below(folder: Path) -> dict[Path, object]:
    files = [*folder.rglob("*")]
    return {one: (one.stat().st_mode, one.is_file() and one.read_bytes()) for one in files}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such thing")
def test_a_pipe_is_not_waited_for(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(SettingsError, match="something else"):
        FileStore(path)


def test_what_takes_the_files_place_is_left_alone(store: FileStore, path: Path) -> None:
    put(store, 1)
    store.close()
    remove(path)
    path.write_text("thesis")
    put(store, 2)
    assert kept(store, 1, 2) == []
    assert path.read_text() == "thesis"


def test_what_appears_as_the_file_is_made_is_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drop_journals(path: Path) -> None:
        path.write_text("thesis")

    monkeypatch.setattr(cache_file, "_drop_journals", drop_journals)
    with pytest.raises(SettingsError, match="something else"):
        FileStore(path)
    assert [(file, file.read_text()) for file in path.parent.iterdir()] == [(path, "thesis")]


def test_a_file_system_without_links_will_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hardlink_to(path: Path, target: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", hardlink_to)
    store = FileStore(path)
    put(store, 1)
    assert kept(store, 1) == [1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_torn_value_is_not_given_out(store: FileStore, path: Path) -> None:
    put(store, 1, b"value")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE kept SET value = x'00'")
    assert kept(store, 1) == []


def test_a_file_of_another_version_is_begun_anew(store: FileStore, path: Path) -> None:
    put(store, 1)
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    store = FileStore(path)
    assert kept(store, 1) == []
    put(store, 1)
    assert kept(store, 1) == [1]


def test_a_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be made"):
        FileStore(tmp_path / "file" / "cache.db")


def test_what_cannot_be_replaced_is_no_longer_given_out(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process writes, and takes its time."""
    monkeypatch.setattr(cache_file, "_PATIENCE", 0.05)
    store = FileStore(path)
    put(store, 1, b"old")
    put(store, 2, b"old")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        put(store, 1, b"new")
        assert kept(store, 1, 2) == [2]
    put(store, 1, b"newer")
    assert store.get(key(1), NOON) == b"newer"


def test_a_cache_answers_from_it(path: Path) -> None:
    request = Request("GET", "/v1/models")
    answers: list[Response] = []
    for _ in range(2):
        cache = Cache(FileStore(path))
        outside = guard(Scripted(Response(200, {}, b"[1]")), [cache.within(b"me")])
        answers += [run_inline(outside.send(request)) for _ in range(2)]
    assert [answer.body for answer in answers] == [b"[1]"] * 4
    assert [answer.attempts for answer in answers] == [1, 0, 0, 0]
