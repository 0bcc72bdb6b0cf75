"""Who may do what: every route, every form of a key, two tenants, and where secrets may not be."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from chatloom.server.app import ROUTES
from chatloom.server.identity.powers import SCOPES
from chatloom.server.routes import Route
from support.http import Answer, completion
from support.keys import heir, new_key, says, secret
from support.live import Live

GUARDED = [route for route in ROUTES if route.scope != "public"]
GRANTED = [route for route in GUARDED if route.scope != "control"]
"""Those that a key can be made for."""
PUBLIC = {
    *("/health", "/ready", "/openapi.json", "/docs", "/docs/style.css"),
    *("/api/v1/auth/register", "/api/v1/auth/login", "/api/v1/auth/refresh"),
    *("/api/v1/autobranch/health", "/api/health"),
    *("/login", "/lsmod", "/drivers/list-interfaces"),
    *("/puterai/chat/models", "/puterai/chat/models/details"),
}

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
    parent = new_key(server, scopes=sorted(SCOPES))
    below = heir(server, parent["secret"], scopes=sorted(SCOPES), expires_in_days=9)
    server.call("DELETE", f"/admin/keys/{parent['id']}", key=server.admin_key)
    return {
        "wrong": ("loom_wrong", "invalid_api_key"),
        "injected": ("' OR 1=1 --", "invalid_api_key"),
        "not ascii": ("cl\xe9", "invalid_api_key"),
        "digest": (hashlib.sha256(good.encode()).hexdigest(), "invalid_api_key"),
        "cut": (good[:-1], "invalid_api_key"),
        "revoked": (revoked["secret"], "revoked_api_key"),
        "below a revoked one": (below["secret"], "revoked_api_key"),
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


@pytest.mark.parametrize("route", GRANTED, ids=named)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_route_takes_a_key_with_its_scope_alone_in_every_form(
    server: Live, route: Route, form: Callable[[str], Mapping[str, str]]
) -> None:
    key = secret(server, scopes=[route.scope])
    assert ask(server, route, form(key)).status in {200, 400, 404}


@pytest.mark.parametrize("route", GRANTED, ids=named)
def test_a_key_may_be_limited_to_a_route(server: Live, route: Route) -> None:
    others = [named(one) for one in GRANTED if one.scope == route.scope and one is not route]
    without = secret(server, scopes=[route.scope], routes=others)
    answer = ask(server, route, {"Authorization": f"Bearer {without}"})
    assert (answer.status, answer.error["code"]) == (403, "route_not_allowed")
    alone = secret(server, scopes=[route.scope], routes=[named(route)])
    let_in = ask(server, route, {"Authorization": f"Bearer {alone}"})
    if route.scope == "admin" and route.method != "GET":
        assert (let_in.status, let_in.error["code"]) == (403, "limited_administrator")
    else:
        assert let_in.status in {200, 400, 404}


@pytest.mark.parametrize("route", GRANTED, ids=named)
def test_a_key_limited_to_no_route_opens_none(server: Live, route: Route) -> None:
    key = secret(server, scopes=[route.scope], routes=["/health", "HEAD *", "/V1/*"])
    answer = ask(server, route, {"X-API-Key": key})
    assert (answer.status, answer.error["code"]) == (403, "route_not_allowed")


PLATFORM = [route for route in GUARDED if route.scope == "platform"]


@pytest.mark.parametrize("route", PLATFORM, ids=named)
def test_a_platform_key_of_no_administrator_opens_nothing(server: Live, route: Route) -> None:
    key = secret(server, scopes=sorted(SCOPES), user="nobody@example.com")
    answer = ask(server, route, {"X-API-Key": key})
    assert (answer.status, answer.error["code"]) == (403, "not_an_administrator")


def test_a_credential_that_is_given_twice_opens_nothing(server: Live) -> None:
    good = secret(server)
    for name in ("Authorization", "X-API-Key"):
        shown = f"Bearer {good}" if name == "Authorization" else good
        answer = server.call("GET", "/v1/models", headers=[(name, shown), (name, shown)])
        assert (answer.status, answer.error["code"]) == (401, "ambiguous_api_key")


def test_an_encoded_slash_does_not_get_around_the_key(server: Live) -> None:
    assert server.call("GET", "/v1%2Fmodels").status == 401
    assert server.call("GET", "/admin%2fkeys", key=secret(server)).status == 403


def rotated(server: Live, id: str, overlap: float) -> Any:
    path, wanted = f"/admin/keys/{id}/rotate", {"overlap_seconds": overlap}
    return server.call("POST", path, wanted, key=server.admin_key).json


def test_rotation_keeps_the_old_secret_for_a_while(server: Live) -> None:
    key = new_key(server)
    assert says(server, key["secret"]) == ""
    newer = rotated(server, key["id"], 3600)
    assert (newer["id"], newer["account_id"]) == (key["id"], key["account_id"])
    assert newer["hint"] != key["hint"]
    assert says(server, key["secret"]) == says(server, newer["secret"]) == ""


def test_rotation_without_overlap_ends_the_old_secret_at_once(server: Live) -> None:
    key = new_key(server)
    newer = rotated(server, key["id"], 3600)
    assert says(server, key["secret"]) == says(server, newer["secret"]) == ""
    newest = rotated(server, key["id"], 0)
    assert says(server, key["secret"]) == "expired_api_key"
    assert says(server, newer["secret"]) == "expired_api_key"
    assert says(server, newest["secret"]) == ""


def test_a_revoked_key_stops_at_once_and_for_good(server: Live) -> None:
    key = new_key(server)
    newer = rotated(server, key["id"], 3600)
    assert says(server, key["secret"]) == ""
    path = f"/admin/keys/{key['id']}"
    assert server.call("DELETE", path, key=server.admin_key).json["revoked_at"] is not None
    assert says(server, key["secret"]) == says(server, newer["secret"]) == "revoked_api_key"
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


def test_the_control_token_opens_admin_routes_and_its_own_only(server: Live) -> None:
    token = server.token()
    for route in GUARDED:
        answer = ask(server, route, {"Authorization": f"Bearer {token}"})
        assert (answer.status == 403) == (route.scope not in {"admin", "control"}), named(route)
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
    assert says(live, "rotated") == "expired_api_key"
    assert says(live, newer.json["secret"]) == ""


def test_dev_keys_are_refused_outside_dev(serve: Callable[..., Live]) -> None:
    dev = serve()
    turn = dev.complete("Hello!", key="admin").headers["x-chatloom-turn"]
    dev.stop()
    strict = serve(database=dev.database, dev=False)
    assert says(strict, "admin") == says(strict, "anything") == "invalid_api_key"
    assert says(strict, strict.admin_key) == ""
    assert strict.call("GET", f"/v1/turns/{turn}", key=strict.admin_key).status == 404


def test_a_key_given_in_the_body_or_the_address_opens_nothing(server: Live) -> None:
    body = {**completion("Hello!"), "auth_token": server.admin_key, "api_key": server.admin_key}
    path = f"/v1/chat/completions?api_key={server.admin_key}&key={server.admin_key}"
    assert server.call("POST", path, body).status == 401
