"""Webhooks that cannot be are refused in their owner's words, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chatloom.server.events.kinds import EVENTS, PATTERNS
from support.hooks import NEVER, QUIET, Owner
from support.http import Answer
from support.infinity import refusal
from support.keys import heir, secret
from support.live import Live

THEIRS = "/api/webhooks"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


@pytest.fixture(scope="module")
def owner(server: Live) -> Owner:
    return Owner(server, secret(server))


@pytest.fixture(scope="module")
def made(owner: Owner) -> str:
    return str(owner.make()["id"])


@pytest.fixture
def through(server: Live, owner: Owner) -> Owner:
    """The same somebody, in the service's own words."""
    return Owner(server, owner.key, THEIRS)


@pytest.fixture
def untouched(server: Live, made: str) -> Iterator[None]:
    """Every table must be as it was."""
    before = server.dump()
    yield
    assert server.dump() == before


def assert_refused(answer: Answer, *expected: tuple[int, str, str | None]) -> None:
    """A request must be refused in one of these ways."""
    if "details" in answer.json:
        refusal(answer)  # in the service's form
        error = answer.json["details"]
    else:
        error = answer.error
    assert (answer.status, error["code"], error.get("param")) in expected, answer.body


ADDRESSES: dict[str, str] = {
    "http": "http://example.com/",
    "another scheme": "ftp://example.com/",
    "a file": "file:///etc/passwd",
    "credentials": "https://user:canary@example.com/",
    "a user": "https://user@example.com/",
    "loopback": "https://127.0.0.1/",
    "loopback by name": "https://localhost/",
    "loopback of IPv6": "https://[::1]/",
    "loopback within IPv6": "https://[::ffff:127.0.0.1]/",
    "a private network": "https://10.1.2.3/",
    "another": "https://192.168.0.1/",
    "metadata": "https://169.254.169.254/latest/meta-data",
    "a name of a network": "https://printer.local/",
    "no dot": "https://intranet/",
    "a number": "https://2130706433/",
    "an octal": "https://0177.0.0.1/",
    "short": "https://127.1/",
    "another port": "https://example.com:8443/",
    "no host": "https:///x",
    "relative": "/hook",
    "words": "some words",
    "blanks": "https://example.com/a b",
    "a backslash": "https://example.com\\@10.0.0.1/",
    "a line": "https://example.com/\r\nX: y",
    "a zero": "https://example.com/\0",
    "a trailing dot": "https://localhost./",
    "long once encoded": f"https://example.com/{'ä' * 1000}",
}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("url", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_that_nothing_is_sent_to_is_refused(
    server: Live, owner: Owner, through: Owner, made: str, url: str
) -> None:
    wanted = {"url": url, "events": NEVER}
    for answer in (
        owner.call("POST", "", wanted),
        through.call("POST", "", wanted),
        owner.call("PATCH", f"/{made}", {"url": url}),
    ):
        assert_refused(answer, (400, "refused_address", "url"))
        assert url not in answer.body.decode()
        assert "canary" not in answer.body.decode() + server.log


NO_ADDRESSES: list[object] = ["", 5, None, [], {}, "https://example.com/" + "x" * 2029]
NO_EVENTS: list[object] = [[], None, "chat.message", {}, ["*", "*"]]
FIELDS: list[tuple[str, object, str]] = [
    *[("url", value, "url") for value in NO_ADDRESSES],
    *[("events", value, "events") for value in NO_EVENTS],
    ("events", [5], "events[0]"),
    ("events", [""], "events[0]"),
    ("events", ["x" * 101], "events[0]"),
    *[
        ("events", ["chat.message", name], "events")
        for name in ("chat.massage", "CHAT.MESSAGE", "chat.*", "turn", "turn.", " *", "a\0b", "**")
    ],
    ("description", "d" * 201, "description"),
    ("description", None, "description"),
    ("description", 5, "description"),
]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(("name", "value", "param"), FIELDS)
def test_a_field_that_makes_no_sense_is_named(
    owner: Owner, through: Owner, made: str, name: str, value: object, param: str
) -> None:
    expected = (400, "invalid_request", param)
    wanted = {"url": QUIET, "events": NEVER, name: value}
    assert_refused(owner.call("POST", "", wanted), expected)
    assert_refused(through.call("POST", "", wanted), expected)
    assert_refused(owner.call("PATCH", f"/{made}", {name: value}), expected)


def test_an_unknown_event_is_told_which_there_are(owner: Owner) -> None:
    refused = owner.call("POST", "", {"url": QUIET, "events": ["chat.massage"]})
    message = refused.error["message"]
    assert "'chat.massage'" in message
    assert all(name in message for name in (*EVENTS, *PATTERNS))


@pytest.mark.usefixtures("untouched")
def test_a_body_that_makes_no_sense_is_refused(owner: Owner, through: Owner) -> None:
    told = ((400, "invalid_json", None), (400, "invalid_request", "url"))
    for body in (b"", b"{", b"[]", b"null", b'{"url": "\xff"}', b"{}"):
        assert_refused(owner.call("POST", "", body), *told)
        assert_refused(through.call("POST", "", body), *told)


OF_ONE: list[tuple[str, str, object, str | None]] = [
    ("PATCH", "", {"active": "yes"}, "active"),
    ("PATCH", "", {"active": None}, "active"),
    ("PATCH", "", {"account_id": "x"}, None),
    ("PATCH", "", {"secret": "whsec_x"}, None),
    ("POST", "/rotate", {"overlap_seconds": -1}, "overlap_seconds"),
    ("POST", "/rotate", {"overlap_seconds": 604_801}, "overlap_seconds"),
    ("POST", "/rotate", {"overlap_seconds": "5"}, "overlap_seconds"),
    ("POST", "/replay", {"states": ["waiting"]}, "states[0]"),
    ("POST", "/replay", {"states": []}, "states"),
    ("POST", "/replay", {"event_ids": []}, "event_ids"),
    ("POST", "/replay", {"event_ids": ["x"] * 1001}, "event_ids"),
    ("POST", "/replay", {"event_ids": ["x"], "states": ["failed"]}, "event_ids"),
    ("POST", "/replay", {"event_ids": ["x"], "since": "2026-01-01T00:00:00Z"}, "event_ids"),
    ("POST", "/replay", {"since": "yesterday"}, "since"),
    ("POST", "/replay", {"since": "2026-01-01T00:00:00"}, "since"),
    ("POST", "/replay", {"until": 5}, "until"),
    ("GET", "/deliveries?limit=0", None, "limit"),
    ("GET", "/deliveries?limit=201", None, "limit"),
    ("GET", "/deliveries?state=lost", None, "state"),
    ("GET", "/deliveries?event_id=", None, "event_id"),
]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(("method", "below", "body", "param"), OF_ONE)
def test_nothing_is_done_to_a_webhook_that_makes_no_sense(
    owner: Owner, made: str, method: str, below: str, body: object, param: str | None
) -> None:
    answer = owner.call(method, f"/{made}{below}", body)
    assert_refused(answer, (400, "invalid_request", param))


@pytest.mark.usefixtures("untouched")
def test_a_cursor_that_no_list_gave_is_refused(owner: Owner, made: str) -> None:
    for cursor in ("x", "%00", "W10", "WyJ4Iiw1XQ", "ä".encode().hex()):
        answer = owner.call("GET", f"/{made}/deliveries?cursor={cursor}")
        assert_refused(answer, (400, "unknown_cursor", "cursor"))


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "id", ["01999999-9999-7999-8999-999999999999", "x", "%00", "%27%20OR%201=1", "-" * 36, "%C3%A4"]
)
def test_an_id_that_is_none_is_not_found(owner: Owner, through: Owner, id: str) -> None:
    expected = (404, "not_found", None)
    for method, below in (
        *(("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/deliveries")),
        *(("POST", "/rotate"), ("POST", "/ping"), ("POST", "/replay")),
    ):
        assert_refused(owner.call(method, f"/{id}{below}"), expected)
    assert_refused(through.call("DELETE", f"?id={id}"), expected)


@pytest.mark.usefixtures("untouched")
def test_which_webhook_is_meant_must_be_said(through: Owner) -> None:
    for query in ("", "?id=", f"?id={'x' * 65}"):
        assert_refused(through.call("DELETE", query), (400, "invalid_request", "id"))


def test_an_account_has_only_so_many(serve: Callable[..., Live]) -> None:
    server = serve(dev=False, config="[webhooks]\nmost = 2\n")
    for key in (secret(server), secret(server)):
        owner, through = Owner(server, key), Owner(server, key, THEIRS)
        ids = [owner.make()["id"] for _ in range(2)]
        before = server.dump()
        for there in (owner, through):
            answer = there.call("POST", "", {"url": QUIET, "events": NEVER})
            assert_refused(answer, (409, "too_many_webhooks", None))
            assert answer.headers["x-should-retry"] == "false"
        assert server.dump() == before
        owner.told("DELETE", f"/{ids[0]}")
        owner.make()


def test_plain_http_is_for_who_allows_it(serve: Callable[..., Live]) -> None:
    server = serve(dev=False, config="[webhooks]\nplain_http = true\n")
    owner = Owner(server, secret(server))
    assert owner.make("http://example.com/x")["url"] == "http://example.com/x"
    for private in ("http://10.0.0.1/", "http://localhost/"):
        answer = owner.call("POST", "", {"url": private, "events": NEVER})
        assert_refused(answer, (400, "refused_address", "url"))
    assert len(owner.ids()) == 1


def refused(server: Live, key: str, method: str, below: str = "", **body: Any) -> tuple[int, str]:
    """How a request is refused, which must make and change no webhook."""
    tables = ("webhook", "webhook_secret", "delivery", "event")
    before = [server.rows(f"SELECT * FROM {one}") for one in tables]
    answer = Owner(server, key).call(method, below, body or None)
    assert [server.rows(f"SELECT * FROM {one}") for one in tables] == before
    return answer.status, answer.error["code"]


def test_who_may_not_read_talks_is_not_told_of_them(server: Live) -> None:
    root = secret(server)
    made = Owner(server, root).make()["id"]
    blind = heir(server, root, scopes=["keys"], expires_in_days=9)["secret"]
    missing = (403, "missing_scope")
    assert refused(server, blind, "POST", url=QUIET, events=NEVER) == missing
    assert refused(server, blind, "PATCH", f"/{made}", events=["*"]) == missing
    assert refused(server, blind, "PATCH", f"/{made}", url=QUIET) == missing
    changed = Owner(server, blind).told("PATCH", f"/{made}", {"active": False})
    assert changed["active"] is False
    deaf = secret(server, scopes=["chat"])
    for method, below in (("GET", ""), ("POST", ""), ("GET", f"/{made}"), ("DELETE", f"/{made}")):
        assert refused(server, deaf, method, below) == missing


def test_a_login_makes_no_webhook_as_that_would_end_with_it(serve: Callable[..., Live]) -> None:
    server = serve(dev=False, config='registration = "open"\n')
    person = {"email": "ann@example.org", "password": "correct horse"}
    held = server.call("POST", "/api/v1/auth/register", person).json["data"]["tokens"]
    token = held["accessToken"]
    told = refused(server, token, "POST", url=QUIET, events=NEVER)
    assert told == (403, "passing_api_key")
    below = heir(server, token, scopes=["chat", "keys"])["secret"]
    assert refused(server, below, "POST", url=QUIET, events=NEVER) == (403, "passing_api_key")
    account = server.call("GET", "/v1/keys", key=token).json["keys"][0]["account_id"]
    lasting = Owner(server, secret(server, account_id=account))
    made = lasting.make()["id"]
    assert Owner(server, token).ids() == [made]
    turned = refused(server, token, "PATCH", f"/{made}", url="https://example.org/ann")
    assert turned == (403, "webhook_of_other_key")
    Owner(server, token).told("DELETE", f"/{made}")


@pytest.mark.parametrize("below", ["", "/x", "/x/ping"])
def test_what_is_for_commands_is_for_no_key(server: Live, below: str) -> None:
    for key in (server.admin_key, secret(server)):
        answer = Owner(server, key, "/admin/webhooks").call(
            "POST" if below != "/x" else "GET", below
        )
        assert (answer.status, answer.error["code"]) == (403, "missing_scope")
