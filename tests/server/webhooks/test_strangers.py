"""Nobody sees, tries, turns or ends another's webhook, whatever ids they know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatloom.server.ids import new_id
from support.hooks import Owner
from support.keys import heir, new_key
from support.live import Live

POWERS = ["chat", "keys"]


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


@pytest.fixture(scope="module")
def keys(server: Live) -> dict[str, str]:
    """Keys of one account, and one of another."""
    root = new_key(server)["secret"]

    def below(**fields: object) -> str:
        return str(heir(server, root, scopes=POWERS, **fields)["secret"])

    return {
        "root": root,
        "sibling": below(expires_in_days=9),
        "ann": below(user="ann"),
        "ben": below(user="ben"),
        "acme": below(organization="acme"),
        "initech": below(organization="initech"),
        "ann at acme": below(user="ann", organization="acme"),
        "other": new_key(server)["secret"],
    }


@pytest.fixture(scope="module")
def made(server: Live, keys: dict[str, str]) -> dict[str, Any]:
    """A webhook that each key made."""
    return {name: Owner(server, key).make() for name, key in keys.items()}


ANN = {"ann", "ann at acme"}
ACME = {"acme", "ann at acme"}
ACCOUNT = {"root", "sibling", "ann", "ben", "acme", "initech", "ann at acme"}
SEES = {
    "root": ACCOUNT,
    "sibling": ACCOUNT,
    "ann": ANN,
    "ben": {"ben"},
    "acme": ACME,
    "initech": {"initech"},
    "ann at acme": {"ann at acme"},
    "other": {"other"},
}
"""Whose webhooks a key sees."""

ACTS: list[tuple[str, str, object]] = [
    ("GET", "/{}", None),
    ("PATCH", "/{}", {"url": "https://taken.example.net/"}),
    ("PATCH", "/{}", {"active": False}),
    ("PATCH", "/{}", {}),
    ("POST", "/{}/rotate", {}),
    ("POST", "/{}/ping", None),
    ("POST", "/{}/replay", {}),
    ("GET", "/{}/deliveries", None),
    ("DELETE", "/{}", None),
]


def test_a_webhook_belongs_to_whom_its_key_belongs_to(made: dict[str, Any]) -> None:
    told = {name: (one["user"], one["organization"]) for name, one in made.items()}
    assert told == {
        **dict.fromkeys(("root", "sibling", "other"), (None, None)),
        "ann": ("ann", None),
        "ben": ("ben", None),
        "acme": (None, "acme"),
        "initech": (None, "initech"),
        "ann at acme": ("ann", "acme"),
    }


@pytest.mark.parametrize("name", SEES)
@pytest.mark.parametrize("path", ["/v1/webhooks", "/api/webhooks"])
def test_a_list_holds_ones_own(
    server: Live, keys: dict[str, str], made: dict[str, Any], name: str, path: str
) -> None:
    ids = Owner(server, keys[name], path).ids()
    assert {other for other, one in made.items() if one["id"] in ids} == SEES[name]
    assert len(ids) == len(SEES[name])


@pytest.mark.parametrize("name", SEES)
def test_anothers_ids_are_as_if_they_were_not_there(
    server: Live, keys: dict[str, str], made: dict[str, Any], name: str
) -> None:
    owner, through = Owner(server, keys[name]), Owner(server, keys[name], "/api/webhooks")
    before = server.dump()
    for theirs in set(SEES) - SEES[name]:
        id = made[theirs]["id"]
        for method, below, body in ACTS:
            absent = owner.call(method, below.format(new_id()), body)
            foreign = owner.call(method, below.format(id), body)
            assert (foreign.status, foreign.body) == (404, absent.body)
        foreign = through.call("DELETE", f"?id={id}")
        assert (foreign.status, foreign.body) == (404, through.call("DELETE", "?id=x").body)
    assert server.dump() == before
    for own in SEES[name]:
        assert owner.told("GET", f"/{made[own]['id']}")["id"] == made[own]["id"]


def test_an_idempotency_key_is_shared_with_nobody_else(server: Live, keys: dict[str, str]) -> None:
    wanted = {"url": "https://example.org/", "events": ["subscription.cancelled"]}
    named = {"Idempotency-Key": "the same"}
    ids: set[str] = set()
    names = ("root", "ann", "ben", "acme", "initech", "ann at acme", "other")
    for name in names:
        owner = Owner(server, keys[name])
        answer = owner.call("POST", "", wanted, named)
        assert answer.status == 201
        ids.add(answer.json["id"])
        owner.told("DELETE", f"/{answer.json['id']}")
    assert len(ids) == len(names)


def test_a_webhook_is_turned_only_by_keys_that_it_ends_with(
    server: Live, keys: dict[str, str], made: dict[str, Any]
) -> None:
    by_command = Owner(server, server.token(), "/admin/webhooks").make(
        account_id=made["root"]["account_id"]
    )
    turning: list[tuple[str, str, object]] = [
        ("PATCH", "", {"url": "https://taken.example.net/"}),
        ("PATCH", "", {"events": ["*"]}),
        ("POST", "/rotate", {}),
    ]
    kept = [server.rows(f"SELECT * FROM {one}") for one in ("webhook", "webhook_secret")]
    for one in (made["root"], by_command):
        for method, below, body in turning:
            answer = Owner(server, keys["sibling"]).call(method, f"/{one['id']}{below}", body)
            assert (answer.status, answer.error["code"]) == (403, "webhook_of_other_key")
    assert kept == [server.rows(f"SELECT * FROM {one}") for one in ("webhook", "webhook_secret")]
    own = Owner(server, keys["sibling"]).make()
    for name in ("root", "sibling"):
        for method, below, body in turning:
            Owner(server, keys[name]).told(method, f"/{own['id']}{below}", body)
    for name, one in (("sibling", by_command), ("root", own)):
        Owner(server, keys[name]).told("DELETE", f"/{one['id']}")


def test_commands_reach_everybodys(server: Live, made: dict[str, Any]) -> None:
    commands = Owner(server, server.token(), "/admin/webhooks")
    assert set(commands.ids()) == {one["id"] for one in made.values()}
    account = made["other"]["account_id"]
    of_one = commands.told("GET", f"?account_id={account}")["webhooks"]
    assert [one["id"] for one in of_one] == [made["other"]["id"]]
    assert commands.call("GET", "?account_id=nobody").status == 404
    for one in made.values():
        assert commands.told("GET", f"/{one['id']}")["id"] == one["id"]
    new = commands.make(account_id=account)
    assert (new["account_id"], new["user"], new["organization"]) == (account, None, None)
    assert commands.told("PATCH", f"/{new['id']}", {"events": ["*"]})["events"] == ["*"]
    assert commands.told("POST", f"/{new['id']}/rotate")["secret"] != new["secret"]
    commands.told("DELETE", f"/{new['id']}")
    several = commands.call("POST", "", {"url": "https://example.org/", "events": ["*"]})
    assert (several.status, several.error["param"]) == (400, "account_id")
    rows = server.rows(
        "SELECT DISTINCT actor, account_id FROM audit WHERE resource_id = ?", new["id"]
    )
    assert rows == [("cli", account)]
