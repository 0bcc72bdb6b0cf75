"""API keys: shown once, no stronger than their maker, gone at once; and what no key opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatloom.server.identity.powers import SCOPES
from support.http import Answer
from support.infinity import CHAT, Assistant, refusal
from support.keys import new_key, secret
from support.live import Live

KEYS = "/api/api-keys"
HELLO = {"message": "Hello!", "model": "loom/echo"}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


@pytest.fixture
def owner(server: Live) -> Assistant:
    return Assistant(server, secret(server))


def made(owner: Assistant, name: str = "phone") -> Any:
    return owner.told("POST", KEYS, {"name": name})["apiKey"]


def asks(server: Live, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.call("POST", CHAT, HELLO, headers=named)


def test_a_key_is_shown_once(server: Live, owner: Assistant) -> None:
    key = made(owner)
    assert key["key"].startswith(key["prefix"])
    assert key["key"].startswith("ia_")
    assert len(key["prefix"]) == 12
    assert (key["name"], key["isActive"], key["lastUsed"]) == ("phone", True, None)
    listed = owner.call("GET", KEYS)
    assert key["key"] not in listed.body.decode()
    (told,) = listed.json["apiKeys"]
    assert told == {name: value for name, value in key.items() if name != "key"}
    kept = [path.read_bytes() for path in server.database.parent.iterdir()]
    assert not [text for text in kept if key["key"].encode() in text]


def test_a_key_speaks_for_its_makers_account(server: Live, owner: Assistant) -> None:
    talk = owner.chat("One")["conversationId"]
    heir = Assistant(server, made(owner)["key"])
    assert heir.chat("Two", conversationId=talk)["conversationId"] == talk
    assert owner.told("GET", KEYS)["apiKeys"][0]["lastUsed"] is not None


def test_a_key_makes_no_keys_and_lists_none(server: Live, owner: Assistant) -> None:
    heir = Assistant(server, made(owner)["key"])
    for method, path, body in (
        ("GET", KEYS, None),
        ("POST", KEYS, {"name": "a"}),
        ("DELETE", f"{KEYS}?id=x", None),
    ):
        assert heir.refused(method, path, body) == (403, "FORBIDDEN")
    without = Assistant(server, secret(server, scopes=sorted(SCOPES - {"keys"})))
    assert without.refused("POST", KEYS, {"name": "a"}) == (403, "FORBIDDEN")


def test_a_deleted_key_stops_working_at_once(server: Live, owner: Assistant) -> None:
    key, other = made(owner), made(owner, "other")
    assert asks(server, X_API_Key=key["key"]).status == 200
    owner.told("DELETE", f"{KEYS}?id={key['id']}")
    for shown in ({"X_API_Key": key["key"]}, {"Authorization": f"Bearer {key['key']}"}):
        assert refusal(asks(server, **shown)) == (401, "INVALID_API_KEY")
    assert asks(server, X_API_Key=other["key"]).status == 200
    assert [one["id"] for one in owner.told("GET", KEYS)["apiKeys"]] == [other["id"]]
    assert owner.refused("DELETE", f"{KEYS}?id={key['id']}") == (404, "NOT_FOUND")


def test_a_deleted_key_stays_deleted_where_any_key_will_do(live: Live) -> None:
    owner = Assistant(live, "dev-owner-of-keys")
    key = made(owner)
    assert asks(live, X_API_Key=key["key"]).status == 200
    owner.told("DELETE", f"{KEYS}?id={key['id']}")
    assert refusal(asks(live, X_API_Key=key["key"])) == (401, "INVALID_API_KEY")


def test_keys_of_others_are_not_there(server: Live, owner: Assistant) -> None:
    other = Assistant(server, secret(server))
    theirs, own = made(other), new_key(server)
    before = server.dump()
    for id in (theirs["id"], own["id"], "nobody's", "%00", "' OR 1=1 --".replace(" ", "%20")):
        assert owner.refused("DELETE", f"{KEYS}?id={id}") == (404, "NOT_FOUND")
    assert server.dump() == before
    assert owner.told("GET", KEYS)["apiKeys"] == []
    assert asks(server, X_API_Key=theirs["key"]).status == 200


def test_nobody_deletes_the_key_he_shows(server: Live) -> None:
    key = new_key(server)
    assert Assistant(server, key["secret"]).refused("DELETE", f"{KEYS}?id={key['id']}")[0] == 404


@pytest.mark.parametrize("name", ["", "n" * 201, None, 5, [], {}])
def test_a_name_that_is_none_makes_no_key(owner: Assistant, server: Live, name: object) -> None:
    before = server.dump()
    assert owner.refused("POST", KEYS, {"name": name}) == (400, "VALIDATION_ERROR")
    assert owner.refused("POST", KEYS, {}) == (400, "VALIDATION_ERROR")
    assert server.dump() == before


def test_which_key_is_meant_must_be_said(owner: Assistant) -> None:
    assert owner.refused("DELETE", KEYS) == (400, "VALIDATION_ERROR")
    assert owner.refused("DELETE", f"{KEYS}?id=") == (400, "VALIDATION_ERROR")


def test_a_key_that_nobody_made_is_never_somebody_anonymous(server: Live) -> None:
    before = server.dump()
    for shown in ("ia_your_api_key_here", "ia_" + "A" * 43, "admin"):
        for headers in ({"X_API_Key": shown}, {"Authorization": f"Bearer {shown}"}):
            assert refusal(asks(server, **headers)) == (401, "INVALID_API_KEY")
    assert refusal(asks(server)) == (401, "AUTH_REQUIRED")
    assert refusal(asks(server, Cookie="infinity_anon_user=1")) == (401, "AUTH_REQUIRED")
    assert server.dump() == before


def test_a_key_is_shown_in_either_header(server: Live, owner: Assistant) -> None:
    key = made(owner)["key"]
    talks: set[str] = set()
    for headers in ({"X_API_Key": key}, {"Authorization": f"Bearer {key}"}):
        answer = asks(server, **headers)
        assert answer.status == 200
        talks.add(answer.json["conversationId"])
    for talk in talks:
        assert len(owner.history(talk)) == 2
