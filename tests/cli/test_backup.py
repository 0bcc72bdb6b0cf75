"""``chatloom backup``."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from chatloom.server.store.sqlite.connect import APPLICATION_ID
from chatloom.server.store.sqlite.statements import migrations
from support.commands import Shell
from support.live import Live

WRITER = Path(__file__).parents[1] / "support" / "busy_writer.py"


@pytest.fixture
def shell(tmp_path: Path, live: Live) -> Shell:
    """A shell beside the database of a server that runs."""
    shell = Shell(tmp_path)
    shell.database = live.database
    live.complete("Hello!")
    return shell


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backup.db"


def left_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def tamper(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def test_a_running_servers_database_is_saved(shell: Shell, target: Path) -> None:
    told = shell("backup", str(target), "--json").json
    assert (told["backup"], told["bytes"]) == (str(target), target.stat().st_size)
    assert told["checked"]["messages"] >= 2
    assert left_in(target.parent) == {"backup.db"}
    assert shell("doctor", "--db", str(target), "--json").json["checked"] == told["checked"]


def test_a_busy_writer_is_saved_in_one_view(tmp_path: Path) -> None:
    """While turns are written as fast as they can be, none of them is half in it."""
    shell, target = Shell(tmp_path), tmp_path / "backup.db"
    with writing(shell.database) as settled:
        while len(before := settled()) < 200:
            time.sleep(0.01)
        told = shell("backup", str(target), "--json")
        assert len(settled()) > len(before)
    assert told.code == 0, told.err
    with closing(sqlite3.connect(target)) as copy:
        ended = {id for (id,) in copy.execute("SELECT id FROM turn WHERE outcome IS NOT NULL")}
    assert set(before) <= ended
    assert len(ended) + len(told.json["open_turns"]) == told.json["checked"]["turns"]


@contextmanager
def writing(database: Path) -> Generator[Callable[[], list[str]]]:
    """A process that writes turns; tells which of them are settled."""
    log = database.with_suffix(".log")
    environ = {**os.environ, "PYTHONPATH": str(WRITER.parents[1])}
    command = [sys.executable, str(WRITER), str(database)]
    with log.open("w") as file, subprocess.Popen(command, stdout=file, env=environ) as writer:
        try:
            yield lambda: log.read_text().split("\n")[:-1]
        finally:
            writer.kill()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_only_its_owner_may_read_it(shell: Shell, target: Path) -> None:
    target.touch(mode=0o644)
    assert shell("backup", str(target), "--force").code == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_backup_can_be_served(shell: Shell, target: Path, serve: Callable[..., Live]) -> None:
    """With what was said, and with what was being said."""
    live = Live(target.parent / "first.db", "--grace", "0")
    shell.database = live.database
    said = live.complete("Hello!")
    with live.stream("Hello!", model="loom/scribe?delay=50&tokens=1000") as response:
        response.readline()
        (running,) = shell("backup", str(target), "--json").json["open_turns"]
    live.stop()
    served = serve("--grace", "0", database=target)
    path = "/v1/turns/" + said.json["id"]
    assert served.call("GET", path, key="any-key").json["text"] == said.text
    broken_off = served.call("GET", f"/v1/turns/{running}", key="any-key").json
    assert broken_off["outcome"] == "truncated"
    assert served.complete("Again!").status == 200


def test_what_was_deleted_is_not_in_it(shell: Shell, target: Path) -> None:
    server = Live(target.parent / "first.db")
    server.complete("A word that is deleted: xylograph.")
    server.stop()
    shell.database = server.database
    tamper(
        shell.database,
        """
        PRAGMA secure_delete = OFF;
        DELETE FROM message;
        DELETE FROM replay;
        UPDATE branch SET head_id = NULL;
        UPDATE turn SET message_id = NULL;
        UPDATE conversation SET title = '', message_count = 0;
        """,
    )
    assert b"xylograph" in shell.database.read_bytes()
    assert shell("backup", str(target)).code == 0
    assert b"xylograph" not in target.read_bytes()


def test_what_is_there_is_replaced_by_force_alone(shell: Shell, target: Path) -> None:
    target.write_text("precious")
    run = shell("backup", str(target))
    assert (run.code, "is there already" in run.err) == (1, True)
    assert target.read_text() == "precious"
    assert shell("backup", str(target), "--force").code == 0
    assert target.read_bytes().startswith(b"SQLite format 3")


def test_an_older_database_is_saved_as_it_is(tmp_path: Path, target: Path) -> None:
    """Before the first start after an upgrade, when it is wanted most."""
    shell = Shell(tmp_path)
    (number, first), *_ = migrations()
    version = f"PRAGMA user_version={number}; PRAGMA application_id={APPLICATION_ID};"
    tamper(shell.database, first + version + "INSERT INTO account VALUES ('a', 'old', 0, 1)")
    run = shell("backup", str(target))
    assert (run.code, "hashes and money were not" in run.out) == (0, True)
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (number,)
        assert copy.execute("SELECT name FROM account").fetchone() == ("old",)
    assert f"of schema {number}" in shell("doctor").err
    tamper(shell.database, "PRAGMA user_version=99")
    assert "of schema 99" in shell("backup", str(target), "--force").err


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", ".lock", "-journal"])
def test_the_database_itself_is_never_the_target(shell: Shell, ending: str) -> None:
    run = shell("backup", str(shell.database) + ending, "--force")
    assert (run.code, "is the database itself" in run.err) == (1, True)
    assert shell("doctor").code == 0


def test_another_name_of_the_database_is_no_target(shell: Shell, target: Path) -> None:
    target.symlink_to(shell.database)
    run = shell("backup", str(target), "--force")
    assert (run.code, "is the database itself" in run.err) == (1, True)


def test_a_database_in_use_is_no_target(shell: Shell, target: Path) -> None:
    """Its log would be taken for the backup's own."""
    target.with_name("backup.db-wal").write_bytes(b"log")
    for options in ([], ["--force"]):
        run = shell("backup", str(target), *options)
        assert (run.code, "is a database in use" in run.err) == (1, True)
    assert left_in(target.parent) == {"backup.db-wal"}


def test_a_target_that_cannot_be_is_refused(shell: Shell, tmp_path: Path) -> None:
    run = shell("backup", str(tmp_path))
    assert (run.code, "is a folder" in run.err) == (1, True)
    for name in ("", "-"):
        run = shell("backup", "--", name)
        assert (run.code, "names no file" in run.err) == (2, True)
    run = shell("backup", str(tmp_path / "none" / "x.db"))
    assert (run.code, "there is no folder" in run.err) == (1, True)
    run = shell("backup", str(tmp_path / "x.db"), "--db", str(tmp_path / "absent.db"))
    assert (run.code, "there is no database at" in run.err) == (1, True)
    assert left_in(tmp_path) == set()


def test_a_damaged_copy_is_not_kept(shell: Shell, target: Path) -> None:
    assert shell("backup", str(target)).code == 0
    tamper(target, "UPDATE message SET hash = zeroblob(32)")
    run = shell("backup", str(target.with_name("second.db")), "--db", str(target))
    assert (run.code, "did not pass its check" in run.err) == (1, True)
    assert left_in(target.parent) == {"backup.db"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_what_a_crash_has_left_is_saved_too(shell: Shell, target: Path) -> None:
    server = Live(target.parent / "first.db")
    server.complete("Hello!")
    server.stop(signal.SIGKILL)
    shell.database = server.database
    told = shell("backup", str(target), "--json").json
    assert told["checked"]["turns"] == 1
