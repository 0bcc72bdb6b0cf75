"""``chatloom budgets``, and a key's own, at the file and at the server that has it open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatloom.wire.chatloom import Money
from support.commands import Shell
from support.live import Live

AMOUNTS = {
    "5": (5 * 10**12, "5.0", "$5"),
    "0.25": (25 * 10**10, "0.25", "$0.25"),
    "0": (0, "0.0", "$0"),
    "007.50": (75 * 10**11, "7.5", "$7.50"),
    "0.1": (10**11, "0.1", "$0.10"),
    "0.000000000001": (1, "0.000000000001", "$0.000000000001"),
    "999999.999999999999": (10**18 - 1, "999999.999999999999", "$999,999.999999999999"),
}
"""What is written, and what it is in pico-dollars, on the wire, and for people."""

NONSENSE = ["", "five", "1e3", "1,5", "$5", "+5", " 5", ".5", "5.", "1_000", "٣", "nan", "inf"]
TOO_MUCH = ["1000000", "0.0000000000001", "99999999"]


@pytest.fixture
def key(shell: Shell) -> Any:
    """A key of an account of its own."""
    return shell("keys", "create", "limited", "--json").json


def test_an_amount_is_exact(shell: Shell, key: Any) -> None:
    for text, (picodollars, usd, words) in AMOUNTS.items():
        told = shell("budgets", "set", text, "--key", key["id"], "--json").json
        assert told["amount"] == {"picodollars": picodollars, "usd": usd}
        assert (
            f"limited to {words}, {words} left"
            in shell("budgets", "set", text, "--key", key["id"]).out
        )


@pytest.mark.parametrize("text", [*NONSENSE, *TOO_MUCH])
def test_what_is_no_amount_is_refused(shell: Shell, key: Any, text: str) -> None:
    for command in (
        ["budgets", "set", text, "--key", key["id"]],
        ["keys", "create", "a", "--budget", text],
    ):
        run = shell(*command)
        assert (run.code, run.out) == (2, "")
        assert "is no amount" in run.err


def test_a_negative_amount_is_refused(shell: Shell, key: Any) -> None:
    assert shell("budgets", "set", "--key", key["id"], "--", "-5").code == 2
    assert shell("keys", "create", "a", "--budget", "-5").code == 2
    assert shell("budgets", "list", "--json").json == {"budgets": []}


def test_each_concern_has_a_budget_of_its_own(shell: Shell, key: Any) -> None:
    account = key["account_id"]
    wanted = {
        "account": ["--account", account],
        "end_user": ["--end-user", f"{account}/anna/b"],
        "end_users": ["--end-users", account],
        "key": ["--key", key["id"]],
        "organization": ["--organization", f"{account}/north"],
    }
    for number, whose in enumerate(wanted.values(), 1):
        assert shell("budgets", "set", str(number), *whose).code == 0
    listed = shell("budgets", "list", "--json").json["budgets"]
    assert {one["concern"]: one["subject"] for one in listed} == {
        concern: whose[1] for concern, whose in wanted.items()
    }
    left = [one["left"] and one["left"]["usd"] for one in listed]
    assert left == ["1.0", "2.0", None, "4.0", "5.0"]
    assert "each end user of" in shell("budgets", "list").out
    for whose in wanted.values():
        assert shell("budgets", "remove", *whose).code == 0
    assert shell("budgets", "list", "--json").json == {"budgets": []}


WRONG: list[tuple[list[str], int, str]] = [
    (["set", "5", "--account", "nobody"], 1, "no such account"),
    (["set", "5", "--end-users", "nobody"], 1, "no such account"),
    (["set", "5", "--end-user", "nobody/anna"], 1, "no such account"),
    (["set", "5", "--end-user", "anna"], 1, "ACCOUNT/NAME"),
    (["set", "5", "--end-user", "anna/"], 1, "ACCOUNT/NAME"),
    (["set", "5", "--account", "a/b"], 1, "ACCOUNT/NAME"),
    (["set", "5", "--account", ""], 1, "subject"),
    (["set", "5", "--account", "a/"], 1, "ACCOUNT/NAME"),
    (["set", "5", "--end-users", "a/"], 1, "ACCOUNT/NAME"),
    (["set", "5", "--end-user", "/anna"], 1, "ACCOUNT/NAME"),
    (["set", "5", "--key", "nothing"], 1, "no key with the id 'nothing'"),
    (["remove", "--key", "nothing"], 1, "budget not found"),
    (["set", "5"], 2, "give one of"),
    (["set", "5", "--key", "a", "--account", "b"], 2, "give one of"),
    (["remove"], 2, "give one of"),
    (["set", "--key", "a"], 2, "Missing argument"),
]


@pytest.mark.parametrize(("arguments", "code", "reason"), WRONG)
def test_what_cannot_be_says_why(
    shell: Shell, arguments: list[str], code: int, reason: str
) -> None:
    shell("keys", "create", "somebody's")
    run = shell("budgets", *arguments)
    assert (run.code, run.out) == (code, "")
    assert reason in run.err


def test_a_key_is_made_with_a_budget_and_keeps_running(shell: Shell, key: Any) -> None:
    options = ["--budget", "2.5", "--keep-running", "--json"]
    made = shell("keys", "create", "limited", *options).json
    assert (made["unread"], made["budget"]["left"]["usd"]) == ("run", "2.5")
    listed = shell("keys", "list", "--json").json["keys"]
    assert [one["unread"] for one in listed] == ["run", "cancel"]
    assert [one.get("budget", {}).get("subject") for one in listed] == [made["id"], None]
    table = shell("keys", "list").out
    assert "$2.50 of $2.50" in table
    assert "run on" in table
    assert shell("keys", "rotate", made["id"], "--json").json["budget"] == made["budget"]


def test_a_running_server_does_the_same(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    shell = Shell(server.database.parent)
    options = ["--budget", "0.000001", "--keep-running", "--json"]
    key = shell("keys", "create", "poor", *options).json
    assert (key["unread"], key["budget"]["amount"]["picodollars"]) == ("run", 10**6)
    refused = server.complete("Hello!", key=key["secret"])
    assert (refused.status, refused.error["code"]) == (402, "budget_exceeded")
    assert shell("budgets", "set", "1", "--key", key["id"]).code == 0
    assert server.complete("Hello!", key=key["secret"]).status == 200
    (budget,) = shell("budgets", "list", "--json").json["budgets"]
    assert budget["spent"]["picodollars"] > 0
    assert budget["left"]["picodollars"] == 10**12 - budget["spent"]["picodollars"]
    assert shell("budgets", "remove", "--key", key["id"]).code == 0
    again = shell("budgets", "remove", "--key", key["id"])
    assert (again.code, "budget not found" in again.err) == (1, True)


@pytest.mark.parametrize("usd", [5, 0.25, None, "-1", "1e3", ""])
def test_the_wire_takes_amounts_as_text_alone(serve: Callable[..., Live], usd: object) -> None:
    server = serve(dev=False)
    body = {"concern": "account", "subject": "a", "usd": usd}
    answer = server.call("PUT", "/admin/budgets", body, key=server.admin_key)
    assert (answer.status, answer.error["param"]) == (400, "usd")


def test_an_overdrawn_budget_is_told_as_such() -> None:
    assert str(Money.of(-12_345 * 10**11)) == "-$1,234.50"
