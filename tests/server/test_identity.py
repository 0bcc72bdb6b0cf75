"""Who may do what: every route, every form of a key, two tenants, and where secrets may not be."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from chatloom.server.app import ROUTES
from chatloom.server.ids import new_id
from chatloom.server.powers import SCOPES
from chatloom.server.routes import Route
from support.http import Answer, completion
from support.keys import new_key, secret
from support.live import Live

GUARDED = [route for route in ROUTES if route.scope != "public"]
PUBLIC = {"/health", "/ready", "/openapi.json", "/docs", "/docs/style.css"}

FORMS: dict[str, Callable[[str], Mapping[str, str]]] = {
    "bearer": lambda key: {"Authorization": f"Bearer {key}"},
    "lower case": lambda key: {"authorization": f"bearer {key}"},
    "api key": lambda key: {"Authorization": f"ApiKey {key}"},
    "x-api-key": lambda key: {"X-API-Key": key},
    "beside another scheme": lambda key: {"Authorization": "Basic YTpi", "X-API-Key": key},
}


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


def ask(server: Live, route: Route, headers: Mapping[str, str]) -> Answer:
    path = route.path.replace("{", "").replace("}", "")
    body: object = {} if route.method == "POST" else None
    return server.call(route.method, path, body, headers=headers)


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


@pytest.fixture(scope="module")
def refused(server: Live) -> dict[str, tuple[str, str]]:
    """Keys that open nothing, and the code that says why."""
    revoked = new_key(server, scopes=sorted(SCOPES))
    server.call("DELETE", f"/admin/keys/{revoked['id']}", key=server.admin_key)
    good = secret(server, scopes=sorted(SCOPES))
    return {
        "wrong": ("loom_wrong", "invalid_api_key"),
        "injected": ("' OR 1=1 --", "invalid_api_key"),
        "not ascii": ("cl\xe9", "invalid_api_key"),
        "digest": (hashlib.sha256(good.encode()).hexdigest(), "invalid_api_key"),
        "cut": (good[:-1], "invalid_api_key"),
        "revoked": (revoked["secret"], "revoked_api_key"),
        "expired": (secret(server, expires_in_days=1e-9), "expired_api_key"),
    }


def test_every_route_needs_a_key_but_a_few() -> None:
    assert {route.path for route in ROUTES if route.scope == "public"} == PUBLIC


@pytest.mark.parametrize("route", GUARDED, ids=named)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_route_refuses_a_bad_key_in_every_form(
    server: Live,
    refused: dict[str, tuple[str, str]],
    route: Route,
    form: Callable[[str], Mapping[str, str]],
) -> None:
    for key, code in refused.values():
        answer = ask(server, route, form(key))
        assert (answer.status, answer.error["code"]) == (401, code)
        assert answer.headers["www-authenticate"].startswith("Bearer")


NO_KEY: list[Mapping[str, str]] = [
    {},
    {"Authorization": ""},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer  "},
    {"Authorization": "Basic YWRtaW46YWRtaW4="},
    {"X-API-Key": ""},
    {"Cookie": "token=admin"},
    {"X-Forwarded-User": "admin"},
]


@pytest.mark.parametrize("route", GUARDED, ids=named)
@pytest.mark.parametrize("headers", NO_KEY, ids=str)
def test_a_route_refuses_whoever_shows_no_key(
    server: Live, route: Route, headers: Mapping[str, str]
) -> None:
    answer = ask(server, route, headers)
    assert (answer.status, answer.error["code"]) == (401, "missing_api_key")


@pytest.mark.parametrize("route", GUARDED, ids=named)
def test_a_route_refuses_a_key_without_its_scope(server: Live, route: Route) -> None:
    key = secret(server, scopes=sorted(SCOPES - {route.scope}))
    answer = ask(server, route, {"Authorization": f"Bearer {key}"})
    assert (answer.status, answer.error["code"]) == (403, "missing_scope")


@pytest.mark.parametrize("route", GUARDED, ids=named)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_route_takes_a_key_with_its_scope_alone_in_every_form(
    server: Live, route: Route, form: Callable[[str], Mapping[str, str]]
) -> None:
    key = secret(server, scopes=[route.scope])
    assert ask(server, route, form(key)).status in {200, 400, 404}


def test_an_encoded_slash_does_not_get_around_the_key(server: Live) -> None:
    assert server.call("GET", "/v1%2Fmodels").status == 401
    assert server.call("GET", "/admin%2fkeys", key=secret(server)).status == 403


class Tenant:
    """An account with one conversation."""

    def __init__(self, server: Live, name: str) -> None:
        self._server = server
        self.key = secret(server, name)
        answer = self.complete("Hello!", {"user_id": "customer"})
        self.conversation = str(answer.json["system_fingerprint"])
        self.turn = answer.headers["x-chatloom-turn"]
        self.text = answer.text
        told: Any = self.get(f"/v1/conversations/{self.conversation}").json
        self.branch = str(told["branch_id"])
        self.message = str(told["messages"][-1]["id"])

    def complete(self, content: object, metadata: Mapping[str, object]) -> Answer:
        return self._server.complete(content, key=self.key, metadata=metadata)

    def get(self, path: str) -> Answer:
        return self._server.call("GET", path, key=self.key)


@pytest.fixture(scope="module")
def alice(server: Live) -> Tenant:
    return Tenant(server, "alice")


@pytest.fixture(scope="module")
def bob(server: Live) -> Tenant:
    return Tenant(server, "bob")


READS: dict[str, Callable[[Tenant, str], str]] = {
    "turn": lambda bob, id: f"/v1/turns/{id}",
    "conversation": lambda bob, id: f"/v1/conversations/{id}",
    "branch": lambda bob, id: f"/v1/conversations/{bob.conversation}?branch_id={id}",
}


@pytest.mark.parametrize("what", READS)
def test_another_accounts_ids_read_nothing(alice: Tenant, bob: Tenant, what: str) -> None:
    foreign = bob.get(READS[what](bob, getattr(alice, what)))
    absent = bob.get(READS[what](bob, new_id()))
    assert foreign.status == 404
    assert foreign.body == absent.body
    assert alice.get(READS[what](alice, getattr(alice, what))).status == 200


PLACES: dict[str, Callable[[Tenant, Tenant], dict[str, object]]] = {
    "session": lambda alice, bob: {"session_id": alice.conversation},
    "conversation": lambda alice, bob: {"conversation_id": alice.conversation},
    "message": lambda alice, bob: {"parent_message_id": alice.message},
    "message in one's own": lambda alice, bob: {
        "conversation_id": bob.conversation,
        "parent_message_id": alice.message,
    },
    "branch in one's own": lambda alice, bob: {
        "conversation_id": bob.conversation,
        "branch_id": alice.branch,
    },
    "one's own branch there": lambda alice, bob: {
        "conversation_id": alice.conversation,
        "branch_id": bob.branch,
    },
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("history", [False, True], ids=["new", "history"])
def test_another_accounts_ids_are_no_place_to_go_on_from(
    server: Live,
    alice: Tenant,
    bob: Tenant,
    place: Callable[[Tenant, Tenant], dict[str, object]],
    history: bool,
) -> None:
    before = server.counts()
    told = [
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": alice.text},
    ]
    question = [{"role": "user", "content": "And then?"}]
    answer = bob.complete([*(told if history else ()), *question], place(alice, bob))
    assert (answer.status, answer.error["code"]) == (404, "not_found")
    assert server.counts() == before


def test_the_same_talk_in_two_accounts_is_two_conversations(alice: Tenant, bob: Tenant) -> None:
    assert alice.text == bob.text
    talk = [
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": alice.text},
        {"role": "user", "content": "Once more?"},
    ]
    answer = bob.complete(talk, {"user_id": "customer"})
    assert answer.json["system_fingerprint"] == bob.conversation
    assert alice.get(f"/v1/conversations/{alice.conversation}").json["message_count"] == 2


def test_another_end_users_session_is_not_found(alice: Tenant) -> None:
    other = {"session_id": alice.conversation, "user_id": "somebody else"}
    assert alice.complete("Hello!", other).status == 404
    same = {"session_id": alice.conversation, "user_id": "customer"}
    assert alice.complete("Hello!", same).json["system_fingerprint"] == alice.conversation


def models(server: Live, key: str) -> str:
    """The code of the refusal, or nothing."""
    answer = server.call("GET", "/v1/models", key=key)
    return "" if answer.status == 200 else str(answer.error["code"])


def rotated(server: Live, id: str, overlap: float) -> Any:
    path, wanted = f"/admin/keys/{id}/rotate", {"overlap_seconds": overlap}
    return server.call("POST", path, wanted, key=server.admin_key).json


def test_rotation_keeps_the_old_secret_for_a_while(server: Live) -> None:
    key = new_key(server)
    assert models(server, key["secret"]) == ""
    newer = rotated(server, key["id"], 3600)
    assert (newer["id"], newer["account_id"]) == (key["id"], key["account_id"])
    assert newer["hint"] != key["hint"]
    assert models(server, key["secret"]) == models(server, newer["secret"]) == ""


def test_rotation_without_overlap_ends_the_old_secret_at_once(server: Live) -> None:
    key = new_key(server)
    newer = rotated(server, key["id"], 3600)
    assert models(server, key["secret"]) == models(server, newer["secret"]) == ""
    newest = rotated(server, key["id"], 0)
    assert models(server, key["secret"]) == "expired_api_key"
    assert models(server, newer["secret"]) == "expired_api_key"
    assert models(server, newest["secret"]) == ""


def test_a_revoked_key_stops_at_once_and_for_good(server: Live) -> None:
    key = new_key(server)
    newer = rotated(server, key["id"], 3600)
    assert models(server, key["secret"]) == ""
    path = f"/admin/keys/{key['id']}"
    assert server.call("DELETE", path, key=server.admin_key).json["revoked_at"] is not None
    assert models(server, key["secret"]) == models(server, newer["secret"]) == "revoked_api_key"
    assert server.call("DELETE", path, key=server.admin_key).status == 409
    assert server.call("POST", f"{path}/rotate", {}, key=server.admin_key).status == 409


BAD_KEYS: list[tuple[dict[str, object], str]] = [
    ({"name": ""}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": 5}, "name"),
    ({"name": "a", "scopes": ["root"]}, "scopes"),
    ({"name": "a", "account_id": "nobody's"}, "account_id"),
    ({"name": "a", "expires_in_days": -1}, "expires_in_days"),
    ({"name": "a", "expires_in_days": 1e9}, "expires_in_days"),
]


@pytest.mark.parametrize(("wanted", "param"), BAD_KEYS)
def test_a_key_that_makes_no_sense_is_not_made(
    server: Live, wanted: dict[str, object], param: str
) -> None:
    before = server.rows("SELECT count(*) FROM api_key")
    answer = server.call("POST", "/admin/keys", wanted, key=server.admin_key)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert server.rows("SELECT count(*) FROM api_key") == before


def test_two_keys_may_share_an_account(server: Live, alice: Tenant) -> None:
    account = next(
        key["account_id"]
        for key in server.call("GET", "/admin/keys", key=server.admin_key).json["keys"]
        if key["name"] == "alice"
    )
    second = secret(server, account_id=account)
    assert server.call("GET", f"/v1/turns/{alice.turn}", key=second).status == 200


@pytest.mark.parametrize(
    ("model", "allowed"),
    [
        ("loom/echo", True),
        ("loom/echo?tokens=2", True),
        ("loom/scribe", False),
        ("loom/scribe?x=loom/echo", False),
        ("LOOM/ECHO", False),
    ],
)
def test_a_key_may_be_limited_to_models(server: Live, model: str, allowed: bool) -> None:
    key = secret(server, models=["loom/e*", "*echo"])
    before = server.counts()
    answer = server.complete("Hello!", key=key, model=model)
    if allowed:
        assert answer.status == 200
    else:
        assert (answer.status, answer.error["code"]) == (403, "model_not_allowed")
        assert server.counts() == before


def test_the_control_token_opens_admin_routes_only(server: Live) -> None:
    token = server.token()
    for route in GUARDED:
        answer = ask(server, route, {"Authorization": f"Bearer {token}"})
        assert (answer.status == 403) == (route.scope != "admin"), named(route)
    assert server.database.with_name("own.db.lock").stat().st_mode & 0o777 == 0o600


def test_a_key_is_shown_once_and_never_kept_in_clear(server: Live) -> None:
    shown = secret(server, "shown once")
    server.complete("Hello!", key=shown)
    listed = server.call("GET", "/admin/keys", key=server.admin_key)
    kept = [path.read_bytes() for path in server.database.parent.iterdir()]
    for key in (shown, server.admin_key):
        forms = [key.encode(), key[15:].encode(), base64.b64encode(key.encode())[:40]]
        for text in [listed.body, *kept]:
            assert not [form for form in forms if form in text]
    assert hashlib.sha256(shown.encode()).digest() in b"".join(kept)


def test_no_secret_reaches_the_log(server: Live, refused: dict[str, tuple[str, str]]) -> None:
    server.call("GET", "/v1/models?api_key=" + server.admin_key)
    secrets = [server.admin_key, server.token(), *(key for key, _ in refused.values())]
    assert not [key for key in secrets if key in server.log]


def test_dev_keys_have_accounts_of_their_own(live: Live) -> None:
    turn = live.complete("Hello!", key="one").headers["x-chatloom-turn"]
    assert live.call("GET", f"/v1/turns/{turn}", key="one").status == 200
    assert live.call("GET", f"/v1/turns/{turn}", key="two").status == 404


@pytest.mark.parametrize(("key", "status"), [("admin-1", 200), ("one", 403), ("an admin", 403)])
def test_dev_keys_that_begin_with_admin_administer(live: Live, key: str, status: int) -> None:
    assert live.call("GET", "/admin/keys", key=key).status == status


def test_a_rotated_dev_key_is_not_made_anew(live: Live) -> None:
    live.call("GET", "/admin/keys", key="admin")
    live.call("GET", "/v1/models", key="rotated")
    id = live.call("GET", "/admin/keys", key="admin").json["keys"][0]["id"]
    newer = live.call("POST", f"/admin/keys/{id}/rotate", {"overlap_seconds": 0}, key="admin")
    assert newer.status == 200
    assert models(live, "rotated") == "expired_api_key"
    assert models(live, newer.json["secret"]) == ""


def test_dev_keys_are_refused_outside_dev(serve: Callable[..., Live]) -> None:
    dev = serve()
    turn = dev.complete("Hello!", key="admin").headers["x-chatloom-turn"]
    dev.stop()
    strict = serve(database=dev.database, dev=False)
    assert models(strict, "admin") == models(strict, "anything") == "invalid_api_key"
    assert models(strict, strict.admin_key) == ""
    assert strict.call("GET", f"/v1/turns/{turn}", key=strict.admin_key).status == 404


def test_a_key_given_in_the_body_or_the_address_opens_nothing(server: Live) -> None:
    body = {**completion("Hello!"), "auth_token": server.admin_key, "api_key": server.admin_key}
    path = f"/v1/chat/completions?api_key={server.admin_key}&key={server.admin_key}"
    assert server.call("POST", path, body).status == 401
