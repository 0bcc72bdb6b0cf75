"""``chatloom export`` and ``chatloom import``."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.commands import Run, Shell
from support.keys import new_key
from support.live import Live

Serve = Callable[..., Live]


@pytest.fixture
def talk(shell: Shell, serve: Serve) -> str:
    """A conversation of two exchanges and a branch, in the shell's database; nobody serves it."""
    server = serve("--grace", "0", database=shell.database, dev=False)
    key = new_key(server, "talker")["secret"]
    id = str(server.complete("Hello!", key=key, user="anna").json["system_fingerprint"])
    place = f"/api/v1/conversations/{id}"
    exchange: Any = server.call("POST", f"{place}/messages", {"content": "More?"}, key=key).json
    at = exchange["data"]["userMessage"]["id"]
    wanted = {"forkPointMessageId": at, "title": "other"}
    assert server.call("POST", f"{place}/fork", wanted, key=key).status == 201
    server.stop()
    return id


@pytest.fixture
def other(tmp_path: Path) -> Shell:
    """Another database, with one account."""
    (tmp_path / "other").mkdir()
    shell = Shell(tmp_path / "other")
    assert shell("keys", "create", "new").code == 0
    return shell


def outcome(run: Run) -> tuple[int, str]:
    return run.code, " ".join((run.err or run.out).split())


def test_what_is_exported_is_imported_elsewhere(shell: Shell, other: Shell, talk: str) -> None:
    file = shell.folder / "talk.jsonl"
    run = shell("export", talk[:13], "--output", str(file))
    told = f"exported 1 conversation, 4 messages to {file}"
    assert (outcome(run), run.out) == ((0, told), "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 or os.name == "nt"
    assert "imported 1 conversation, 2 branches, 4 messages" in other("import", str(file)).out
    assert other("doctor").code == 0
    assert other.apart("export", "--all").out.encode() == file.read_bytes()
    drawn = other("tree", talk, "--json").json
    assert (drawn["cost"]["picodollars"], drawn["end_user"]) == (0, "anna")
    (entry,) = [one for one in entries(other) if one[0] == "archive.imported"]
    assert entry[1] == "cli"


def entries(shell: Shell) -> list[Any]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(shell.database)) as connection:
        return connection.execute("SELECT action, actor FROM audit").fetchall()


def test_everything_can_be_exported_and_piped_on(shell: Shell, other: Shell, talk: str) -> None:
    account = shell("tree", talk, "--json").json["account_id"]
    archive = shell.apart("export", "--all", "--account", account).out
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "chatloom", "import", "-", "--as-new", "--json"],
        input=archive.encode(),
        capture_output=True,
        env=other.environ,
        check=True,
    )
    run = Run(0, done.stdout.decode(), "")
    assert run.json["messages"] == 4
    assert run.json["conversations"] != [talk]
    assert other("tree", run.json["conversations"][0]).code == 0


def test_a_conversation_that_is_there_is_refused_but_as_new(shell: Shell, talk: str) -> None:
    file = str(shell.folder / "talk.jsonl")
    shell("export", talk, "-o", file)
    account = shell("tree", talk, "--json").json["account_id"]
    code, told = outcome(shell("import", file, "--account", account))
    assert (code, f"the conversation {talk} is here already" in told) == (1, True)
    run = shell("import", file, "--account", account, "--as-new")
    assert (run.code, "  as " in run.out) == (0, True)
    hashes = [
        [line["hash"] for branch in told["branches"] for line in branch["messages"]]
        for told in (
            shell("tree", id, "--json").json for id in (talk, run.out.split("  as ")[1].strip())
        )
    ]
    assert hashes[0] == hashes[1]
    assert shell("doctor").code == 0


def test_a_running_server_takes_it_in(shell: Shell, other: Shell, talk: str, serve: Serve) -> None:
    file = str(shell.folder / "talk.jsonl")
    shell("export", talk, "-o", file)
    server = serve(
        "--grace", "0", database=other.database, dev=False, config="max_body_bytes = 600000"
    )
    account = other("accounts", "list", "--json").json["accounts"][-1]["id"]
    before = (Path(file)).read_bytes()
    assert "imported 1 conversation" in other("import", file, "--account", account).out
    assert outcome(other("import", file, "--account", account))[0] == 1
    assert other("export", talk, "-o", str(other.folder / "again.jsonl")).code == 0
    assert (other.folder / "again.jsonl").read_bytes() == before
    bad = Path(file).with_name("bad.jsonl")
    bad.write_bytes(before.replace(b"Hello!", b"Hullo!"))
    code, told = outcome(other("import", str(bad), "--account", account, "--as-new"))
    assert (code, "line 5: its content, or one before it, does not match" in told) == (1, True)
    code, told = outcome(other("import", file))
    assert (code, "there are several accounts; name one" in told) == (1, True)
    assert server.rows("SELECT count(*) FROM conversation") == [(1,)]


LARGE = 300_000
"""Characters of a message; a few are more than one part of a file holds."""


def test_a_large_file_arrives_in_parts(other: Shell, serve: Serve, tmp_path: Path) -> None:
    source = serve("--grace", "0")
    for _ in range(2):
        assert source.complete("x" * LARGE, model="loom/echo", key="large").status == 200
    shell, file = Shell(source.database.parent), tmp_path / "large.jsonl"
    assert shell("export", "--all", "-o", str(file)).code == 0
    assert file.stat().st_size > 4 * LARGE > 1024 * 1024
    server = serve("--grace", "0", database=other.database, dev=False)
    account = other("accounts", "list", "--json").json["accounts"][-1]["id"]
    assert other("import", str(file), "--account", account).code == 0
    stored = server.rows("SELECT length(body) > ? FROM message", LARGE)
    assert stored == [(1,)] * 4


ADDRESSES = [
    ("POST", "/admin/archives"),
    ("PUT", "/admin/archives/some?offset=0"),
    ("POST", "/admin/archives/some"),
    ("DELETE", "/admin/archives/some"),
]


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_no_key_imports_anything(serve: Serve, method: str, path: str) -> None:
    server = serve("--grace", "0", dev=False)
    ordinary = new_key(server, "talker")["secret"]
    for key in (ordinary, server.admin_key):
        answer = server.call(method, path, {}, key=key)
        assert (answer.status, answer.error["code"]) == (403, "missing_scope")
    wanted = {"name": "sly", "scopes": ["control"]}
    assert server.call("POST", "/admin/keys", wanted, key=server.token()).status == 400
    if path.endswith("some"):
        assert server.call(method, path, {}, key=server.token()).status == 404


def test_uploads_are_few_whole_and_forgotten(serve: Serve) -> None:
    server = serve("--grace", "0", dev=False)
    token = server.token()
    made = [server.call("POST", "/admin/archives", {}, key=token) for _ in range(5)]
    assert [answer.status for answer in made] == [201] * 4 + [409]
    place = f"/admin/archives/{made[0].json['id']}"
    assert server.call("PUT", f"{place}?offset=1", {}, key=token).status == 400
    for _ in range(2):  # a part may come twice
        assert server.call("PUT", f"{place}?offset=0", {}, key=token).json["bytes"] == 2
    refused = server.call("POST", place, {}, key=token)
    assert (refused.status, refused.error["code"]) == (400, "damaged_archive")
    assert server.call("POST", place, {}, key=token).status == 404, "it was used up"
    assert server.call("POST", "/admin/archives", {}, key=token).status == 201


WRONG = {
    "nothing named": (["export"], 2, "name a conversation, or give --all"),
    "both": (["export", "me", "--all"], 2, "name a conversation, or give --all"),
    "an account for one": (["export", "me", "--account", "a"], 2, "--account goes with --all"),
    "unknown": (["export", "me"], 1, "there is no conversation 'me'"),
    "unknown account": (["export", "--all", "--account", "a"], 1, "there is no account 'a'"),
    "no folder": (["export", "--all", "-o", "no/file"], 1, "no/file cannot be made: No such file"),
    "a folder": (["export", "--all", "-o", "."], 1, "is a folder; name the file"),
    "no file": (["import", "absent"], 1, "absent cannot be read: No such file"),
    "a folder to read": (["import", "."], 1, "cannot be read: Is a directory"),
    "no archive": (["import", "own.db"], 1, "line 1: this is no file that chatloom has exported"),
    "no such account": (["import", "own.db", "--account", "a"], 1, "account"),
}


@pytest.mark.parametrize(("command", "code", "told"), WRONG.values(), ids=WRONG)
def test_what_makes_no_sense_is_a_line(
    shell: Shell, command: list[str], code: int, told: str
) -> None:
    shell("keys", "create", "one")
    run = shell(*command)
    assert (run.code, told in " ".join(run.err.replace("│", " ").split())) == (code, True), run.err
    assert run.out == ""


def test_an_export_replaces_a_file_only_when_told_to(shell: Shell) -> None:
    shell("keys", "create", "one")
    file = shell.folder / "mine"
    file.write_text("mine")
    code, told = outcome(shell("export", "--all", "-o", "mine"))
    assert (code, "mine is there already; --force replaces it" in told) == (1, True)
    assert file.read_text() == "mine"
    assert shell("export", "--all", "-o", "mine", "--force").code == 0
    assert file.read_text().startswith('{"format":"chatloom"')
    assert [one.name for one in shell.folder.iterdir() if "partial" in one.name] == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a file nobody may read")
def test_a_file_that_may_not_be_read_is_a_line(shell: Shell) -> None:
    shell("keys", "create", "one")
    (shell.folder / "closed").touch(0o000)
    assert "closed cannot be read: Permission denied" in shell("import", "closed").err


def test_several_accounts_are_not_mixed(shell: Shell) -> None:
    for name in ("one", "other"):
        shell("keys", "create", name)
    assert "there are several accounts; name one with --account" in shell("export", "--all").err
