"""People log in by a name, hold one token, and log out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatloom.server.ids import new_id
from server.puter.calling import Puter, log_in, refusal, session
from support.keys import secret
from support.live import Live

PUTER = "https://puter.com"


@pytest.fixture(scope="module")
def real(serve: Callable[..., Live]) -> Live:
    """One that is no dev server, where Ann can log in."""
    server = serve(dev=False)
    wanted = {"login": "ann", "password": "first password"}
    assert server.call("POST", "/admin/people", wanted, key=server.admin_key).status == 201
    return server


def test_whoever_comes_first_by_a_name_has_it(live: Live) -> None:
    name = f"ann-{new_id()}"
    answer = log_in(live, name, Origin=PUTER)
    told = answer.json
    assert (told["proceed"], told["next_step"]) == (True, "complete")
    user = told["user"]
    assert (user["username"], user["email"], user["taskbar_items"]) == (name, None, [])
    again = log_in(live, name.upper()).json
    assert again["user"] == user
    assert again["token"] != told["token"]
    who = Puter(live, told["token"]).get("/whoami").json
    assert who == {key: value for key, value in user.items() if key != "taskbar_items"}
    assert refusal(log_in(live, name, "another password")) == (401, "password_mismatch")


def test_a_name_may_be_an_address(live: Live) -> None:
    email = f"Ben-{new_id()}@example.org"
    body = {"email": email, "password": "first password"}
    user = live.call("POST", "/login", body).json["user"]
    assert (user["username"], user["email"]) == (email.lower(), email)
    shared = {"email": email, "password": "first password"}
    assert (
        live.call("POST", "/api/v1/auth/login", shared).json["data"]["user"]["id"] == (user["uuid"])
    )


def test_a_token_works_for_thirty_days_on_every_protocol(real: Live) -> None:
    ann = session(real, "ann")
    assert real.complete("Hello!", key=ann.token, model="loom/echo").status == 200
    ((life,),) = real.rows(
        "SELECT expires_at - created_at FROM api_key WHERE name = 'access token'"
        " ORDER BY created_at DESC LIMIT 1"
    )
    assert abs(life - 30 * 86_400_000) < 60_000


def test_nobody_is_told_who_there_is(real: Live) -> None:
    known = log_in(real, "ann", "a wrong password")
    unknown = log_in(real, "nobody", "a wrong password")
    assert (known.status, known.body) == (unknown.status, unknown.body)
    assert refusal(known) == (401, "password_mismatch")


BAD: list[tuple[object, str | None]] = [
    ({}, "password"),
    ({"username": "ann"}, "password"),
    ({"password": "first password"}, "username"),
    ({"username": "ann", "password": ""}, "password"),
    ({"username": "ann", "password": None}, "password"),
    ({"username": "ann", "password": 5}, "password"),
    ({"username": "ann", "password": "p" * 1025}, "password"),
    ({"username": "", "password": "first password"}, "username"),
    ({"username": ["ann"], "password": "first password"}, "username"),
    ({"email": "a" * 255, "password": "first password"}, "email"),
    ([], None),
    (b"{", None),
    (b"username=ann&password=first", None),
]


@pytest.mark.parametrize(("body", "param"), BAD, ids=str)
def test_what_is_no_login_is_refused(real: Live, body: object, param: str | None) -> None:
    before = real.dump()
    answer = real.call("POST", "/login", body)
    assert refusal(answer) == (400, "bad_request")
    assert answer.json["details"].get("param") == param
    assert b"first" not in answer.body
    assert real.dump() == before


def test_nobody_registers_by_logging_in_elsewhere_than_in_dev(real: Live) -> None:
    before = real.rows("SELECT count(*) FROM person")
    assert log_in(real, "somebody new").status == 401
    assert real.rows("SELECT count(*) FROM person") == before


def test_too_many_wrong_passwords_are_too_many(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    statuses = [log_in(server, "ann", f"wrong {number}").status for number in range(11)]
    assert statuses == [401] * 10 + [429]
    refused = log_in(server, "ann")
    assert refusal(refused) == (429, "too_many_requests")
    assert int(refused.headers["retry-after"]) > 0


def test_who_logs_out_is_out_everywhere_with_that_token_alone(real: Live) -> None:
    first, second = session(real, "ann"), session(real, "ann")
    answer = first.get("/logout", "POST")
    assert (answer.status, answer.json) == (200, {"success": True})
    for refused in (first.get("/whoami"), first.get("/logout", "POST")):
        assert refusal(refused) == (401, "reauth_required")
    assert real.complete("Hello!", key=first.token).status == 401
    assert second.get("/whoami").status == 200


def test_a_key_is_not_logged_out(real: Live) -> None:
    key = Puter(real, secret(real))
    assert refusal(key.get("/logout", "POST")) == (400, "bad_request")
    assert key.get("/whoami").status == 200


def test_a_key_says_whose_it_is(real: Live) -> None:
    made = real.call("POST", "/admin/keys", {"name": "website"}, key=real.admin_key).json
    who = Puter(real, made["secret"]).get("/whoami").json
    assert (who["username"], who["uuid"]) == (made["account_id"], made["account_id"])
    bens = Puter(real, secret(real, account_id=made["account_id"], user="ben"))
    assert bens.get("/whoami").json["username"] == "ben"


def test_a_key_of_anns_account_says_ann(real: Live) -> None:
    ann = session(real, "ann")
    own = ann.get("/whoami").json
    key = Puter(real, secret(real, account_id=own["uuid"]))
    assert key.get("/whoami").json == own
