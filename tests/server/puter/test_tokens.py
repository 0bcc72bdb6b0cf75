"""How a token is shown, who is believed, and which kind opens what."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from chatloom.server.ids import new_id
from server.puter.calling import CALL, Puter, asking, called, log_in, refusal, session
from support.http import Answer, completion
from support.keys import secret
from support.live import Live

LIST = called("list")


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


@pytest.fixture(scope="module")
def keys(server: Live) -> dict[str, str]:
    return {name: secret(server, name) for name in ("body", "bearer", "header", "cookie")}


def shown(server: Live, told: Mapping[str, str], *, origin: str | None = None) -> Answer:
    """Say something, showing a key in each of these ways."""
    body: dict[str, object] = dict(asking("Hello!"))
    headers: dict[str, str] = {} if origin is None else {"Origin": origin}
    if "body" in told:
        body["auth_token"] = told["body"]
    if "bearer" in told:
        headers["Authorization"] = f"Bearer {told['bearer']}"
    if "header" in told:
        headers["X-API-Key"] = told["header"]
    if "cookie" in told:
        headers["Cookie"] = f"theme=dark; puter_token={told['cookie']}"
    return server.call("POST", CALL, body, headers=headers)


def test_the_token_in_the_body_counts_before_all_others(server: Live, keys: dict[str, str]) -> None:
    ways = ["body", "bearer", "header", "cookie"]
    names = dict(server.rows("SELECT account_id, name FROM api_key"))
    while ways:
        answer = shown(server, {way: keys[way] for way in ways}, origin=server.url)
        assert answer.status == 200, answer.body
        turn = answer.headers["x-chatloom-turn"]
        ((account,),) = server.rows("SELECT account_id FROM turn WHERE id = ?", turn)
        assert names[account] == ways.pop(0)


WRONG: list[dict[str, str]] = [
    {"body": "wrong"},
    {"bearer": "wrong"},
    {"header": "wrong"},
    {"cookie": "wrong"},
    {"body": "wrong", "bearer": "good"},
]


@pytest.mark.parametrize("told", WRONG, ids=str)
def test_a_wrong_token_is_to_be_got_anew(
    server: Live, keys: dict[str, str], told: dict[str, str]
) -> None:
    before = server.dump()
    given = {way: keys["bearer"] if value == "good" else value for way, value in told.items()}
    assert refusal(shown(server, given, origin=server.url)) == (401, "reauth_required")
    assert server.dump() == before


NONE: list[tuple[object, Mapping[str, str]]] = [
    (LIST, {}),
    ({**LIST, "auth_token": None}, {}),
    ({**LIST, "auth_token": ""}, {}),
    ({**LIST, "auth_token": ["loom_a"]}, {}),
    (LIST, {"Cookie": "puter_token="}),
    (LIST, {"Cookie": "token=a; puter_tokens=b"}),
    (b"not JSON", {}),
    (b"", {}),
    ([], {}),
]


@pytest.mark.parametrize(("body", "headers"), NONE, ids=str)
def test_without_a_token_one_is_missing(
    server: Live, body: object, headers: Mapping[str, str]
) -> None:
    answer = server.call("POST", CALL, body, headers={"Origin": server.url, **headers})
    assert refusal(answer) == (401, "token_missing")


def test_a_token_in_the_address_is_none(server: Live, keys: dict[str, str]) -> None:
    for path in (f"{CALL}?auth_token=", "/whoami?auth_token="):
        method = "POST" if path.startswith(CALL) else "GET"
        answer = server.call(method, path + keys["body"], LIST if method == "POST" else None)
        assert refusal(answer) == (401, "token_missing")
    assert keys["body"] not in server.log


def test_a_body_is_believed_where_it_can_hold_a_token_alone(
    server: Live, keys: dict[str, str]
) -> None:
    body = {**completion("Hello!"), "auth_token": keys["body"]}
    for path in ("/v1/chat/completions", "/puterai/openai/v1/chat/completions"):
        assert server.call("POST", path, body).status == 401
    cookie = {"Cookie": f"puter_token={keys['cookie']}", "Origin": server.url}
    assert server.call("GET", "/v1/models", headers=cookie).status == 401


FOREIGN: list[Mapping[str, str]] = [
    {"Origin": "https://puter.com"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost.evil.example"},
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_page_does_nothing_by_the_cookie(
    server: Live, keys: dict[str, str], headers: Mapping[str, str]
) -> None:
    before = server.dump()
    sent = json.dumps(asking("Hello!")).encode()
    simple = {"Content-Type": "text/plain;actually=json", **headers}
    simple["Cookie"] = f"puter_token={keys['cookie']}"
    for path in (CALL, "/logout"):
        answer = server.call("POST", path, sent, headers=simple)
        assert refusal(answer) == (401, "token_missing")
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert server.dump() == before


def test_its_own_page_reads_and_acts_by_the_cookie(server: Live, keys: dict[str, str]) -> None:
    cookie = {"Cookie": f"puter_token={keys['cookie']}"}
    assert server.call("GET", "/whoami", headers=cookie).status == 200
    own = {**cookie, "Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert server.call("POST", CALL, LIST, headers=own).status == 200
    foreign = {**cookie, "Origin": "https://evil.example"}
    assert server.call("GET", "/whoami", headers=foreign).status == 401


def test_two_cookies_are_none(server: Live, keys: dict[str, str]) -> None:
    twice = f"puter_token={keys['cookie']}; puter_token={keys['body']}"
    answer = server.call("GET", "/whoami", headers={"Cookie": twice})
    assert refusal(answer) == (401, "reauth_required")
    assert answer.json["details"]["code"] == "ambiguous_api_key"
    head = "GET /whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    for key in (keys["cookie"], keys["body"]):
        head += f"Cookie: puter_token={key}\r\n"
    assert server.raw(f"{head}\r\n".encode()).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("origin", "attributes"),
    [
        (None, "Max-Age=2592000; Path=/; HttpOnly; SameSite=Strict"),
        ("own", "Max-Age=2592000; Path=/; HttpOnly; SameSite=Strict"),
        ("own, by TLS", "Max-Age=2592000; Path=/; HttpOnly; SameSite=Strict; Secure"),
        ("https://puter.com", None),
    ],
)
def test_only_pages_of_its_own_are_given_a_cookie(
    live: Live, origin: str | None, attributes: str | None
) -> None:
    own = {"own": live.url, "own, by TLS": live.url.replace("http:", "https:")}
    headers = {} if origin is None else {"Origin": own.get(origin, origin)}
    answer = log_in(live, f"cookie-{new_id()}", **headers)
    token = answer.json["token"]
    held = None if attributes is None else f"puter_token={token}; {attributes}"
    assert answer.headers.get("set-cookie") == held


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
@pytest.mark.parametrize("origin", [None, "own"])
def test_a_page_that_is_not_its_own_is_given_none_whatever_it_hides(
    live: Live, origin: str | None, site: str
) -> None:
    headers = {"Sec_Fetch_Site": site, **({"Origin": live.url} if origin else {})}
    answer = log_in(live, f"cookie-{new_id()}", **headers)
    assert answer.status == 200
    assert "set-cookie" not in answer.headers


def test_who_logs_out_holds_no_cookie(live: Live) -> None:
    answer = session(live, f"out-{new_id()}").get("/logout", "POST")
    assert answer.headers["set-cookie"].startswith("puter_token=; Max-Age=0; ")


CLAIMED = ["https://puter.com", "https://puter.work"]


@pytest.mark.parametrize("origin", CLAIMED)
def test_a_program_may_claim_to_be_a_page_of_puters(live: Live, origin: str) -> None:
    name = f"claims-{new_id()}"
    answer = log_in(live, name, Origin=origin, Sec_Fetch_Mode="cors")
    assert answer.status == 200
    body = {**LIST, "auth_token": answer.json["token"]}
    told = live.call("POST", CALL, body, headers={"Origin": origin, "Referer": f"{origin}/"})
    assert told.status == 200
    assert not [name for name in told.headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", CLAIMED)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "unheard-of"])
def test_a_page_that_a_browser_shows_is_not_served_by_the_dev_server(
    live: Live, origin: str, site: str
) -> None:
    headers = {"Origin": origin, "Sec-Fetch-Site": site}
    assert refusal(live.call("POST", CALL, LIST, headers=headers)) == (403, "forbidden")
    answer = live.call("GET", "/v1/models", key="any", headers={"Origin": origin})
    assert answer.status == 403


def test_another_page_is_not_served_by_the_dev_server(live: Live) -> None:
    for path in (CALL, "/login", "/nowhere"):
        headers = {"Origin": "https://evil.example"}
        assert live.call("POST", path, {}, headers=headers).status == 403


def test_asking_what_is_allowed_gives_foreign_pages_nothing(server: Live) -> None:
    headers = {"Origin": "https://puter.com", "Access-Control-Request-Method": "POST"}
    answer = server.call("OPTIONS", CALL, headers=headers)
    assert (answer.status, answer.headers["allow"]) == (200, "POST")
    assert not [name for name in answer.headers if name.startswith("access-control")]


OPENAI = "/puterai/openai/v1/chat/completions"
ANTHROPIC = "/puterai/anthropic/v1/messages"
BODY = {**completion("Hello!", model="loom/echo"), "max_tokens": 9}


@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC])
def test_the_vendors_own_wires_take_keys_and_no_sessions(live: Live, path: str) -> None:
    ann = session(live, f"vendor-{new_id()}")
    before = live.counts()
    refused = live.call("POST", path, BODY, key=ann.token)
    assert refused.status == 403
    assert b"app_or_api_token_required" in refused.body
    assert live.counts() == before
    made = live.call("POST", "/v1/keys", {"name": "app", "scopes": ["chat"]}, key=ann.token).json
    answer = live.call("POST", path, BODY, headers={"X-API-Key": made["secret"]})
    assert answer.status == 200, answer.body
    assert answer.headers["x-chatloom-turn"]
    assert Puter(live, ann.token).chat("Hello!")["message"]["content"] == "Hello!"
    assert Puter(live, made["secret"]).chat("Hello!")["message"]["content"] == "Hello!"


def test_the_vendors_wires_are_the_same_as_elsewhere(live: Live) -> None:
    named = {"Idempotency-Key": new_id()}
    key = f"vendor-{new_id()}"
    ours = live.call("POST", "/v1/chat/completions", BODY, key=key, headers=named)
    same = live.call("POST", OPENAI, BODY, key=key, headers=named)
    assert (same.body, same.headers["idempotent-replayed"]) == (ours.body, "true")
    beside = {**BODY, "model": "fake", "provider": "fake-chat"}
    assert live.call("POST", OPENAI, beside, key=key).json["model"] == "fake"
    beside["provider"] = "loom"
    beside["model"] = "echo"
    assert live.call("POST", OPENAI, beside, key=key).json["model"] == "loom/echo"
    message = live.call("POST", ANTHROPIC, BODY, key=key)
    assert message.json["content"] == [{"type": "text", "text": "Hello!"}]
    assert message.headers["request-id"] == message.headers["x-request-id"]
    for path in (OPENAI, ANTHROPIC):
        for messages in ("Hello!", 5, None):
            assert live.call("POST", path, {**BODY, "messages": messages}, key=key).status == 400
