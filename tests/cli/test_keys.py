"""``chatloom keys``, at the file and at the server that has it open."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatloom.server.lock import DatabaseLock
from support.commands import Shell
from support.live import Live

SHOWN = {"id", "account_id", "name", "hint", "scopes", "unread", "created_at", "secret"}


def status(server: Live, key: str) -> int:
    return server.call("GET", "/v1/models", key=key).status


def test_a_key_is_made_listed_rotated_and_revoked(shell: Shell) -> None:
    made = shell("keys", "create", "first", "--json")
    assert (made.code, made.err) == (0, "")
    key = made.json
    assert set(key) == SHOWN
    assert key["secret"].startswith(key["hint"])
    newer = shell("keys", "rotate", key["id"], "--overlap", "5", "--json").json
    assert set(newer) == SHOWN
    assert (newer["id"], newer["secret"] != key["secret"]) == (key["id"], True)
    assert shell("keys", "revoke", key["id"], "--json").json["revoked_at"]
    (listed,) = shell("keys", "list", "--json").json["keys"]
    assert set(listed) == SHOWN - {"secret"} | {"revoked_at"}
    assert listed["hint"] == newer["hint"]


def test_a_key_is_made_as_it_was_asked_for(shell: Shell) -> None:
    first = shell("keys", "create", "first", "--json").json
    options = ["--scope", "chat", "--scope", "admin", "--model", "loom/*", "--days", "2"]
    key = shell(
        "keys", "create", "second", *options, "--account", first["account_id"], "--json"
    ).json
    assert key["account_id"] == first["account_id"]
    assert (key["scopes"], key["models"]) == (["admin", "chat"], ["loom/*"])
    assert key["expires_at"] > key["created_at"]
    names = [one["name"] for one in shell("keys", "list", "--json").json["keys"]]
    assert names == ["second", "first"]


def test_people_are_told_in_words(shell: Shell) -> None:
    made = shell("keys", "create", "for people")
    secret = made.out.split()[0]
    assert "shown only now" in made.out
    listed = shell("keys", "list")
    assert "for people" in listed.out
    assert "active" in listed.out
    assert secret not in listed.out
    id = shell("keys", "list", "--json").json["keys"][0]["id"]
    assert shell("keys", "revoke", id).out.startswith("revoked for people")
    assert "revoked" in shell("keys", "list").out


@pytest.mark.parametrize("name", ["[/]", "[red]x", "a\\[b]", "日本", "--", "-x"])
def test_any_name_can_be_shown(shell: Shell, name: str) -> None:
    made = shell("keys", "create", "--json", "--", name)
    assert made.json["name"] == name
    listed = shell("keys", "list")
    assert (listed.code, name in listed.out) == (0, True)


def test_commands_work_at_a_running_server(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    shell = Shell(server.database.parent)
    key = shell("keys", "create", "running", "--json").json
    assert status(server, key["secret"]) == 200
    newer = shell("keys", "rotate", key["id"], "--overlap", "0", "--json").json
    assert [status(server, key["secret"]), status(server, newer["secret"])] == [401, 200]
    assert shell("keys", "revoke", key["id"]).code == 0
    assert status(server, newer["secret"]) == 401
    names = [one["name"] for one in shell("keys", "list", "--json").json["keys"]]
    assert names == ["running", "admin"]
    again = shell("keys", "revoke", key["id"])
    assert (again.code, "revoked before" in again.err) == (1, True)


WRONG: list[tuple[list[str], int, str]] = [
    (["keys", "revoke", "nothing"], 1, "no key with the id 'nothing'"),
    (["keys", "rotate", "nothing"], 1, "no key with the id 'nothing'"),
    (["keys", "create", "a", "--scope", "root"], 1, "unknown scope root"),
    (["keys", "create", "a", "--account", "nobody"], 1, "no such account"),
    (["keys", "create", "a", "--days", "-1"], 1, "expires_in_days"),
    (["keys", "create", ""], 2, "is no name"),
    (["keys", "create", "a\nb"], 2, "is no name"),
    (["keys", "create", "\x1b[31mred"], 2, "is no name"),
    (["keys", "rotate", "a", "--overlap", "-1"], 1, "overlap_seconds"),
    (["keys", "list", "--db", "/dev/null/x.db"], 1, "/dev/null/x.db"),
    (["keys", "create"], 2, "Missing argument"),
    (["keys", "create", "a", "--days", "soon"], 2, "--days"),
    (["keys", "melt"], 2, "melt"),
    (["keys", "list", "--colour"], 2, "--colour"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    WRONG,
    ids=[" ".join(arguments) for arguments, _, _ in WRONG],
)
def test_what_cannot_be_says_why(
    shell: Shell, arguments: list[str], code: int, reason: str
) -> None:
    shell("keys", "create", "somebody's")
    run = shell(*arguments)
    assert (run.code, run.out) == (code, "")
    assert reason in run.err


def test_a_running_server_says_no_in_the_same_words(serve: Callable[..., Live]) -> None:
    server = serve()
    shell = Shell(server.database.parent)
    run = shell("keys", "create", "a", "--scope", "root")
    assert (run.code, "unknown scope root" in run.err) == (1, True)


def test_a_database_whose_holder_is_silent_is_left_alone(shell: Shell) -> None:
    with DatabaseLock(shell.database):
        run = shell("keys", "create", "a")
    assert (run.code, "in use" in run.err) == (1, True)
    assert shell("keys", "create", "a").code == 0


def test_an_expired_key_is_listed_as_such(shell: Shell) -> None:
    shell("keys", "create", "short", "--days", "1e-9")
    shell("keys", "create", "long", "--days", "2")
    listed = shell("keys", "list").out
    assert (listed.count("expired"), listed.count("until 20")) == (1, 1)


LOOKING = [
    ["keys", "list"],
    ["keys", "revoke", "ID"],
    ["keys", "rotate", "ID"],
    ["budgets", "list"],
    ["accounts", "list"],
    ["accounts", "tier", "ID", "pro"],
]


@pytest.mark.parametrize("command", LOOKING, ids=" ".join)
def test_what_looks_for_something_makes_no_database(shell: Shell, command: list[str]) -> None:
    run = shell(*command)
    assert (run.code, "there is no database at" in run.err) == (1, True)
    assert not shell.database.exists()
