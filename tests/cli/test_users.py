"""``chatloom users``, at the file and at the server that has it open."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chatloom.server.identity.powers import SCOPES
from server.puter.calling import log_in
from support.commands import Run, Shell
from support.keys import new_key, secret
from support.live import Live, environment

SHOWN = {"id", "account_id", "login", "email", "name", "dev", "created_at", "disabled_at"}
PASSWORD = "correct horse"


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Pipe something into the commands that follow."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def users(shell: Shell, *arguments: str) -> Any:
    run = shell("users", *arguments, "--json")
    assert (run.code, run.err) == (0, "")
    return run.json


def actions(rows: list[tuple[Any, ...]]) -> list[str]:
    return [action for (action,) in rows if action.startswith("person.")]


def test_somebody_is_made_listed_disabled_and_given_a_password(
    shell: Shell, piped: Callable[[str], None]
) -> None:
    piped(f"{PASSWORD}\n")
    ann = users(shell, "create", "Ann@Example.org")
    assert set(ann) == SHOWN
    assert (ann["login"], ann["email"]) == ("ann@example.org", "Ann@Example.org")
    assert ann["account_id"] == ann["id"]
    piped(PASSWORD)
    ben = users(shell, "create", "ben")
    assert [ben["email"], ben["dev"], ben["disabled_at"]] == [None, False, None]
    assert users(shell, "list") == {"people": [ben, ann]}
    disabled = users(shell, "disable", "BEN")
    assert disabled["disabled_at"]
    assert users(shell, "list")["people"] == [disabled, ann]
    assert users(shell, "disable", "ben", "--undo") == ben
    piped("another horse\n")
    assert users(shell, "password", "ann@example.org") == ann


def test_people_are_told_in_words(shell: Shell, piped: Callable[[str], None]) -> None:
    piped(PASSWORD)
    made = shell("users", "create", "ann")
    assert made.out.startswith("ann can log in; account ")
    assert str(shell.database) in made.out
    assert "active" in shell("users", "list").out
    assert shell("users", "disable", "ann").out == "ann is disabled; their sessions have ended\n"
    assert "disabled" in shell("users", "list").out
    piped(PASSWORD)
    assert shell("users", "password", "ann").out.startswith("ann has another password")


def refused(run: Run) -> str:
    assert (run.code, run.out) == (1, "")
    return run.err


def test_what_cannot_be_says_why(shell: Shell, piped: Callable[[str], None]) -> None:
    assert "there is no database" in refused(shell("users", "list"))
    for password in ("", "\n", "seven.7", "p" * 1025):
        piped(password)
        assert "8 to 1024 characters" in refused(shell("users", "create", "ann"))
    assert not shell.database.exists()
    piped(PASSWORD)
    shell("users", "create", "ann")
    piped(PASSWORD)
    assert "registered with this name already" in refused(shell("users", "create", "ANN"))
    piped(PASSWORD)
    assert "without spaces" in refused(shell("users", "create", " ann"))
    piped(PASSWORD)
    assert refused(shell("users", "create", "a\u200b"))
    for command in ("disable", "password"):
        piped(PASSWORD)
        assert "nobody logs in by the name 'ben'" in refused(shell("users", command, "ben"))
    assert len(users(shell, "list")["people"]) == 1


def test_a_password_is_no_argument(shell: Shell) -> None:
    assert shell("users", "create", "ann", PASSWORD).code == 2
    assert shell("users", "create", "ann", "--password", PASSWORD).code == 2
    assert not shell.database.exists()


def answered(shell: Shell, *typed: str) -> str:
    """What is on a terminal when the command is typed at so, one line for each question."""
    import pty
    import subprocess

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "chatloom", "users", "create", "ann"]
    with subprocess.Popen(
        [*command, "--db", str(shell.database)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=shell.folder,
        env=environment(shell.folder, {"TERM": "dumb"}),
        start_new_session=True,
    ):
        os.close(theirs)
        told, given = b"", 0
        try:
            while piece := os.read(ours, 65536):
                told += piece
                if len(re.findall(rb"(?:Password|confirmation): ", told)) > given < len(typed):
                    os.write(ours, f"{typed[given]}\n".encode())
                    given += 1
        except OSError:
            pass  # how Linux says that the other side has closed
    os.close(ours)
    return told.decode()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_at_a_terminal_it_is_asked_for_twice_and_not_shown(shell: Shell) -> None:
    told = answered(shell, PASSWORD, "a slip", PASSWORD, PASSWORD)
    assert told.count("Password:") == 2
    assert told.count("Repeat") == 2
    assert "ann can log in" in told
    assert PASSWORD not in told


def test_a_running_server_does_the_same_at_once(
    serve: Callable[..., Live], piped: Callable[[str], None]
) -> None:
    server = serve(dev=False)
    shell = Shell(server.database.parent)
    where = ("--db", str(server.database))
    piped(PASSWORD)
    ann = users(shell, "create", "ann", *where)
    token = log_in(server, "ann", PASSWORD).json["token"]
    key = secret(server, account_id=ann["account_id"])

    def statuses(*keys: str) -> list[int]:
        return [server.call("GET", "/whoami", key=one).status for one in keys]

    assert statuses(token, key) == [200, 200]
    users(shell, "disable", "ann", *where)
    assert statuses(token, key) == [401, 200]
    suspended = log_in(server, "ann", PASSWORD)
    assert (suspended.status, suspended.json["code"]) == (401, "account_suspended")
    assert log_in(server, "ann", "a wrong one").json["code"] == "password_mismatch"
    users(shell, "disable", "ann", "--undo", *where)
    assert statuses(token) == [401], "what has ended does not begin again"
    token = log_in(server, "ann", PASSWORD).json["token"]
    piped("another horse")
    users(shell, "password", "ann", *where)
    assert statuses(token) == [401]
    assert [log_in(server, "ann", one).status for one in (PASSWORD, "another horse")] == [401, 200]
    told = server.rows("SELECT action FROM audit WHERE account_id = ? ORDER BY id", ann["id"])
    assert [one for one in actions(told) if one != "person.refused"] == [
        "person.created",
        *["person.changed"] * 3,
    ]
    assert server.rows("SELECT DISTINCT actor FROM audit WHERE action LIKE 'person.c%'") == [
        ("cli",)
    ]
    assert PASSWORD not in server.log


def test_a_renewed_session_ends_with_the_others(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    wanted = {"login": "ann@example.org", "password": PASSWORD}
    id = server.call("POST", "/admin/people", wanted, key=server.admin_key).json["id"]
    login = {"email": "ann@example.org", "password": PASSWORD}
    tokens = server.call("POST", "/api/v1/auth/login", login).json["data"]["tokens"]
    made = server.call(
        "POST", "/v1/keys", {"name": "app", "scopes": ["chat"]}, key=tokens["accessToken"]
    ).json["secret"]
    change = server.call("PATCH", f"/admin/people/{id}", {"disabled": True}, key=server.admin_key)
    assert change.json["disabled_at"]
    for key in (tokens["accessToken"], made):
        assert server.call("GET", "/whoami", key=key).status == 401
    renewal = {"refreshToken": tokens["refreshToken"]}
    assert server.call("POST", "/api/v1/auth/refresh", renewal).status == 401
    assert server.call("POST", "/api/v1/auth/login", login).json["details"]["code"] == (
        "account_suspended"
    )


def test_nobody_slips_in_while_he_is_disabled(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    wanted = {"login": "ann", "password": PASSWORD}
    id = server.call("POST", "/admin/people", wanted, key=server.admin_key).json["id"]
    path = f"/admin/people/{id}"

    def enter(_: int) -> str | None:
        answer = log_in(server, "ann", PASSWORD)
        return str(answer.json["token"]) if answer.status == 200 else None

    with ThreadPoolExecutor(5) as crowd:
        entering = crowd.map(enter, range(4))
        crowd.submit(server.call, "PATCH", path, {"disabled": True}, key=server.admin_key)
        tokens = [token for token in entering if token]
    assert [server.call("GET", "/whoami", key=token).status for token in tokens] == (
        [401] * len(tokens)
    )


BAD: list[tuple[str, str, object, int]] = [
    ("POST", "/admin/people", {}, 400),
    ("POST", "/admin/people", {"login": "ann"}, 400),
    ("POST", "/admin/people", {"login": "ann", "password": "short"}, 400),
    ("POST", "/admin/people", {"login": "ann", "password": PASSWORD, "admin": True}, 400),
    ("POST", "/admin/people", {"login": "a\nb", "password": PASSWORD}, 400),
    ("PATCH", "/admin/people/nobody", {"disabled": True}, 404),
    ("PATCH", "/admin/people/nobody", {}, 400),
    ("PATCH", "/admin/people/nobody", {"disabled": "yes"}, 400),
    ("PATCH", "/admin/people/nobody", {"password": ""}, 400),
]


@pytest.fixture(scope="module")
def real(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD, ids=str)
def test_what_makes_no_sense_is_refused_and_nothing_kept(
    real: Live, method: str, path: str, body: object, status: int
) -> None:
    before = real.dump()
    answer = real.call(method, path, body, key=real.admin_key)
    assert answer.status == status
    assert real.dump() == before


def test_only_who_has_as_much_gives_passwords(real: Live) -> None:
    wanted = {"login": "ben", "password": PASSWORD}
    assert real.call("POST", "/admin/people", wanted, key=secret(real)).status == 403
    clerk = new_key(real, scopes=["admin"])["secret"]
    refusal = real.call("POST", "/admin/people", wanted, key=clerk)
    assert (refusal.status, refusal.error["code"]) == (403, "missing_scope")
    full = new_key(real, scopes=sorted(SCOPES))["secret"]
    id = real.call("POST", "/admin/people", wanted, key=full).json["id"]
    path = f"/admin/people/{id}"
    assert real.call("PATCH", path, {"password": "another horse"}, key=clerk).status == 403
    assert real.call("PATCH", path, {"disabled": True}, key=clerk).status == 200
    listed = real.call("GET", "/admin/people", key=clerk)
    assert [one["login"] for one in listed.json["people"]] == ["ben"]
    assert b"argon2" not in listed.body
