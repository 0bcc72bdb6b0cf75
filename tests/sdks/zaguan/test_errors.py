"""What the Zaguan SDK raises."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloom import ChatloomError
from chatloom.core.engine import Engine, Sync
from chatloom.core.errors import (
    AnswerError,
    ConnectError,
    ConnectTimedOut,
    SettingsError,
    StatusError,
    StreamError,
    TimedOut,
    TransportError,
    Truncated,
)
from chatloom.core.http import Response
from support.scripted import Answer, Scripted
from zaguan import (
    APIError,
    BandAccessDeniedError,
    ChatRequest,
    InsufficientCreditsError,
    Message,
    RateLimitError,
    ServerUnreachableError,
    StreamInterruptedError,
    StreamTruncatedError,
    UnreadableAnswerError,
    ZaguanConnectionError,
    ZaguanError,
    ZaguanTimeoutError,
)
from zaguan.errors import documented
from zaguan.operations import Zaguan

HI = ChatRequest(model="m", messages=[Message(role="user", content="hi")])


def raised_by(answer: Answer, *, stream: bool = False) -> ZaguanError:
    client = Zaguan(Engine(Sync, Scripted(answer), named=documented))
    ask = client.chat_stream if stream else client.chat
    with pytest.raises(ZaguanError) as caught:
        ask(HI)
    return caught.value


def refusal(status: int, error: Any, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, json.dumps({"error": error}).encode())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (402, {"type": "insufficient_credits"}, InsufficientCreditsError),
        (402, {"message": "pay"}, InsufficientCreditsError),
        (402, "pay", InsufficientCreditsError),
        (400, {"type": "insufficient_credits"}, InsufficientCreditsError),
        (429, {"type": "rate_limit_exceeded"}, RateLimitError),
        (429, {"type": "rate_limit_error"}, RateLimitError),
        (429, None, RateLimitError),
        (503, {"type": "rate_limit_exceeded"}, RateLimitError),
        (429, {"type": "insufficient_credits"}, InsufficientCreditsError),
        (403, {"type": "band_access_denied"}, BandAccessDeniedError),
        (403, {"message": "no", "band": "gold"}, BandAccessDeniedError),
        (403, {"details": {"band": "gold"}}, BandAccessDeniedError),
        (403, {"message": "no"}, APIError),
        (302, {}, APIError),
        (400, {"type": "invalid_request_error"}, APIError),
        (401, {"type": "authentication_error"}, APIError),
        (404, {"type": "not_found"}, APIError),
        (404, {"type": ["not_found"]}, APIError),
        (500, {"type": "server_error"}, APIError),
        (599, {}, APIError),
    ],
)
def test_each_refusal_has_its_exception(status: int, error: Any, kind: type, stream: bool) -> None:
    raised = raised_by(refusal(status, error), stream=stream)
    assert (type(raised), raised.status_code) == (kind, status)
    assert isinstance(raised, APIError)


EXTRAS: dict[str, Any] = {"credits_required": 5, "credits_remaining": 1.5, "reset_date": "d"}


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "pay", **EXTRAS}},
        {"error": {"message": "pay", "details": EXTRAS}},
        {"error": {"message": "pay", "credits_required": None, "details": EXTRAS}},
        {"error": {"message": "pay"}, "details": EXTRAS},
        {"error": "pay", **EXTRAS},
        {"error": {"message": "pay", **EXTRAS, "details": {"credits_required": 7}}},
    ],
)
def test_credits_are_read_wherever_they_stand(body: Any) -> None:
    error = raised_by(Response(402, {}, json.dumps(body).encode()))
    assert isinstance(error, InsufficientCreditsError)
    assert (error.credits_required, error.credits_remaining, error.reset_date) == (5, 1.5, "d")
    assert str(error) == "pay"


def test_credits_nobody_told_are_unknown() -> None:
    error = raised_by(refusal(402, {"credits_required": "5", "reset_date": 5}))
    assert isinstance(error, InsufficientCreditsError)
    assert (error.credits_required, error.credits_remaining, error.reset_date) == (None,) * 3


@pytest.mark.parametrize("place", ["flat", "details"])
def test_bands_are_read_wherever_they_stand(place: str) -> None:
    told = {"band": "gold", "required_tier": "pro", "current_tier": "free"}
    error = raised_by(refusal(403, told if place == "flat" else {"details": told}))
    assert isinstance(error, BandAccessDeniedError)
    assert (error.band, error.required_tier, error.current_tier) == ("gold", "pro", "free")


@pytest.mark.parametrize(
    ("error", "headers", "expected"),
    [
        ({"retry_after": 7}, {}, 7),
        ({"retry_after": 7.5}, {"retry_after": "8"}, 7.5),
        ({"details": {"retry_after": 7}}, {}, 7),
        ({}, {"retry_after": "7"}, 7),
        ({"retry_after": "soon"}, {"retry_after": "7"}, 7),
        ({}, {}, None),
        ({}, {"retry_after": "soon"}, None),
    ],
)
def test_the_wait_is_read_from_the_body_else_from_the_header(
    error: Any, headers: dict[str, str], expected: float | None
) -> None:
    raised = raised_by(refusal(429, error, **headers))
    assert isinstance(raised, RateLimitError)
    assert raised.retry_after == expected


BODIES = [
    b"",
    b"<html><h1>502</h1></html>",
    b"upstream went away",
    b'"no"',
    b"[]",
    b"[1, {}]",
    b"null",
    b"5",
    b'{"error": "no"}',
    b'{"error": ["no"]}',
    b'{"error": {"message": {"a": 1}, "details": []}}',
    b'{"detail": "no"}',
    b'{"detail": [{"loc": ["body"], "msg": "no"}]}',
    b"\xff\xfe",
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:20]))
@pytest.mark.parametrize("status", [400, 402, 403, 429, 502])
def test_no_body_is_beyond_reading(body: bytes, status: int) -> None:
    error = raised_by(Response(status, {"x-request-id": "r1"}, body))
    assert isinstance(error, APIError)
    assert (error.status_code, error.request_id, str(error) != "") == (status, "r1", True)


KEYS = st.sampled_from(["error", "details", "detail", "type", "message", "band", "retry_after"])
ANYTHING = st.recursive(
    st.sampled_from([None, True, 5, 0.5, 10**30, "x", "band_access_denied"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)
@given(body=ANYTHING, status=st.sampled_from([400, 402, 403, 429, 500]))
def test_no_json_is_beyond_reading(body: Any, status: int) -> None:
    raised = raised_by(Response(status, {}, json.dumps(body).encode()))
    assert isinstance(raised, APIError)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectError("no"), ServerUnreachableError),
        (TransportError("no"), ZaguanConnectionError),
        (TimedOut("no"), ZaguanTimeoutError),
        (ConnectTimedOut("no"), ZaguanTimeoutError),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_each_mishap_on_the_way_has_its_exception(
    error: ChatloomError, kind: type, stream: bool
) -> None:
    named = raised_by(error, stream=stream)
    assert (type(named), str(named), named.__cause__) == (kind, "no", error)


def test_what_is_the_callers_own_doing_is_told_as_such() -> None:
    error = SettingsError("the client is closed")
    with pytest.raises(SettingsError) as caught:
        Zaguan(Engine(Sync, Scripted(error), named=documented)).list_models()
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StreamError("no"), StreamInterruptedError),
        (Truncated("no"), StreamTruncatedError),
        (AnswerError("no"), UnreadableAnswerError),
        (StatusError("no"), APIError),
        (ChatloomError("no"), ZaguanError),
    ],
)
def test_every_error_of_the_engine_has_a_name_here(error: ChatloomError, kind: type) -> None:
    assert type(documented(error)) is kind


@pytest.mark.parametrize(
    ("kind", "caught_as"),
    [
        (APIError, ZaguanError),
        (APIError, StatusError),
        (InsufficientCreditsError, APIError),
        (RateLimitError, APIError),
        (BandAccessDeniedError, APIError),
        (ZaguanConnectionError, TransportError),
        (ServerUnreachableError, ConnectError),
        (ZaguanTimeoutError, ZaguanConnectionError),
        (ZaguanTimeoutError, TimeoutError),
        (StreamInterruptedError, StreamError),
        (StreamTruncatedError, StreamInterruptedError),
        (StreamTruncatedError, Truncated),
        (UnreadableAnswerError, AnswerError),
        (ZaguanError, ChatloomError),
    ],
)
def test_exceptions_are_caught_by_their_bases(kind: type, caught_as: type) -> None:
    assert issubclass(kind, caught_as)


@pytest.mark.parametrize(
    "kind", [APIError, InsufficientCreditsError, RateLimitError, BandAccessDeniedError]
)
def test_errors_can_be_made_as_the_document_says(kind: type[APIError]) -> None:
    error = kind(418, "no", "r1")
    assert (str(error), error.message, error.status_code, error.request_id) == (
        *("no", "no"),
        *(418, "r1"),
    )
    assert kind(status_code=418, message="no").request_id is None


def pickled(error: ZaguanError) -> ZaguanError:
    again: ZaguanError = pickle.loads(pickle.dumps(error))
    return again


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("status", [400, 402, 403, 429])
def test_errors_can_be_pickled(how: Any, status: int) -> None:
    told = {"message": "no", "band": "gold", "retry_after": 7, **EXTRAS}
    error = raised_by(refusal(status, told, x_request_id="r1"))
    again = how(error)
    assert type(again) is type(error)
    assert (vars(again), str(again), again.args) == (vars(error), str(error), error.args)


def test_an_error_tells_all_the_server_said() -> None:
    body = {"message": "no", "code": "x", "param": "model"}
    error = raised_by(refusal(400, body, x_request_id="r1"))
    assert (error.code, error.request_id, error.body) == ("x", "r1", {"error": body})
    assert error.__notes__ == ["400 from POST /v1/chat/completions"]
