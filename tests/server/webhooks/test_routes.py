"""Webhooks made, listed, changed, rotated, pinged, replayed and removed, over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from chatloom.webhooks import WebhookVerificationError
from support.hooks import NEVER, QUIET, Owner
from support.keys import heir, new_key, secret
from support.live import Live
from support.receivers import BROKEN, receiving

SHOWN = {
    *("id", "account_id", "url", "events", "description", "user", "organization", "active"),
    *("disabled_at", "disabled_because", "created_at", "updated_at", "last_triggered_at"),
    *("last_delivered_at", "failures"),
}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    """One whose webhooks are tried again at once, and then given up."""
    return serve(config="[webhooks]\nschedule = [0]\n")


@pytest.fixture
def owner(server: Live) -> Owner:
    return Owner(server, f"owner-{uuid.uuid4().hex}")


@pytest.fixture(scope="module")
def strict(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


def test_a_webhook_is_made_and_its_secret_shown_once(owner: Owner, server: Live) -> None:
    made = owner.make("HTTPS://Hooks.Example.com:443/x?token=canary", description="books")
    assert set(made) == {*SHOWN, "secret"}
    assert made["secret"].startswith("whsec_")
    assert (made["url"], made["events"], made["description"]) == (QUIET, NEVER, "books")
    assert (made["active"], made["failures"], made["last_delivered_at"]) == (True, 0, None)
    rest = {name: value for name, value in made.items() if name != "secret"}
    listed, read = owner.call("GET"), owner.call("GET", f"/{made['id']}")
    assert (listed.json, read.json) == ({"webhooks": [rest]}, rest)
    assert made["secret"] not in (listed.body + read.body).decode()
    assert made["secret"] not in server.log


def test_webhooks_are_listed_the_newest_first(owner: Owner) -> None:
    made = [owner.make()["id"] for _ in range(3)]
    assert owner.ids() == made[::-1]


def test_what_is_left_out_of_a_change_stays(owner: Owner) -> None:
    made = owner.make(description="books")
    place = f"/{made['id']}"
    first = owner.told("PATCH", place, {"url": "https://example.org", "events": ["turn.*", "*"]})
    assert (first["url"], first["events"]) == ("https://example.org/", ["turn.*", "*"])
    assert (first["description"], first["active"]) == ("books", True)
    second = owner.told("PATCH", place, {"description": "", "active": False})
    assert (second["url"], second["events"]) == (first["url"], first["events"])
    assert (second["description"], second["active"]) == ("", False)
    assert second["disabled_because"] == "owner"
    third = owner.told("PATCH", place, {"active": True})
    assert (third["active"], third["disabled_because"], third["disabled_at"]) == (True, None, None)
    assert owner.told("PATCH", place, {"active": True}) == third
    assert owner.told("PATCH", place, {}) == owner.told("GET", place) == third


def test_a_removed_webhook_is_not_there(owner: Owner) -> None:
    made = owner.make()
    place = f"/{made['id']}"
    assert owner.told("DELETE", place)["id"] == made["id"]
    assert owner.ids() == []
    for method, below in (("GET", ""), ("DELETE", ""), ("PATCH", ""), ("GET", "/deliveries")):
        assert owner.call(method, place + below).status == 404


def test_a_ping_arrives_signed_and_is_in_the_log(owner: Owner) -> None:
    with receiving() as receiver:
        made = owner.make(receiver.url)
        event = owner.told("POST", f"/{made['id']}/ping")["event_id"]
        (got,) = receiver.wait(1)
        delivery = owner.attempted(made["id"], event)
    assert got.verified(made["secret"]).type == "webhook.ping"
    assert (got.id, got.data["webhookId"]) == (event, made["id"])
    (attempt,) = delivery["attempts"]
    assert (delivery["state"], delivery["type"]) == ("delivered", "webhook.ping")
    assert (attempt["number"], attempt["status"], attempt["problem"]) == (1, 204, None)
    assert attempt["milliseconds"] >= 0
    told = owner.told("GET", f"/{made['id']}")
    assert told["last_delivered_at"] >= told["last_triggered_at"] >= made["created_at"]


def test_a_rotated_secret_signs_with_the_old_one_for_a_while(owner: Owner) -> None:
    with receiving() as receiver:
        made = owner.make(receiver.url)
        place = f"/{made['id']}"
        newer = owner.told("POST", f"{place}/rotate")["secret"]
        owner.told("POST", f"{place}/ping")
        (both,) = receiver.wait(1)
        assert both.verified(made["secret"]) == both.verified(newer)
        newest = owner.told("POST", f"{place}/rotate", {"overlap_seconds": 0})["secret"]
        owner.told("POST", f"{place}/ping")
        (_, alone) = receiver.wait(2)
    alone.verified(newest)
    for old in (made["secret"], newer):
        with pytest.raises(WebhookVerificationError):
            alone.verified(old)


def test_only_so_many_secrets_sign_at_once(owner: Owner) -> None:
    place = f"/{owner.make()['id']}/rotate"
    for _ in range(4):
        owner.told("POST", place)
    refused = owner.call("POST", place)
    assert (refused.status, refused.error["code"]) == (409, "too_many_secrets")
    owner.told("POST", place, {"overlap_seconds": 0})
    owner.told("POST", place)


def test_what_failed_is_told_again(owner: Owner) -> None:
    with receiving(BROKEN, BROKEN) as receiver:
        made = owner.make(receiver.url)
        place = f"/{made['id']}"
        event = owner.told("POST", f"{place}/ping")["event_id"]
        assert owner.attempted(made["id"], event, 2)["state"] == "failed"
        failed = owner.told("GET", f"{place}/deliveries?state=failed")["deliveries"]
        assert [one["event_id"] for one in failed] == [event]
        assert owner.told("GET", place)["disabled_because"] == "failing"
        refused = owner.call("POST", f"{place}/replay", {})
        assert (refused.status, refused.error["code"]) == (409, "webhook_disabled")
        owner.told("PATCH", place, {"active": True})
        assert owner.told("POST", f"{place}/replay", {"states": ["missed"]}) == {"count": 0}
        far = {"since": "2999-01-01T00:00:00Z"}
        assert owner.told("POST", f"{place}/replay", far) == {"count": 0}
        assert owner.told("POST", f"{place}/replay", {"event_ids": ["nothing"]}) == {"count": 0}
        assert owner.told("POST", f"{place}/replay") == {"count": 1}
        delivery = owner.attempted(made["id"], event, 3)
        assert [one["status"] for one in delivery["attempts"]] == [500, 500, 204]
        assert delivery["attempts"][0]["response"] == "out of order"
        assert owner.told("POST", f"{place}/replay", {"event_ids": [event]}) == {"count": 1}
        assert {one.id for one in receiver.wait(4)} == {event}


def test_deliveries_come_a_page_at_a_time(owner: Owner) -> None:
    with receiving() as receiver:
        made, other = owner.make(receiver.url), owner.make()
        place = f"/{made['id']}"
        events = [owner.told("POST", f"{place}/ping")["event_id"] for _ in range(5)]
        found: list[str] = []
        cursor, more = "", True
        while more:
            page = owner.told("GET", f"{place}/deliveries?limit=2{cursor}")
            found += [one["event_id"] for one in page["deliveries"]]
            more, cursor = page["has_more"], f"&cursor={page['next_cursor']}"
            if more:
                foreign = owner.call("GET", f"/{other['id']}/deliveries?{cursor}")
                assert (foreign.status, foreign.error["code"]) == (400, "unknown_cursor")
        assert cursor == "&cursor=None"
    assert found == events[::-1]


def test_a_disabled_webhook_is_not_pinged(owner: Owner, server: Live) -> None:
    made = owner.make()
    owner.told("PATCH", f"/{made['id']}", {"active": False})
    refused = owner.call("POST", f"/{made['id']}/ping")
    assert (refused.status, refused.error["code"]) == (409, "webhook_disabled")
    assert refused.headers["x-should-retry"] == "false"
    assert server.rows("SELECT 1 FROM delivery WHERE webhook_id = ?", made["id"]) == []


def test_a_webhook_whose_key_is_gone_stays_disabled(strict: Live) -> None:
    root = new_key(strict)
    above = Owner(strict, root["secret"])
    maker = heir(strict, root["secret"], scopes=["chat", "keys"], expires_in_days=9)
    made = Owner(strict, maker["secret"]).make()
    strict.call("DELETE", f"/v1/keys/{maker['id']}", key=root["secret"])
    above.told("POST", f"/{made['id']}/ping")
    above.wait_for(made["id"], active=False)
    refused = above.call("PATCH", f"/{made['id']}", {"active": True})
    assert (refused.status, refused.error["code"]) == (409, "webhook_without_key")
    assert above.told("GET", f"/{made['id']}")["disabled_because"] == "key"


def test_every_act_is_in_the_audit_log_without_the_address(strict: Live) -> None:
    key = new_key(strict)
    owner = Owner(strict, key["secret"])
    made = owner.make()
    place = f"/{made['id']}"
    owner.told("PATCH", place, {"url": "https://other.example.org/canary", "active": True})
    owner.told("POST", f"{place}/rotate", {"overlap_seconds": 5})
    owner.told("PATCH", place, {"active": False})
    owner.told("DELETE", place)
    rows = strict.rows(
        "SELECT action, actor, account_id, detail FROM audit WHERE resource_id = ? ORDER BY id",
        made["id"],
    )
    assert {(actor, account) for _, actor, account, _ in rows} == {(key["id"], key["account_id"])}
    assert [(action, detail) for action, _, _, detail in rows] == [
        ("webhook.created", '{"events":["subscription.cancelled"],"host":"hooks.example.com"}'),
        ("webhook.changed", '{"host":"other.example.org"}'),
        ("webhook.rotated", '{"overlap_seconds":5.0}'),
        ("webhook.changed", '{"active":false}'),
        ("webhook.removed", '{"host":"other.example.org"}'),
    ]
    assert "canary" not in strict.log


def named() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


@pytest.mark.parametrize("path", ["/v1/webhooks", "/api/webhooks"])
def test_a_repeated_request_makes_one_webhook_and_is_told_the_same(strict: Live, path: str) -> None:
    owner = Owner(strict, secret(strict), path)
    wanted, headers = {"url": QUIET, "events": NEVER}, named()
    first, again = (owner.call("POST", "", wanted, headers) for _ in range(2))
    assert first.body == again.body
    assert len(owner.ids()) == 1
    other = owner.call("POST", "", {**wanted, "description": "x"}, headers)
    assert other.status == 422
    assert owner.call("POST", "", wanted, {"Idempotency-Key": ""}).status == 400
    assert len(owner.ids()) == 1


def test_a_repeat_shows_no_secret_to_another_key_nor_one_that_was_replaced(strict: Live) -> None:
    root = secret(strict)
    sibling = heir(strict, root, scopes=["chat", "keys"], expires_in_days=9)["secret"]
    wanted, headers = {"url": QUIET, "events": NEVER}, named()
    owner, other = Owner(strict, root), Owner(strict, sibling)
    made = owner.call("POST", "", wanted, headers).json
    unshown = {name: value for name, value in made.items() if name != "secret"}
    assert other.call("POST", "", wanted, headers).json == unshown
    through = Owner(strict, sibling, "/api/webhooks")
    assert through.call("POST", "", wanted, headers).status == 422  # it is another address
    owner.told("POST", f"/{made['id']}/rotate", {"overlap_seconds": 0})
    assert owner.call("POST", "", wanted, headers).json == unshown
    owner.told("DELETE", f"/{made['id']}")
    assert owner.call("POST", "", wanted, headers).status == 404
