"""What a known key was refused is in the audit log, and not as often as it asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from chatloom.server.identity import refusals
from chatloom.server.identity.refusals import AGAIN_AFTER, Refusals
from chatloom.server.refusal import Kind, Refusal
from chatloom.server.store.administration import Deed
from chatloom.server.store.keys import Key
from chatloom.server.store.sqlite import SQLiteStore
from support.keys import heir, new_key, secret
from support.live import Live

FIRST, SECOND = "GET /v1/models", "POST /v1/messages"


def key(id: str) -> Key:
    return Key(id=id, account_id="a", name=id, scopes=frozenset(), created_at=1)


def refusal(code: str = "missing_scope", kind: Kind = "forbidden") -> Refusal:
    return Refusal(kind, "no", code=code)


Noted = tuple[float, str, str, Refusal]


def told(noted: Sequence[Noted]) -> list[Deed]:
    """What the log says of refusals: the moment, the key, the address, and why."""

    async def note() -> list[Deed]:
        store, moments = SQLiteStore(None), [0.0]
        noting = Refusals(store, lambda: moments[-1])
        for moment, id, address, why in noted:
            moments.append(moment)
            noting.note(key(id), address, why)
        await noting.close()
        entries = await store.audit(limit=200, offset=0)
        await store.close()
        return [one.deed for one in reversed(entries)]

    return asyncio.run(note())


def test_a_refusal_is_told_once_in_a_while() -> None:
    moments = (0.0, 1.0, AGAIN_AFTER - 1, AGAIN_AFTER, AGAIN_AFTER + 1, 2 * AGAIN_AFTER)
    deeds = told([(moment, "k", FIRST, refusal()) for moment in moments])
    assert [one.actor for one in deeds] == ["k", "k", "k"]
    assert deeds[0] == Deed(
        actor="k",
        action="refused",
        resource="route",
        resource_id=FIRST,
        account_id="a",
        detail={"code": "missing_scope"},
    )


def test_other_keys_addresses_and_reasons_are_told_apart() -> None:
    noted: list[Noted] = [
        (0, "k", FIRST, refusal()),
        (0, "another", FIRST, refusal()),
        (0, "k", SECOND, refusal()),
        (0, "k", FIRST, refusal("route_not_allowed")),
        (0, "k", FIRST, refusal()),
    ]
    assert len(told(noted)) == 4


@pytest.mark.parametrize("kind", ["invalid", "not_found", "rate_limited", "over_budget"])
def test_what_everybody_may_meet_is_not_told(kind: Kind) -> None:
    assert told([(0, "k", FIRST, refusal(kind=kind))]) == []


def test_no_more_is_remembered_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_REMEMBERED", 3)
    noted: list[Noted] = [(0, str(number), FIRST, refusal()) for number in range(5)]
    assert [one.actor for one in told([*noted, *noted[-3:]])] == ["0", "1", "2", "3", "4"]


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


def log(server: Live, actor: str) -> list[tuple[str, str, str]]:
    """What a key was refused, once it is written: nobody's answer waits for that."""
    for _ in range(100):
        found = server.rows(
            "SELECT resource_id, detail, account_id FROM audit"
            " WHERE actor = ? AND action = 'refused' ORDER BY id",
            actor,
        )
        if found:
            return [(row[0], row[1], row[2]) for row in found]
        time.sleep(0.02)
    return []


def test_what_a_key_tries_beyond_its_scope_is_in_the_log(server: Live) -> None:
    made = new_key(server, scopes=["chat"])
    for _ in range(5):
        assert server.call("GET", "/admin/keys", key=made["secret"]).status == 403
    assert log(server, made["id"]) == [
        ("GET /admin/keys", '{"code":"missing_scope"}', made["account_id"])
    ]


def test_what_is_asked_for_a_descendant_in_vain_is_in_the_log(server: Live) -> None:
    made = new_key(server, models=["loom/echo"])
    wanted = {"name": "more", "models": ["*"]}
    assert server.call("POST", "/v1/keys", wanted, key=made["secret"]).status == 403
    assert log(server, made["id"]) == [
        ("POST /v1/keys", '{"code":"beyond_parent"}', made["account_id"])
    ]


def test_what_is_done_is_in_the_log_with_who_did_it(server: Live) -> None:
    root = new_key(server, "root")
    made = heir(server, root["secret"], scopes=["models"], budget="1")
    path = f"/v1/keys/{made['id']}"
    assert server.call("POST", f"{path}/rotate", {}, key=root["secret"]).status == 200
    assert server.call("DELETE", path, key=root["secret"]).status == 200
    platform = secret(server, scopes=["platform"])
    page = server.call("GET", "/api/v1/platform/audit?limit=50", key=platform)
    done = [one for one in page.json["entries"] if one["user_id"] == root["id"]]
    assert [(one["action"], one["resource_id"]) for one in reversed(done)] == [
        ("key.created", made["id"]),
        ("budget.set", made["id"]),
        ("key.rotated", made["id"]),
        ("key.revoked", made["id"]),
    ]
    assert made["secret"] not in page.body.decode()
