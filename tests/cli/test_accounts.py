"""``chatloom accounts``, at the file and at the server that has it open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.commands import Shell
from support.live import Live

CONFIG = """
default_tier = "free"
[tiers.free]
credits = 5
[tiers.pro]
"""


@pytest.fixture
def options(shell: Shell) -> list[str]:
    path = shell.folder / "tiers.toml"
    path.write_text(CONFIG)
    return ["--config", str(path)]


@pytest.fixture
def key(shell: Shell) -> Any:
    return shell("keys", "create", "website", "--json").json


def test_an_account_is_put_into_a_tier_and_out_of_it(
    shell: Shell, options: list[str], key: Any
) -> None:
    (listed,) = shell("accounts", "list", *options, "--json").json["accounts"]
    assert (listed["id"], listed["name"], listed["tier"]) == (key["account_id"], "website", "free")
    changed = shell("accounts", "tier", key["account_id"], "pro", *options, "--json").json
    assert changed == {**listed, "tier": "pro"}
    told = shell("accounts", "list", *options)
    assert (told.code, "pro" in told.out, key["account_id"] in told.out) == (0, True, True)
    back = shell("accounts", "tier", key["account_id"], *options)
    assert back.out == f"website ({key['account_id']}) is in free\n"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [(["nobody", "pro"], "account not found"), (["ID", "gold"], "there are free, pro")],
)
def test_what_cannot_be_says_why(
    shell: Shell, options: list[str], key: Any, arguments: list[str], why: str
) -> None:
    given = [key["account_id"] if one == "ID" else one for one in arguments]
    run = shell("accounts", "tier", *given, *options)
    assert (run.code, why in run.err) == (1, True)
    assert shell("accounts", "list", *options, "--json").json["accounts"][0]["tier"] == "free"


def test_a_running_server_does_the_same_at_once(serve: Callable[..., Live]) -> None:
    server = serve(dev=False, config=CONFIG)
    shell = Shell(server.database.parent)
    database = ["--db", str(server.database)]
    key = shell("keys", "create", "website", "--json", *database).json

    def tier() -> str:
        told = server.call("GET", "/v1/credits/balance", key=key["secret"]).json
        return str(told["tier"])

    assert tier() == "free"
    assert shell("accounts", "tier", key["account_id"], "pro", *database).code == 0
    assert tier() == "pro"
    refused = shell("accounts", "tier", key["account_id"], "gold", *database)
    assert (refused.code, "there are free, pro" in refused.err) == (1, True)


def test_a_key_is_made_with_every_limit(shell: Shell) -> None:
    limits = ["--user", "anna", "--organization", "north", "--per-minute", "60"]
    limits += ["--route", "/v1/chat/*", "--route", "GET /v1/models"]
    key = shell("keys", "create", "anna's", *limits, "--json").json
    assert (key["user"], key["organization"]) == ("anna", "north")
    assert (key["requests_per_minute"], key["burst"]) == (60, 10)
    assert key["routes"] == ["/v1/chat/*", "GET /v1/models"]
