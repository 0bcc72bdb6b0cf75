"""The platform's administration: statistics, administrators, the audit log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from support.http import Answer
from support.keys import new_key, secret
from support.live import Live


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


def ask(server: Live, path: str, method: str = "GET", body: object = None) -> Answer:
    return server.call(method, f"/api/v1/platform/{path}", body, key=server.admin_key)


def add(server: Live, email: str, **fields: object) -> Answer:
    return ask(server, "admins", "POST", {"workos_id": "w1", "email": email, **fields})


def remove(server: Live, email: str) -> Answer:
    return ask(server, f"admins/{quote(email, safe='')}", "DELETE")


def admins(server: Live) -> list[str]:
    told = ask(server, "admins").json
    assert told["count"] == len(told["admins"])
    return [one["email"] for one in told["admins"]]


def test_statistics_count_who_asked_and_what_it_took(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    assert ask(server, "stats").json == {
        **dict.fromkeys(("total_users", "active_users", "total_organizations"), 0),
        **dict.fromkeys(("total_requests", "requests_today", "total_tokens"), 0),
        **dict.fromkeys(("tokens_today", "total_mcp_servers"), 0),
        "system_health": {"status": "healthy", "circuit_breaker_status": None, "active_agents": []},
    }
    named, nameless = secret(server), secret(server)
    answers = [
        server.complete("Hello!", key=key, user=user, metadata={"organization_id": organization})
        for key, user, organization in (
            (named, "ann", "north"),
            (named, "bob", "south"),
            (named, "ann", "north"),
            (nameless, None, ""),
        )
    ]
    server.complete("Hello!", key=named, user="ann", model="loom/scribe?429=1")
    stats = ask(server, "stats").json
    tokens = sum(answer.json["usage"]["total_tokens"] for answer in answers)
    assert (stats["total_users"], stats["active_users"]) == (3, 3)
    assert stats["total_organizations"] == 2
    assert stats["total_requests"] == stats["requests_today"] == 5
    assert stats["total_tokens"] == stats["tokens_today"] == tokens


EMAILS = [
    *("ann@example.org", "a+b@example.org", "a/b@example.org", "a%2Fb@example.org"),
    *("ä.ö@example.org", "a?b#c@example.org", "..@x"),
]


@pytest.mark.parametrize("email", EMAILS)
def test_an_administrator_is_added_and_removed(server: Live, email: str) -> None:
    added = add(server, email, name="Somebody")
    assert (added.status, added.json) == (201, {"status": "success", "email": email})
    assert email in admins(server)
    removed = remove(server, email)
    assert (removed.status, removed.json) == (200, {"status": "success", "email": email})
    assert email not in admins(server)
    assert remove(server, email).status == 404


def test_one_who_is_added_again_is_changed(server: Live) -> None:
    add(server, "twice@example.org", name="First")
    (before,) = ask(server, "admins").json["admins"]
    assert add(server, "TWICE@example.org", name="Second", workos_id="w2").status == 201
    (after,) = ask(server, "admins").json["admins"]
    assert after == {**before, "name": "Second", "workos_id": "w2"}
    assert after["created_by"]
    remove(server, "twice@example.org")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "two@at@signs"}, "email"),
        ({"email": "line@example.org\n"}, "email"),
        ({"email": "a@" + "x" * 320}, "email"),
        ({"email": ""}, "email"),
        ({"workos_id": ""}, "workos_id"),
        ({"workos_id": 7}, "workos_id"),
        ({"name": "x" * 300}, "name"),
    ],
)
def test_nobody_is_added_by_a_senseless_request(
    server: Live, fields: dict[str, Any], param: str
) -> None:
    before = admins(server)
    refused = ask(server, "admins", "POST", {"workos_id": "w", "email": "a@b", **fields})
    assert (refused.status, refused.error["param"]) == (400, param)
    assert admins(server) == before


def test_what_is_missing_is_named(server: Live) -> None:
    refused = ask(server, "admins", "POST", {"email": "a@b"})
    assert (refused.status, refused.error["param"]) == (400, "workos_id")


def newest(server: Live, count: int = 1) -> list[Any]:
    entries: list[Any] = ask(server, f"audit?limit={count}").json["entries"]
    return entries


def test_every_administrative_act_is_told(server: Live) -> None:
    key = new_key(server, "audited", budget="1.5")
    server.call("POST", f"/admin/keys/{key['id']}/rotate", {}, key=server.admin_key)
    budget = {"concern": "account", "subject": key["account_id"], "usd": "2"}
    server.call("PUT", "/admin/budgets", budget, key=server.admin_key)
    query = f"concern=account&subject={key['account_id']}"
    server.call("DELETE", f"/admin/budgets?{query}", key=server.admin_key)
    path = f"/admin/accounts/{key['account_id']}"
    server.call("PATCH", path, {"tier": None}, key=server.admin_key)
    server.call("DELETE", f"/admin/keys/{key['id']}", key=server.admin_key)
    add(server, "told@example.org")
    remove(server, "told@example.org")
    entries = newest(server, 9)[::-1]
    assert [one["action"] for one in entries] == [
        "key.created",
        "budget.set",
        "key.rotated",
        "budget.set",
        "budget.lifted",
        "account.changed",
        "key.revoked",
        "admin.added",
        "admin.removed",
    ]
    assert [one["resource"] for one in entries] == [
        one["action"].partition(".")[0] for one in entries
    ]
    assert entries[0]["resource_id"] == entries[2]["resource_id"] == key["id"]
    assert {entries[at]["org_id"] for at in (0, 2, 6)} == {key["account_id"]}
    assert len({one["user_id"] for one in entries}) == 1
    assert all(one["timestamp"].endswith("Z") and one["metadata"]["hash"] for one in entries)
    assert key["secret"] not in str(entries)


def test_pages_of_the_log_are_its_newest_entries_first(server: Live) -> None:
    for number in range(4):
        add(server, f"page{number}@example.org")
    whole = ask(server, "audit?limit=4").json
    assert (whole["count"], whole["limit"], whole["offset"]) == (4, 4, 0)
    assert [one["resource_id"][:5] for one in whole["entries"]] == [
        "page3",
        "page2",
        "page1",
        "page0",
    ]
    assert ask(server, "audit?limit=2&offset=2").json["entries"] == whole["entries"][2:]
    assert ask(server, "audit?offset=100000").json == {
        "entries": [],
        "count": 0,
        "limit": 50,
        "offset": 100000,
    }


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=", "offset=-1"])
def test_a_page_out_of_range_is_refused(server: Live, query: str) -> None:
    answer = ask(server, f"audit?{query}")
    assert (answer.status, answer.error["param"]) == (400, query.partition("=")[0])


def test_what_a_known_key_is_refused_is_told_once_a_minute(server: Live) -> None:
    key = new_key(server, "curious")
    for _ in range(3):
        assert server.call("GET", "/admin/keys", key=key["secret"]).status == 403
    deadline = time.monotonic() + 5
    while newest(server)[0]["user_id"] != key["id"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    told = [one for one in newest(server, 200) if one["user_id"] == key["id"]]
    assert [(one["action"], one["resource_id"]) for one in told] == [("refused", "GET /admin/keys")]
    assert told[0]["metadata"]["code"] == "missing_scope"


def test_a_platform_key_of_somebody_works_while_they_are_an_administrator(server: Live) -> None:
    key = secret(server, "hers", scopes=["platform"], user="ann@example.org")

    def status() -> int:
        return server.call("GET", "/api/v1/platform/stats", key=key).status

    assert status() == 403
    add(server, "Ann@Example.org")
    assert status() == 200
    remove(server, "ann@example.org")
    assert status() == 403


def test_the_platform_needs_its_scope(server: Live) -> None:
    key = secret(server, scopes=["chat", "models", "keys", "admin"])
    answer = server.call("GET", "/api/v1/platform/stats", key=key)
    assert (answer.status, answer.error["code"]) == (403, "missing_scope")
    assert answer.json["detail"] == answer.error["message"]
