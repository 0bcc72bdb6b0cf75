"""``chatloom webhooks``, at the file and at the server that has it open."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from support.commands import Run, Shell
from support.hooks import NEVER, QUIET
from support.live import Live
from support.receivers import BROKEN, TAKEN, receiving

CONFIG = """
[webhooks]
plain_http = true
schedule = [3600]
[egress]
allow_loopback = true
"""


@dataclass(frozen=True)
class Own:
    """``chatloom webhooks`` where an account is that knows one."""

    shell: Shell
    account: str

    def __call__(self, *arguments: str) -> Run:
        return self.shell("webhooks", *arguments)

    def done(self, *arguments: str) -> Any:
        """What a command that must succeed tells programs."""
        run = self(*arguments, "--json")
        assert (run.code, run.err) == (0, ""), run
        return run.json

    def add(self, url: str = QUIET, *arguments: str, event: str = NEVER[0]) -> Any:
        whose = ("--account", self.account)
        return self.done("add", url, "--event", event, *whose, *arguments)


@pytest.fixture(params=["file", "server"])
def own(request: pytest.FixtureRequest, shell: Shell, serve: Callable[..., Live]) -> Own:
    """An account in a database that is there; maybe a server has it open."""
    account = shell("keys", "create", "one", "--json").json["account_id"]
    if request.param == "server":
        serve(database=shell.database, dev=False, config=CONFIG)
    return Own(shell, account)


@pytest.fixture
def served(shell: Shell, serve: Callable[..., Live]) -> Own:
    """One that a server has open."""
    account = shell("keys", "create", "one", "--json").json["account_id"]
    serve(database=shell.database, dev=False, config=CONFIG)
    return Own(shell, account)


def test_a_webhook_is_added_changed_rotated_and_removed(own: Own) -> None:
    made = own.add(QUIET, "--description", "books")
    assert made["secret"].startswith("whsec_")
    assert (made["url"], made["account_id"], made["description"]) == (QUIET, own.account, "books")
    (listed,) = own.done("list")["webhooks"]
    assert listed == {name: value for name, value in made.items() if name != "secret"}
    changed = own.done("change", made["id"], "--event", "turn.*", "--event", "*", "--disable")
    assert (changed["events"], changed["active"]) == (["turn.*", "*"], False)
    moved = own.done("change", made["id"], "--url", "https://example.org/y", "--enable")
    assert (moved["url"], moved["active"], moved["events"]) == (
        ("https://example.org/y", True, ["turn.*", "*"])
    )
    newer = own.done("rotate", made["id"], "--overlap", "5")
    assert newer["secret"] not in {None, made["secret"]}
    assert own.done("remove", made["id"])["id"] == made["id"]
    assert own.done("list") == {"webhooks": []}
    assert own.shell("doctor").code == 0


def test_people_are_told_in_words(own: Own) -> None:
    added = own("add", QUIET, "--event", NEVER[0], "--account", own.account)
    assert (added.code, added.err) == (0, "")
    secret, id = added.out.split()[0], own.done("list")["webhooks"][0]["id"]
    assert "shown only now" in added.out
    listed = own("list").out
    assert all(told in listed for told in (QUIET, id, own.account, NEVER[0], "active"))
    assert secret not in listed
    rotated = own("rotate", id)
    assert rotated.out.startswith("whsec_")
    assert "the old secret signs 86400 seconds more" in rotated.out
    assert "disabled by its owner" in own("change", id, "--disable").out
    assert "disabled by its owner" in own("list").out
    assert own("log", id).err == "there is nothing in it\n"
    assert own("replay", id).err.startswith("chatloom: this webhook is disabled")
    assert own("change", id, "--enable").code == 0
    assert own("replay", id).out.startswith("0 events are sent again")
    assert own("remove", id).out == f"removed {QUIET} ({id})\n"
    assert own("list").err == "no events are told anywhere\n"


@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
def test_what_others_wrote_is_no_word_to_a_terminal(served: Own, as_json: bool) -> None:
    told = "\x1b[2J\x9b2J\u202eabc\u2028\x7f\U000e0041 [red]é💌"
    address = f"{QUIET}/:bomb:/[red]"
    made = served.add(address, "--description", told)
    assert made["description"] == told
    listed = served("list", *["--json"] * as_json).out
    assert listed.replace("\n", "").isprintable()
    assert address in listed


def test_a_ping_tells_what_became_of_it(served: Own) -> None:
    with receiving(TAKEN, BROKEN) as receiver:
        made = served.add(receiver.url)
        taken = served("ping", made["id"], "--wait", "60")
        assert (taken.code, taken.err) == (0, "")
        assert all(told in taken.out for told in ("delivered", "webhook.ping", "204"))
        broken = served("ping", made["id"], "--wait", "60", "--json")
        assert broken.code == 1
        delivery = broken.json["delivery"]
        assert (delivery["state"], delivery["attempts"][0]["status"]) == ("waiting", 500)
        assert [one.type for one in receiver.wait(2)] == ["webhook.ping"] * 2
        for one in receiver.got:
            one.verified(made["secret"])


def test_a_ping_that_reaches_nobody_says_why(served: Own) -> None:
    with receiving() as receiver:
        made = served.add(receiver.url)
    run = served("ping", made["id"], "--wait", "60")
    assert run.code == 1
    assert "no connection to the host came about" in run.out
    assert "next attempt at " in run.out


def test_the_log_tells_each_attempt_and_what_failed_is_replayed(served: Own) -> None:
    with receiving(BROKEN, BROKEN) as receiver:
        made = served.add(receiver.url)
        id = made["id"]
        event = served("ping", id, "--wait", "60", "--json").json["event_id"]
        log = served("log", id)
        head, named, attempt, later = log.out.splitlines()
        assert head.split()[2:] == ["waiting", "webhook.ping"]
        assert named.strip() == event
        assert attempt.split()[0] == "1"
        assert attempt.endswith("it answered 500: out of order")
        assert later.strip().startswith("next attempt at ")
        for filtered in (["--state", "failed"], ["--event", "nothing"]):
            assert served("log", id, *filtered).err == "there is nothing in it\n"
        assert served.done("replay", id) == {"count": 0}
        assert served("replay", id, "--event", event).out == "1 event is sent again\n"
        receiver.wait(2)
        served.done("change", id, "--disable")  # so what waits is missed
        served.done("change", id, "--enable")
        missed = served("log", id, "--state", "missed", "--event", event, "--json").json
        assert [one["event_id"] for one in missed["deliveries"]] == [event]
        assert served.done("replay", id, "--since", "2999-01-01") == {"count": 0}
        assert served.done("replay", id, "--until", "2000-01-01T00:00:00Z") == {"count": 0}
        assert served.done("replay", id, "--state", "failed") == {"count": 0}
        assert served.done("replay", id, "--since", "2000-01-01") == {"count": 1}
        (_, _, got) = receiver.wait(3)
        assert got.id == event


def test_what_is_sent_while_no_server_runs_waits_for_one(
    shell: Shell, serve: Callable[..., Live]
) -> None:
    account = shell("keys", "create", "one", "--json").json["account_id"]
    settings = shell.folder / "own.toml"
    settings.write_text(CONFIG)
    own = Own(shell, account)
    with receiving() as receiver:
        made = own.add(receiver.url, "--config", str(settings))
        run = own("ping", made["id"])
        assert run.code == 0
        assert "is sent when one starts" in run.out
        told = own("ping", made["id"], "--json").json
        assert told["delivery"] is None
        assert len(own.done("log", made["id"])["deliveries"]) == 2
        one = own("log", made["id"], "--limit", "1")
        assert (one.out.split()[2], one.err) == ("waiting", "there are more; see --limit\n")
        serve(database=shell.database, dev=False, config=CONFIG)
        ids = {got.id for got in receiver.wait(2)}
    assert told["event_id"] in ids


def test_of_several_accounts_one_is_named(shell: Shell) -> None:
    ids = [shell("keys", "create", name, "--json").json["account_id"] for name in ("a", "b")]
    run = shell("webhooks", "add", QUIET, "--event", "*")
    assert run.code == 1
    assert all(id in run.err for id in ids)
    assert shell("webhooks", "add", QUIET, "--event", "*", "--account", ids[0]).code == 0
    counts = [
        len(shell("webhooks", "list", "--account", id, "--json").json["webhooks"]) for id in ids
    ]
    assert counts == [1, 0]
    unknown = shell("webhooks", "list", "--account", "nobody")
    assert (unknown.code, "account not found" in unknown.err) == (1, True)


WRONG: list[tuple[list[str], int, str]] = [
    (["add", "http://example.com", "--event", "*"], 1, "https:// addresses only"),
    (["add", "https://10.0.0.1", "--event", "*"], 1, "no public address"),
    (["add", "https://canary:canary@a.example", "--event", "*"], 1, "user name or password"),
    (["add", QUIET, "--event", "chat.massage"], 1, "no event 'chat.massage'"),
    (["add", QUIET, "--event", "*", "--event", "*"], 1, "named once"),
    (["add", QUIET], 2, "--event"),
    (["add", QUIET, "--event", "*", "--description", "d" * 201], 1, "description"),
    (["log", "nothing"], 1, "webhook not found"),
    (["log", ""], 1, "webhook not found"),
    (["log", ".."], 1, "webhook not found"),
    (["ping", "nothing"], 1, "webhook not found"),
    (["remove", "nothing"], 1, "webhook not found"),
    (["change", "nothing", "--enable"], 1, "webhook not found"),
    (["rotate", "nothing", "--overlap", "-1"], 1, "overlap_seconds"),
    (["log", "nothing", "--state", "lost"], 1, "state"),
    (["log", "nothing", "--limit", "0"], 1, "limit"),
    (["replay", "nothing", "--state", "waiting"], 1, "states"),
    (["replay", "nothing", "--since", "yesterday"], 2, "is no time"),
]


def test_what_cannot_be_says_why_and_keeps_nothing(
    shell: Shell, serve: Callable[..., Live]
) -> None:
    account = shell("keys", "create", "somebody's", "--json").json["account_id"]
    for is_served in (False, True):
        if is_served:
            serve(database=shell.database, dev=False)
        for arguments, code, reason in WRONG:
            whose = ["--account", account] if arguments[0] == "add" else []
            run = shell("webhooks", *arguments, *whose)
            assert (run.code, run.out) == (code, ""), run
            assert reason in run.err, run.err
            assert "canary" not in run.err
        connection = sqlite3.connect(shell.database)
        kept = connection.execute("SELECT count(*) FROM webhook").fetchone()
        acts = connection.execute("SELECT count(*) FROM audit WHERE action LIKE 'webhook.%'")
        assert (kept, acts.fetchone()) == ((0,), (0,))
        connection.close()


def test_without_a_database_nothing_is_made(shell: Shell) -> None:
    assert shell("webhooks", "add", QUIET, "--event", "*").code == 1
    assert not shell.database.exists()
