"""What the Infinity Assistant SDK raises."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

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
from infinity_assistant import (
    InfinityAssistantAuthenticationError,
    InfinityAssistantClient,
    InfinityAssistantConflictError,
    InfinityAssistantError,
    InfinityAssistantForbiddenError,
    InfinityAssistantNetworkError,
    InfinityAssistantNotFoundError,
    InfinityAssistantRateLimitError,
    InfinityAssistantServerError,
    InfinityAssistantServerTimeoutError,
    InfinityAssistantStreamInterruptedError,
    InfinityAssistantStreamTruncatedError,
    InfinityAssistantTimeoutError,
    InfinityAssistantUnexpectedStatusError,
    InfinityAssistantUnreachableError,
    InfinityAssistantUnreadableAnswerError,
    InfinityAssistantValidationError,
)
from infinity_assistant.exceptions import documented
from infinity_assistant.service import Service
from support.scripted import Answer, Scripted
from transports.scripted import Peer, serving


def raised_by(answer: Answer) -> InfinityAssistantError:
    service = Service(Engine(Sync, Scripted(answer), named=documented))
    with pytest.raises(InfinityAssistantError) as caught:
        service.chat(message="hi")
    return caught.value


def refusal(status: int, **body: Any) -> Response:
    return Response(status, {}, json.dumps({"success": False, "error": "no", **body}).encode())


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (302, InfinityAssistantUnexpectedStatusError, None),
        (400, InfinityAssistantValidationError, "VALIDATION_ERROR"),
        (401, InfinityAssistantAuthenticationError, "AUTHENTICATION_ERROR"),
        (403, InfinityAssistantForbiddenError, "FORBIDDEN"),
        (404, InfinityAssistantNotFoundError, "NOT_FOUND"),
        (408, InfinityAssistantServerTimeoutError, "TIMEOUT"),
        (409, InfinityAssistantConflictError, "CONFLICT"),
        (422, InfinityAssistantUnexpectedStatusError, None),
        (429, InfinityAssistantRateLimitError, "RATE_LIMIT"),
        (499, InfinityAssistantUnexpectedStatusError, None),
        (500, InfinityAssistantServerError, "SERVER_ERROR"),
        (503, InfinityAssistantServerError, "SERVER_ERROR"),
        (504, InfinityAssistantServerTimeoutError, "TIMEOUT"),
        (599, InfinityAssistantServerError, "SERVER_ERROR"),
    ],
)
def test_each_status_has_its_exception(status: int, kind: type, code: str | None) -> None:
    error = raised_by(refusal(status))
    assert (type(error), error.status_code, error.code) == (kind, status, code)
    assert (error.message, str(error)) == ("no", f"{code}: no" if code else "no")
    assert isinstance(error, StatusError)


def test_a_code_of_the_servers_own_is_told_but_where_the_document_names_one() -> None:
    assert raised_by(refusal(400, code="TOO_LONG")).code == "TOO_LONG"
    assert str(raised_by(refusal(401, code="INVALID_API_KEY"))) == "INVALID_API_KEY: no"
    assert raised_by(refusal(429, code="RATE_LIMIT_EXCEEDED")).code == "RATE_LIMIT"


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": "text"}, "text", "VALIDATION_ERROR"),
        ({"error": "short", "message": "text"}, "text", "VALIDATION_ERROR"),
        ({"error": {"message": "text", "code": "X", "details": [1]}}, "text", "X"),
        ({"error": {"message": "text", "code": "X"}, "message": "other"}, "text", "X"),
        ({"error": {"odd": 1}}, "HTTP 400", "VALIDATION_ERROR"),
        ({"error": ["odd"]}, "HTTP 400", "VALIDATION_ERROR"),
        ([], "HTTP 400", "VALIDATION_ERROR"),
    ],
    ids=str,
)
def test_an_error_may_have_any_shape(body: Any, message: str, code: str) -> None:
    error = raised_by(Response(400, {}, json.dumps(body).encode()))
    assert (error.message, error.code, error.response) == (message, code, body)
    assert str(error) == f"{code}: {message}"


@pytest.mark.parametrize(("body", "message"), [(b"<html>", "HTTP 502"), (b"down", "down")])
def test_an_error_may_be_no_json(body: bytes, message: str) -> None:
    assert raised_by(Response(502, {}, body)).message == message


def test_a_route_nobody_has_is_told_from_a_thing_nobody_has() -> None:
    page = raised_by(Response(404, {}, b"<!DOCTYPE html>"))
    assert page.message == "this server has no such route: 404 from POST /api/chat"
    assert raised_by(refusal(404)).message == "no"
    assert documented(StatusError("gone", status_code=404, body="")).message.endswith(": gone")


@pytest.mark.parametrize(
    ("error", "kind", "status", "code"),
    [
        (ConnectError("no"), InfinityAssistantUnreachableError, 0, "NETWORK_ERROR"),
        (TransportError("no"), InfinityAssistantNetworkError, 0, "NETWORK_ERROR"),
        (TimedOut("no"), InfinityAssistantTimeoutError, 408, "TIMEOUT"),
        (ConnectTimedOut("no"), InfinityAssistantTimeoutError, 408, "TIMEOUT"),
    ],
)
def test_each_mishap_on_the_way_has_its_exception(
    error: ChatloomError, kind: type, status: int, code: str
) -> None:
    named = raised_by(error)
    assert (type(named), str(named), named.__cause__) == (kind, f"{code}: no", error)
    assert (named.status_code, named.code) == (status, code)


def test_what_is_the_callers_own_doing_is_told_as_such() -> None:
    error = SettingsError("the client is closed")
    service = Service(Engine(Sync, Scripted(error), named=documented))
    with pytest.raises(SettingsError) as caught:
        service.health()
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StreamError("no"), InfinityAssistantStreamInterruptedError),
        (Truncated("no"), InfinityAssistantStreamTruncatedError),
        (AnswerError("no"), InfinityAssistantUnreadableAnswerError),
        (StatusError("no"), InfinityAssistantError),
        (ChatloomError("no"), InfinityAssistantError),
    ],
)
def test_every_error_of_the_engine_has_a_documented_name(error: ChatloomError, kind: type) -> None:
    assert type(documented(error)) is kind


@pytest.mark.parametrize(
    ("kind", "caught_as"),
    [
        (InfinityAssistantRateLimitError, StatusError),
        (InfinityAssistantNetworkError, TransportError),
        (InfinityAssistantUnreachableError, InfinityAssistantNetworkError),
        (InfinityAssistantUnreachableError, ConnectError),
        (InfinityAssistantTimeoutError, TimeoutError),
        (InfinityAssistantTimeoutError, TimedOut),
        (InfinityAssistantServerTimeoutError, InfinityAssistantTimeoutError),
        (InfinityAssistantStreamInterruptedError, StreamError),
        (InfinityAssistantStreamTruncatedError, InfinityAssistantStreamInterruptedError),
        (InfinityAssistantStreamTruncatedError, InfinityAssistantNetworkError),
        (InfinityAssistantStreamTruncatedError, Truncated),
        (InfinityAssistantUnreadableAnswerError, AnswerError),
        (InfinityAssistantError, ChatloomError),
    ],
)
def test_exceptions_are_caught_by_their_bases(kind: type, caught_as: type) -> None:
    assert issubclass(kind, caught_as)
    assert issubclass(kind, InfinityAssistantError)


def facts(error: InfinityAssistantError) -> Any:
    told = (error.message, error.code, error.status_code, error.response, error.retry_after)
    return type(error), str(error), told


@pytest.mark.parametrize(
    ("error", "shown", "told"),
    [
        (InfinityAssistantError("why"), "why", (None, None, None)),
        (InfinityAssistantError("why", "X", 418, {"a": 1}), "X: why", ("X", 418, {"a": 1})),
        (InfinityAssistantRateLimitError("why"), "RATE_LIMIT: why", ("RATE_LIMIT", 429, None)),
        (InfinityAssistantTimeoutError("why"), "TIMEOUT: why", ("TIMEOUT", 408, None)),
        (InfinityAssistantNetworkError(), "NETWORK_ERROR", ("NETWORK_ERROR", 0, None)),
        (InfinityAssistantServerError("why"), "SERVER_ERROR: why", ("SERVER_ERROR", 500, None)),
    ],
)
def test_errors_are_made_as_the_document_says_and_can_be_pickled(
    error: InfinityAssistantError, shown: str, told: Any
) -> None:
    assert (str(error), (error.code, error.status_code, error.response)) == (shown, told)
    assert facts(pickle.loads(pickle.dumps(error))) == facts(error)


def test_a_received_error_can_be_pickled() -> None:
    error = raised_by(refusal(503, details=[1], retryAfter=2))
    assert facts(pickle.loads(pickle.dumps(error))) == facts(error)
    assert (error.status_code, error.retry_after) == (503, 2)


KEY = "ia_canary_0123456789"


def test_the_key_of_the_client_is_in_no_error() -> None:
    with serving(echo) as server, InfinityAssistantClient(KEY, server.url) as client:
        for key in (KEY, f"{KEY}_other"):
            client.set_api_key(key)
            with pytest.raises(InfinityAssistantAuthenticationError) as caught:
                client.health()
            assert KEY not in repr(client) + repr(vars(client)) + str(vars(caught.value))
            assert caught.value.message == "bad key [key]"


def echo(peer: Peer) -> None:
    while True:
        (key,) = peer.asked().all("x-api-key")
        peer.answer(json.dumps({"error": f"bad key {key}"}).encode(), status=b"401 Unauthorized")
