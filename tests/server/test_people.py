"""People register, log in and out; their sessions are held, renewed and ended."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from argon2 import PasswordHasher

from support.http import Answer
from support.keys import new_key, secret
from support.live import Live

Serve = Callable[..., Live]
PASSWORD = "correct horse"
OPEN = 'registration = "open"'


@pytest.fixture(scope="module")
def server(serve: Serve) -> Live:
    """One that is no dev server, where people may register."""
    return serve(dev=False, config=OPEN)


def auth(server: Live, path: str, **body: object) -> Answer:
    return server.call("POST", f"/api/v1/auth/{path}", body)


def register(server: Live, email: str, password: str = PASSWORD, **fields: object) -> Any:
    answer = auth(server, "register", email=email, password=password, **fields)
    assert answer.status == 201, answer.body
    return answer.json["data"]


def log_in(server: Live, email: str, password: str = PASSWORD) -> Any:
    answer = auth(server, "login", email=email, password=password)
    assert answer.status == 200, answer.body
    return answer.json["data"]


def renew(server: Live, tokens: Any) -> Answer:
    return auth(server, "refresh", refreshToken=tokens["refreshToken"])


def log_out(server: Live, key: str, body: bytes | None = None) -> Answer:
    return server.call("POST", "/api/v1/auth/logout", body, key=key)


def me(server: Live, key: str) -> Answer:
    return server.call("GET", "/api/v1/auth/me", key=key)


def usage(server: Live, key: str) -> Any:
    answer = server.call("GET", "/api/v1/users/me/usage", key=key)
    assert answer.status == 200, answer.body
    return answer.json["data"]


def code(answer: Answer) -> tuple[int, str]:
    assert answer.json["success"] is False
    return answer.status, answer.json["details"]["code"]


def deeds(server: Live, account: str) -> list[str]:
    """What the audit log tells of an account, the first first."""
    found = server.rows("SELECT action FROM audit WHERE account_id = ? ORDER BY id", account)
    return [action for (action,) in found]


def soon(holds: Callable[[], bool]) -> bool:
    """Whether it holds after a while: for what nobody is kept waiting for."""
    for _ in range(500):
        if holds():
            return True
        time.sleep(0.02)
    return False


def change(server: Live, statement: str, *values: object) -> None:
    """Change the database behind the server's back."""
    with closing(sqlite3.connect(server.database)) as connection, connection:
        connection.execute(statement, values)


def people(server: Live) -> int:
    return int(server.rows("SELECT count(*) FROM person")[0][0])


def test_somebody_registers_and_is_let_in(server: Live) -> None:
    told = register(server, "Ann@Example.org", name="Ann")
    user, tokens = told["user"], told["tokens"]
    assert (user["email"], user["name"], user["plan"]) == ("Ann@Example.org", "Ann", "unlimited")
    assert user["createdAt"].endswith("Z")
    assert (tokens["expiresIn"], tokens["tokenType"]) == (3600, "Bearer")
    answer = me(server, tokens["accessToken"])
    assert (answer.status, answer.json) == (200, {"success": True, "data": user})
    assert server.complete("Hello!", key=tokens["accessToken"]).status == 200
    assert deeds(server, user["id"]) == ["person.registered", "session.begun"]


@pytest.mark.parametrize("email", ["ben@example.org", "BEN@EXAMPLE.ORG", "Ben@Example.org"])
def test_an_address_is_the_same_in_capitals(server: Live, email: str) -> None:
    if auth(server, "login", email="ben@example.org", password=PASSWORD).status != 200:
        register(server, "ben@example.org")
    assert log_in(server, email)["user"]["email"] == "ben@example.org"
    again = auth(server, "register", email=email, password="another one")
    assert code(again) == (409, "already_registered")
    assert again.headers["x-should-retry"] == "false"
    assert auth(server, "login", email=email, password="another one").status == 401


def test_letters_are_the_same_however_they_were_typed(server: Live) -> None:
    register(server, "zo\u00eb@example.org", "caf\u00e9 au lait")
    assert log_in(server, "zoe\u0308@example.org", "cafe\u0301 au lait")


def test_many_who_register_at_once_with_one_address_are_one(server: Live) -> None:
    before = people(server)
    with ThreadPoolExecutor(6) as pool:
        asked = [
            pool.submit(auth, server, "register", email="all@example.org", password=PASSWORD)
            for _ in range(6)
        ]
        statuses = sorted(one.result().status for one in asked)
    assert statuses == [201, *[409] * 5]
    assert people(server) == before + 1


EMAILS = [
    *("", "ann", "@x.org", "ann@", "a@b@c.org", "a@x..org", "a@.org", "a@x.", "a@" + "x" * 300),
    *("a b@x.org", " a@x.org", "a@x.org ", "a\n@x.org", "a@x.org\0", "a\u200b@x.org"),
]


@pytest.mark.parametrize("email", EMAILS, ids=repr)
def test_nobody_registers_with_what_is_no_address(server: Live, email: str) -> None:
    before = server.counts(), people(server)
    answer = auth(server, "register", email=email, password=PASSWORD)
    assert (answer.status, answer.json["code"]) == (400, "VALIDATION_ERROR")
    assert answer.json["details"]["param"] == "email"
    assert (server.counts(), people(server)) == before


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("register", {"email": "x@example.org"}, "password"),
        ("register", {"password": PASSWORD}, "email"),
        ("register", {"email": "x@example.org", "password": "short"}, "password"),
        ("register", {"email": "x@example.org", "password": "x" * 2000}, "password"),
        ("register", {"email": "x@example.org", "password": 12345678}, "password"),
        ("register", {"email": ["x@example.org"], "password": PASSWORD}, "email"),
        ("register", {"email": "x@example.org", "password": PASSWORD, "name": 7}, "name"),
        ("register", {"email": "x@example.org", "password": PASSWORD, "name": "a\nb"}, "name"),
        ("login", {"email": "x@example.org"}, "password"),
        ("login", {"email": None, "password": PASSWORD}, "email"),
        ("refresh", {}, "refreshToken"),
        ("refresh", {"refreshToken": ""}, "refreshToken"),
        ("refresh", {"refreshToken": "x" * 600}, "refreshToken"),
    ],
)
def test_a_senseless_request_is_refused(
    server: Live, path: str, fields: dict[str, object], param: str
) -> None:
    before = people(server)
    answer = auth(server, path, **fields)
    assert (answer.status, answer.json["details"]["param"]) == (400, param)
    assert isinstance(answer.json["error"], str)
    assert people(server) == before


@pytest.mark.parametrize("path", ["register", "login", "refresh"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff"])
def test_what_is_no_object_is_refused(server: Live, path: str, body: bytes) -> None:
    assert server.call("POST", f"/api/v1/auth/{path}", body).status == 400


def test_a_wrong_password_and_an_unknown_name_are_refused_alike(server: Live) -> None:
    told = register(server, "carol@example.org")
    wrong = auth(server, "login", email="carol@example.org", password=PASSWORD + "!")
    unknown = auth(server, "login", email="nobody@example.org", password=PASSWORD)
    assert code(wrong) == (401, "invalid_credentials")
    assert wrong.body == unknown.body
    assert soon(lambda: "person.refused" in deeds(server, told["user"]["id"]))
    assert server.rows("SELECT count(*) FROM audit WHERE detail LIKE '%nobody@%'") == [(0,)]


def test_logging_in_counts_failures_by_name(server: Live) -> None:
    register(server, "dora@example.org")
    for email in ("dora@example.org", "unknown@example.org"):
        wrong = [auth(server, "login", email=email, password="wrong") for _ in range(11)]
        assert [one.status for one in wrong] == [401] * 10 + [429]
        late = auth(server, "login", email=email.upper(), password=PASSWORD)
        assert code(late) == (429, "too_many_attempts")
        assert 0 < late.json["retryAfter"] <= int(late.headers["retry-after"]) <= 30
        assert late.json["code"] == "RATE_LIMIT_EXCEEDED"
    assert log_in(server, register(server, "eve@example.org")["user"]["email"])


def test_whoever_logs_in_uses_up_no_attempts(server: Live) -> None:
    register(server, "fred@example.org")
    for _ in range(12):
        log_in(server, "fred@example.org")


def test_registration_is_closed_unless_somebody_opens_it(serve: Serve) -> None:
    server = serve(dev=False)
    for body in ({"email": "a@example.org", "password": PASSWORD}, {}):
        answer = server.call("POST", "/api/v1/auth/register", body)
        assert code(answer) == (403, "registration_closed")
        assert "chatloom.toml" in answer.json["message"]
    assert people(server) == 0
    assert auth(server, "login", email="a@example.org", password=PASSWORD).status == 401
    assert people(server) == 0


def test_a_session_is_renewed(server: Live) -> None:
    told = register(server, "gina@example.org")
    first = told["tokens"]
    answer = renew(server, first)
    second = answer.json["data"]
    assert answer.status == 200
    assert set(second) == {"accessToken", "refreshToken", "expiresIn", "tokenType"}
    assert not set(first.values()) & {second["accessToken"], second["refreshToken"]}
    for tokens in (first, second):  # the older access token works for its hour
        assert me(server, tokens["accessToken"]).json["data"] == told["user"]
    assert renew(server, second).status == 200


def test_a_refresh_token_that_comes_again_ends_its_session(server: Live) -> None:
    told = register(server, "hugo@example.org")
    other = log_in(server, "hugo@example.org")["tokens"]
    first = told["tokens"]
    second = renew(server, first).json["data"]
    me(server, second["accessToken"])  # it is remembered as a good one
    assert code(renew(server, first)) == (401, "refresh_token_reused")
    assert code(renew(server, first)) == code(renew(server, second)) == (401, "session_ended")
    for tokens in (first, second):
        assert code(me(server, tokens["accessToken"])) == (401, "revoked_api_key")
    assert me(server, other["accessToken"]).status == 200
    assert renew(server, other).status == 200
    assert deeds(server, told["user"]["id"])[-1] == "session.revoked"


def test_of_many_who_renew_at_once_at_most_one_succeeds(server: Live) -> None:
    told = register(server, "ida@example.org")
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(renew, server, told["tokens"]) for _ in range(6)]
        answers = [one.result() for one in asked]
    renewed = [one.json["data"] for one in answers if one.status == 200]
    assert len(renewed) <= 1
    for tokens in renewed:  # as somebody else had the token, too
        assert code(me(server, tokens["accessToken"])) == (401, "revoked_api_key")
    assert deeds(server, told["user"]["id"]).count("session.revoked") == 1


def test_tokens_expire(server: Live) -> None:
    told = register(server, "jana@example.org")
    tokens, account = told["tokens"], told["user"]["id"]
    ((session,),) = server.rows(
        "SELECT id FROM api_key WHERE account_id = ? AND parent_id IS NULL", account
    )
    change(server, "UPDATE api_key SET expires_at = 1 WHERE parent_id = ?", session)
    assert code(me(server, tokens["accessToken"])) == (401, "expired_api_key")
    renewed = renew(server, tokens).json["data"]
    assert me(server, renewed["accessToken"]).status == 200
    change(server, "UPDATE refresh_token SET expires_at = 1 WHERE session_id = ?", session)
    assert code(renew(server, renewed)) == (401, "expired_refresh_token")


def test_logging_out_ends_a_session_and_no_other(server: Live) -> None:
    told = register(server, "karl@example.org")
    first, other = told["tokens"], log_in(server, "karl@example.org")["tokens"]
    second = renew(server, first).json["data"]
    below = server.call(
        "POST", "/v1/keys", {"name": "below", "scopes": ["chat"]}, key=second["accessToken"]
    ).json["secret"]
    assert code(log_out(server, below)) == (400, "no_session")
    answer = log_out(server, second["accessToken"])
    assert (answer.status, answer.json) == (200, {"success": True})
    for key in (first["accessToken"], second["accessToken"], below):
        assert code(me(server, key)) == (401, "revoked_api_key")
    assert code(renew(server, second)) == (401, "session_ended")
    assert code(renew(server, first)) == (401, "session_ended")
    assert me(server, other["accessToken"]).status == 200
    assert deeds(server, told["user"]["id"])[-1] == "session.ended"


@pytest.mark.parametrize("body", [None, b"", b"{}", b"{"], ids=repr)
def test_logging_out_needs_no_body(server: Live, body: bytes | None) -> None:
    if auth(server, "login", email="kim@example.org", password=PASSWORD).status != 200:
        register(server, "kim@example.org")
    key = log_in(server, "kim@example.org")["tokens"]["accessToken"]
    assert log_out(server, key, body).status == 200
    assert me(server, key).status == 401


def test_a_key_of_no_session_cannot_be_logged_out(server: Live) -> None:
    key = secret(server)
    assert code(log_out(server, key)) == (400, "no_session")
    assert me(server, key).status == 200
    assert server.call("POST", "/api/v1/auth/logout").status == 401


@pytest.mark.parametrize("token", ["loomr_unknown", "loom_x", "' OR 1=1 --", "\u00e9\0"])
def test_unknown_refresh_tokens_are_refused(server: Live, token: str) -> None:
    assert code(renew(server, {"refreshToken": token})) == (401, "invalid_refresh_token")


def test_no_token_is_taken_for_another(server: Live) -> None:
    tokens = register(server, "lena@example.org")["tokens"]
    assert code(me(server, tokens["refreshToken"])) == (401, "invalid_api_key")
    swapped = {"refreshToken": tokens["accessToken"]}
    assert code(renew(server, swapped)) == (401, "invalid_refresh_token")
    for (digest,) in server.rows("SELECT lower(hex(digest)) FROM refresh_token LIMIT 1"):
        assert code(renew(server, {"refreshToken": digest})) == (401, "invalid_refresh_token")


def test_an_administrator_ends_sessions_as_keys(server: Live) -> None:
    tokens = register(server, "mona@example.org")["tokens"]
    keys = server.call("GET", "/admin/keys", key=server.admin_key).json["keys"]
    session = next(one for one in keys if one["name"] == "session")
    assert not {"admin", "platform"} & set(session["scopes"])
    gone = server.call("DELETE", f"/admin/keys/{session['id']}", key=server.admin_key)
    assert gone.status == 200
    assert code(me(server, tokens["accessToken"])) == (401, "revoked_api_key")
    assert code(renew(server, tokens)) == (401, "session_ended")


def test_people_do_not_see_each_other(server: Live) -> None:
    one, two = (register(server, f"{name}@example.org") for name in ("nina", "otto"))
    assert one["user"]["id"] != two["user"]["id"]
    told = server.complete("Hello!", key=one["tokens"]["accessToken"])
    turn = told.headers["x-chatloom-turn"]
    assert usage(server, two["tokens"]["accessToken"])["tokensUsed"] == 0
    for told_to, status in ((one, 200), (two, 404)):
        answer = server.call("GET", f"/v1/turns/{turn}", key=told_to["tokens"]["accessToken"])
        assert answer.status == status
    again = log_in(server, "nina@example.org")["tokens"]["accessToken"]
    assert server.call("GET", f"/v1/turns/{turn}", key=again).status == 200


def test_usage_is_the_sum_of_what_was_asked(server: Live) -> None:
    key = register(server, "paul@example.org")["tokens"]["accessToken"]
    nothing = {"picodollars": 0, "usd": "0.0"}
    unused = {"tokensUsed": 0, "tokenQuota": None, "requests": 0, "cost": nothing}
    assert usage(server, key) == unused
    answers = [server.complete("Hello!", key=key, user=user) for user in ("x", "y")]
    later = log_in(server, "paul@example.org")["tokens"]["accessToken"]
    told = usage(server, later)
    tokens = sum(one.json["usage"]["total_tokens"] for one in answers)
    assert (told["tokensUsed"], told["requests"]) == (tokens, 2)
    assert told["cost"]["picodollars"] > 0


def test_an_end_users_key_sees_its_own_use_alone(server: Live) -> None:
    root = new_key(server)
    own = secret(server, account_id=root["account_id"], user="ann@example.com")
    server.complete("Hello!", key=root["secret"])
    told = server.complete("And on?", key=own)
    assert usage(server, own)["tokensUsed"] == told.json["usage"]["total_tokens"]
    assert usage(server, root["secret"])["requests"] == 2
    user = me(server, own).json["data"]
    assert (user["id"], user["email"]) == ("ann@example.com", "ann@example.com")
    account = me(server, root["secret"]).json["data"]
    assert (account["id"], account["email"], account["name"]) == (root["account_id"], "", None)
    assert account["plan"] == "unlimited"


def test_a_key_of_somebodys_account_tells_of_them(server: Live) -> None:
    user = register(server, "rosa@example.org")["user"]
    key = secret(server, account_id=user["id"])
    assert me(server, key).json["data"] == user
    other = secret(server, account_id=user["id"], user="child")
    assert me(server, other).json["data"]["id"] == "child"


def test_a_password_kept_in_an_older_way_is_kept_anew(server: Live) -> None:
    user = register(server, "sven@example.org")["user"]
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    change(server, "UPDATE person SET password = ? WHERE id = ?", weak, user["id"])
    assert auth(server, "login", email="sven@example.org", password="wrong").status == 401
    assert server.rows("SELECT password FROM person WHERE id = ?", user["id"]) == [(weak,)]
    log_in(server, "sven@example.org")
    ((kept,),) = server.rows("SELECT password FROM person WHERE id = ?", user["id"])
    assert kept != weak
    assert not PasswordHasher().check_needs_rehash(kept)
    log_in(server, "sven@example.org")


def test_what_is_kept_of_a_password_opens_nothing(server: Live) -> None:
    user = register(server, "tina@example.org")["user"]
    ((kept,),) = server.rows("SELECT password FROM person WHERE id = ?", user["id"])
    assert auth(server, "login", email="tina@example.org", password=kept).status == 401
    change(server, "UPDATE person SET password = 'damaged' WHERE id = ?", user["id"])
    assert auth(server, "login", email="tina@example.org", password="damaged").status == 401


def test_secrets_are_nowhere(serve: Serve) -> None:
    server = serve(dev=False, config=OPEN)
    password = "a very secret password"
    told = register(server, "uwe@example.org", password)
    renewed = renew(server, told["tokens"])
    auth(server, "login", email="uwe@example.org", password=password + " wrong")
    auth(server, "login", email="uwe@example.org", password=[password])
    auth(server, "register", email="uwe@example.org", password=password)
    renew(server, told["tokens"])
    secrets = [password]
    for tokens in (told["tokens"], renewed.json["data"]):
        secrets += [tokens["accessToken"], tokens["refreshToken"]]
    folder = server.database.parent
    kept = b"".join(path.read_bytes() for path in folder.glob("own.db*"))
    assert b"uwe@example.org" in kept
    assert not [one for one in secrets if one.encode() in kept or one in server.log]
    audit = server.call("GET", "/api/v1/platform/audit", key=server.admin_key).body.decode()
    assert "session.revoked" in audit
    assert not [one for one in secrets if one in audit]


def test_in_dev_the_first_password_is_the_right_one(live: Live) -> None:
    told = log_in(live, "viv@example.org", "x")
    assert told["user"]["plan"] == "dev"
    assert log_in(live, "VIV@example.org", "x")["user"]["id"] == told["user"]["id"]
    assert auth(live, "login", email="viv@example.org", password="y").status == 401
    assert me(live, told["tokens"]["accessToken"]).json["data"] == told["user"]
    assert log_in(live, "some user name", "z")["user"]["email"] == ""
    assert auth(live, "login", email=" spaces ", password="z").status == 400
    assert register(live, "will@example.org")


def test_in_dev_many_first_logins_at_once_make_one_person(live: Live) -> None:
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(log_in, live, "xena@example.org", "first") for _ in range(4)]
        assert len({one.result()["user"]["id"] for one in asked}) == 1


def test_whoever_registered_in_dev_is_unknown_elsewhere(serve: Serve) -> None:
    dev = serve()
    tokens = register(dev, "yara@example.org")["tokens"]
    dev.stop()
    server = serve(dev=False, config=OPEN, database=dev.database)
    assert code(me(server, tokens["accessToken"])) == (401, "invalid_api_key")
    assert code(renew(server, tokens)) == (401, "invalid_refresh_token")
    refused = auth(server, "login", email="yara@example.org", password=PASSWORD)
    assert code(refused) == (401, "invalid_credentials")
    assert register(server, "yara@example.org", "another one")


def test_sessions_outlive_a_restart(serve: Serve) -> None:
    before = serve(dev=False, config=OPEN)
    tokens = register(before, "zora@example.org")["tokens"]
    before.kill()
    server = serve(dev=False, config=OPEN, database=before.database)
    assert me(server, tokens["accessToken"]).status == 200
    assert renew(server, tokens).status == 200
    assert log_in(server, "zora@example.org")
