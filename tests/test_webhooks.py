"""Signatures are those of Standard Webhooks, and nothing without one is taken for an event."""

from __future__ import annotations

import json
import pickle
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.message import Message
from itertools import chain
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from openai import InvalidWebhookSignatureError, OpenAI
from starlette.datastructures import Headers

import chatloom.webhooks
from chatloom.core.errors import ChatloomError, SettingsError
from chatloom.core.http import JSON
from chatloom.server.events.kinds import EVENTS
from chatloom.server.events.kinds import Event as Told
from chatloom.webhooks import Event, Reason, WebhookVerificationError, sign, signed, verify


def secret_of(value: bytes) -> str:
    return "whsec_" + b64encode(value).decode()


SECRET = secret_of(b"canary of thirty-two bytes, here")
OTHER = secret_of(b"another one, of thirty-two bytes")
NOW = 1_750_000_000.75
SENT = int(NOW)
DATA: dict[str, JSON] = {"conversationId": "c1", "content": "Grüße, 世界 \u2028 🧵", "usage": None}
BODY = Told(id="e1", account_id="a", type="chat.response", at=SENT * 1000, data=DATA).body()
TOKEN_TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def headers_of(
    body: bytes = BODY, *secrets: str, id: str = "e1", sent: int = SENT
) -> dict[str, str]:
    """What the server sends."""
    signatures = [sign(id, sent, body, secret) for secret in secrets or (SECRET,)]
    return {
        "webhook-id": id,
        "webhook-timestamp": str(sent),
        "webhook-signature": " ".join(signatures),
    }


def refusal(
    headers: Any = None, body: bytes | str = BODY, secret: Any = SECRET, now: float = NOW
) -> Reason:
    """Why that is refused."""
    with pytest.raises(WebhookVerificationError) as caught:
        verify(headers_of() if headers is None else headers, body, secret, now=now)
    return caught.value.reason


# By others


@pytest.fixture(scope="module")
def openai() -> OpenAI:
    return OpenAI(api_key="none")


@pytest.mark.parametrize("type", EVENTS)
def test_others_accept_what_we_sign(type: Any, openai: OpenAI) -> None:
    now = int(datetime.now(UTC).timestamp())
    body = Told(id="e1", account_id="a", type=type, at=now * 1000, data=DATA).body()
    headers = headers_of(body, sent=now)
    assert standardwebhooks.Webhook(SECRET).verify(body, headers) == json.loads(body)

    openai.webhooks.verify_signature(body, headers, secret=SECRET)
    event: Any = openai.webhooks.unwrap(body, headers, secret=SECRET)
    assert (event.type, event.id, event.object, event.created_at) == (type, "e1", "event", now)
    assert event.data.conversationId == "c1"
    assert event.to_dict() == json.loads(body)


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_others_accept_a_rotated_secret_with_both(secret: str, openai: OpenAI) -> None:
    now = int(datetime.now(UTC).timestamp())
    headers = headers_of(BODY, SECRET, OTHER, sent=now)
    assert standardwebhooks.Webhook(secret).verify(BODY, headers)
    openai.webhooks.verify_signature(BODY, headers, secret=secret)


def test_others_refuse_what_we_sign_with_another_secret(openai: OpenAI) -> None:
    now = int(datetime.now(UTC).timestamp())
    headers = headers_of(sent=now)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(OTHER).verify(BODY, headers)
    with pytest.raises(InvalidWebhookSignatureError):
        openai.webhooks.verify_signature(BODY, headers, secret=OTHER)


@given(
    st.binary(min_size=24, max_size=64),
    TOKEN_TEXT,
    st.integers(0, 10**11),
    st.dictionaries(st.text(), VALUES),
)
def test_we_accept_what_others_sign(key: bytes, id: str, sent: int, data: dict[str, JSON]) -> None:
    told = {"type": "x", "timestamp": "2025-06-15T15:06:40Z", "data": data}
    body = json.dumps(told)
    moment = datetime.fromtimestamp(sent, UTC)
    signature = standardwebhooks.Webhook(key).sign(id, moment, body)
    assert sign(id, sent, body, secret_of(key)) == signature

    headers = {
        "webhook-id": id,
        "webhook-timestamp": str(sent),
        "webhook-signature": signature,
    }
    event = verify(headers, body, secret_of(key), now=sent)
    assert (event.id, event.data) == (id, data)


@pytest.mark.parametrize(
    ("id", "timestamp", "body", "secret", "signature"),
    [
        (
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            '{"test": 2432232314}',
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1649367553,
            '{"email":"test@example.com","username":"test_user"}',
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
    ],
)
def test_published_examples_come_out(
    id: str, timestamp: int, body: str, secret: str, signature: str
) -> None:
    assert sign(id, timestamp, body, secret) == signature
    assert sign(id, timestamp, body.encode(), secret) == signature


# What is accepted


def test_an_event_is_told() -> None:
    assert verify(headers_of(), BODY, SECRET, now=NOW) == Event(
        id="e1",
        type="chat.response",
        timestamp=datetime.fromtimestamp(SENT, UTC),
        data=DATA,
    )


def test_an_event_of_the_future_is_told() -> None:
    body = b'{"type":"chat.sung","timestamp":"2031-01-01T01:00:00+01:00","data":{"a":1},"new":[]}'
    event = verify(headers_of(body, id="e2"), body, SECRET, now=NOW)
    assert event == Event(
        id="e2", type="chat.sung", timestamp=datetime(2031, 1, 1, tzinfo=UTC), data={"a": 1}
    )


def test_what_was_made_of_a_body_is_no_body() -> None:
    read: Any = {"type": "webhook.ping"}
    with pytest.raises(TypeError, match="body is what arrived, as bytes, not dict made of it"):
        verify({}, read, SECRET)


def test_a_body_may_be_text() -> None:
    assert verify(headers_of(), BODY.decode(), SECRET, now=NOW).data == DATA


Shape = Callable[[dict[str, str]], Any]


def message_of(headers: dict[str, str]) -> Message:
    message = Message()
    for name, value in headers.items():
        message[name] = value
    return message


SHAPES: list[Shape] = [
    dict,
    Headers,
    CIMultiDict,
    message_of,
    lambda headers: headers.items(),
    lambda headers: iter(headers.items()),
    lambda headers: [(name.encode(), value.encode()) for name, value in headers.items()],
    lambda headers: {name.title(): value for name, value in headers.items()},
    lambda headers: {name.upper(): value for name, value in headers.items()},
    lambda headers: {"Accept": "a", "accept": "b", "X-Id": "ü", **headers},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_headers_come_in_many_shapes(shape: Shape) -> None:
    assert verify(shape(headers_of()), BODY, SECRET, now=NOW).id == "e1"


@given(st.text("bcdehikmnoguwBCDEHIKMNOGUW-"), st.data())
def test_the_case_of_names_does_not_matter(extra: str, data: st.DataObject) -> None:
    headers: dict[str, str] = {}
    for name, value in headers_of().items():
        flips = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
        cased = "".join(c.upper() if up else c for c, up in zip(name, flips, strict=True))
        headers[cased] = value
    assert verify({f"x{extra}": "y", **headers}, BODY, SECRET, now=NOW).id == "e1"


@pytest.mark.parametrize("signing", [(SECRET,), (OTHER, SECRET), (SECRET, OTHER)])
@pytest.mark.parametrize("known", [SECRET, [SECRET], (OTHER, SECRET), {SECRET: 1, OTHER: 2}])
def test_either_side_may_have_several_secrets(
    signing: tuple[str, ...], known: str | Iterable[str]
) -> None:
    assert verify(headers_of(BODY, *signing), BODY, known, now=NOW).id == "e1"


def test_signatures_of_other_versions_are_skipped() -> None:
    headers = headers_of()
    right = headers["webhook-signature"]
    for signatures in (f"v1a,AAAA {right}", f"{right} v2,AAAA", f"v0  x , v1, {right} ,"):
        told = {**headers, "webhook-signature": signatures}
        assert verify(told, BODY, SECRET, now=NOW).id == "e1"
    for signatures in (f"v1a{right[2:]}", f"v2{right[2:]}", right[3:], "v1,", f"V1{right[2:]}"):
        assert refusal({**headers, "webhook-signature": signatures}) == "unsigned"


# What is not


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        (0, None),
        (300, None),
        (-300, None),
        (300.01, "too_old"),
        (-300.01, "too_new"),
        (1e9, "too_old"),
        (-1e12, "too_new"),
        (float("nan"), "too_old"),
        (float("-inf"), "too_new"),
    ],
)
def test_it_must_have_been_sent_just_now(age: float, reason: Reason | None) -> None:
    if reason is None:
        assert verify(headers_of(), BODY, SECRET, now=SENT + age)
    else:
        assert refusal(now=SENT + age) == reason


@pytest.mark.parametrize(("tolerance", "is_right"), [(10.0, True), (9.9, False), (-1.0, False)])
def test_what_is_just_now_can_be_said(tolerance: float, is_right: bool) -> None:
    for now in (SENT + 10, SENT - 10):
        try:
            verify(headers_of(), BODY, SECRET, tolerance=tolerance, now=now)
        except WebhookVerificationError:
            assert not is_right
        else:
            assert is_right


def test_by_itself_it_looks_at_the_clock() -> None:
    sent = int(datetime.now(UTC).timestamp())
    assert verify(headers_of(sent=sent), BODY, SECRET)
    with pytest.raises(WebhookVerificationError) as caught:
        verify(headers_of(sent=sent - 400), BODY, SECRET)
    assert caught.value.reason == "too_old"


@given(st.data())
def test_a_change_of_any_byte_is_refused(data: st.DataObject) -> None:
    parts = {**headers_of(), "body": BODY.decode("latin-1")}
    part = data.draw(st.sampled_from(sorted(parts)))
    text = parts[part]
    at = data.draw(st.integers(0, len(text) - 1))
    most = 0xFF if part == "body" else 0x7E
    other = data.draw(st.text(st.characters(min_codepoint=0x20, max_codepoint=most), max_size=2))
    changed = text[:at] + other + text[at + 1 :]
    parts[part] = changed
    is_same = changed == text
    if part == "webhook-signature":  # a blank before or behind it changes nothing
        is_same = text in changed.split(" ")
    if not is_same:
        body = parts.pop("body").encode("latin-1")
        refusal(parts, body)


@pytest.mark.parametrize(
    ("id", "timestamp", "body"),
    [
        ("e1.1750000000", "1750000000", b"x"),
        ("e", "1750000000", b".1750000000." + BODY),
        ("e1.1750000000", str(SENT), BODY),
    ],
)
def test_dots_do_not_move(id: str, timestamp: str, body: bytes) -> None:
    headers = {**headers_of(), "webhook-id": id, "webhook-timestamp": timestamp}
    assert refusal(headers, body) == "unsigned"


HEADERS = tuple(headers_of())
ODD: list[tuple[object, Reason]] = [
    (None, "missing"),
    ("", "missing"),
    (b"", "missing"),
    (17, "missing"),
    (["e1"], "missing"),
    ("é", "malformed"),
    ("a\x00", "malformed"),
    ("a\r\nb: c", "malformed"),
    (b"\xff", "malformed"),
    ("\ud800", "malformed"),
]


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize(("value", "reason"), ODD)
def test_headers_must_be_headers(name: str, value: object, reason: Reason) -> None:
    assert refusal({**headers_of(), name: value}) == reason


@pytest.mark.parametrize("name", HEADERS)
def test_headers_must_be_there_once(name: str) -> None:
    headers = headers_of()
    assert refusal({known: headers[known] for known in HEADERS if known != name}) == "missing"
    assert refusal({**headers, name.title(): headers[name]}) == "doubled"
    assert refusal([*headers.items(), (name.encode(), headers[name])]) == "doubled"


@pytest.mark.parametrize(
    "timestamp",
    [
        "now",
        "1750000000.5",
        "-1750000000",
        "+1750000000",
        "1_750_000_000",
        " 1750000000",
        "1750000000 ",
        "1e9",
        "0x684EC180",
        "9" * 16,
        "9" * 5000,
        "NaN",
        "2025-06-15T15:06:40Z",
    ],
)
def test_timestamps_are_whole_seconds(timestamp: str) -> None:
    assert refusal({**headers_of(), "webhook-timestamp": timestamp}) == "malformed"


ANYTHING = st.none() | st.integers() | st.text() | st.binary() | st.lists(st.text(), max_size=2)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*HEADERS, "Webhook-ID", b"WEBHOOK-SIGNATURE", "", None]) | ANYTHING,
            st.sampled_from([*headers_of().values(), "v1,", "v1"]) | ANYTHING,
        )
    ),
    st.binary() | st.text(st.characters()) | st.just("\ud800"),
)
def test_nothing_that_arrives_raises_anything_else(headers: list[Any], body: bytes | str) -> None:
    refusal(headers, body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"type":"x","data":{}}',
        b'{"type":"x","timestamp":"2025-06-15T15:06:40Z"}',
        b'{"type":"x","timestamp":"2025-06-15T15:06:40Z","data":[]}',
        b'{"type":"x","timestamp":"2025-06-15T15:06:40","data":{}}',
        b'{"type":"x","timestamp":1750000000,"data":{}}',
        b'{"type":null,"timestamp":"2025-06-15T15:06:40Z","data":{}}',
        b'{"type":"\xff","timestamp":"2025-06-15T15:06:40Z","data":{}}',
    ],
)
def test_a_body_is_read_once_it_is_known_to_be_signed(body: bytes) -> None:
    assert refusal(headers_of(body), body) == "no_event"
    assert refusal(headers_of(body, OTHER), body) == "unsigned"


# Secrets


@pytest.mark.parametrize("length", [24, 32, 64])
def test_secrets_have_some_length(length: int) -> None:
    secret = secret_of(b"k" * length)
    assert verify(headers_of(BODY, secret), BODY, secret, now=NOW)


NO_SECRETS: list[Any] = [
    "",
    "whsec_",
    None,
    0,
    b"",
    SECRET.encode(),
    SECRET.removeprefix("whsec_"),
    SECRET.upper(),
    SECRET + "\n",
    SECRET + "ü",
    SECRET[:-1],
    secret_of(b"k" * 23),
    secret_of(b"k" * 65),
    "whsec_" + "-_" * 16,
]


@pytest.mark.parametrize("secret", NO_SECRETS)
def test_what_is_no_secret_is_a_mistake_of_whoever_gives_it(secret: Any) -> None:
    for known in (secret, [secret], [SECRET, secret], iter([secret, SECRET])):
        with pytest.raises(SettingsError, match="24 to 64 bytes"):
            verify(headers_of(), BODY, known, now=NOW)
    for call in (lambda: sign("e1", SENT, BODY, secret), lambda: signed("x", {}, secret)):
        with pytest.raises(ValueError, match="24 to 64 bytes"):
            call()


def test_no_secrets_are_no_secret() -> None:
    empty: list[Iterable[str]] = [[], (), iter(())]
    for nothing in empty:
        with pytest.raises(SettingsError):
            verify(headers_of(), BODY, nothing, now=NOW)


MISTAKES: list[Callable[[], object]] = [
    lambda: verify({}, BODY, SECRET),
    lambda: verify(headers_of(), BODY, SECRET),
    lambda: verify(headers_of(), BODY + b" ", [SECRET, SECRET], now=NOW),
    lambda: verify(headers_of(b"{"), b"{", SECRET, now=NOW),
    lambda: verify(headers_of(), BODY, SECRET + "\n", now=NOW),
    lambda: verify(headers_of(), BODY, [SECRET, SECRET + "\n"], now=NOW),
    lambda: sign("e1", SENT, BODY, SECRET[:-1]),
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_no_error_shows_a_secret_nor_what_would_have_been_right(
    mistake: Callable[[], object],
) -> None:
    with pytest.raises(ChatloomError) as caught:
        mistake()
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [one for one in frames.stack if one.filename == chatloom.webhooks.__file__]
    assert ours
    parts = chain.from_iterable(one.locals.items() for one in ours if one.locals)
    shown = " ".join([str(caught.value), repr(caught.value), *map(str, parts)])
    assert SECRET[6:-4] not in shown
    assert "canary" not in shown
    assert sign("e1", SENT, BODY + b" ", SECRET) not in shown
    assert "canary" not in repr(vars(caught.value))


# Errors, and tests of receivers


def test_an_error_says_why_and_survives_a_pickle() -> None:
    with pytest.raises(ChatloomError) as caught:
        verify(headers_of(), BODY, OTHER, now=NOW)
    error = pickle.loads(pickle.dumps(caught.value))
    assert type(error) is WebhookVerificationError
    assert (str(error), error.reason) == (str(caught.value), "unsigned")
    assert not isinstance(error, ValueError)


def test_receivers_can_be_tested_with_what_the_server_sends(openai: OpenAI) -> None:
    headers, body = signed("chat.response", DATA, SECRET, id="e1", now=SENT + 0.25)
    told = Told(id="e1", account_id="a", type="chat.response", at=SENT * 1000 + 250, data=DATA)
    assert body == told.body()
    assert headers == {"content-type": "application/json", **headers_of(body)}
    assert verify(headers, body, SECRET, now=NOW).data == DATA

    headers, body = signed("chat.response", DATA, SECRET)
    assert verify(headers, body, SECRET).id == headers["webhook-id"]
    assert standardwebhooks.Webhook(SECRET).verify(body, headers) == json.loads(body)
    openai.webhooks.unwrap(body, headers, secret=SECRET)


def test_each_of_them_is_another_event() -> None:
    ids = {signed("x", {}, SECRET)[0]["webhook-id"] for _ in range(10)}
    assert len(ids) == 10
