"""What the ChatRoutes SDK raises."""

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
from chatloom.core.secret import Secret
from chatloom.policies.hooks import Hooks
from chatroutes import (
    AuthenticationError,
    AutobranchResource,
    ChatRoutes,
    ChatRoutesError,
    ConflictError,
    ConversationsResource,
    ForbiddenError,
    NetworkError,
    NetworkTimeoutError,
    NotFoundError,
    RateLimitError,
    ServerError,
    ServerUnreachableError,
    StreamInterruptedError,
    StreamTruncatedError,
    UnexpectedStatusError,
    UnreadableAnswerError,
    ValidationError,
)
from chatroutes.exceptions import documented
from support.scripted import Answer, Scripted
from transports.scripted import Peer, serving

BODY: dict[str, Any] = {"success": False, "error": "no", "message": "no such thing"}


def raised_by(answer: Answer) -> ChatRoutesError:
    resource = ConversationsResource(Engine(Sync, Scripted(answer), named=documented))
    with pytest.raises(ChatRoutesError) as caught:
        resource.create({"title": "T"})
    return caught.value


def refusal(status: int, **body: Any) -> Response:
    return Response(status, {}, json.dumps({**BODY, **body}).encode())


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (302, UnexpectedStatusError, "no"),
        (400, ValidationError, "VALIDATION_ERROR"),
        (401, AuthenticationError, "AUTHENTICATION_ERROR"),
        (403, ForbiddenError, "no"),
        (404, NotFoundError, "NOT_FOUND"),
        (409, ConflictError, "no"),
        (422, UnexpectedStatusError, "no"),
        (429, RateLimitError, "RATE_LIMIT_EXCEEDED"),
        (500, ServerError, "SERVER_ERROR"),
        (503, ServerError, "SERVER_ERROR"),
        (599, ServerError, "SERVER_ERROR"),
    ],
)
def test_each_status_has_its_exception(status: int, kind: type, code: str) -> None:
    error = raised_by(refusal(status))
    assert (type(error), error.status_code, error.code) == (kind, status, code)
    assert (str(error), error.message, error.details) == ("no such thing", "no such thing", None)


def test_an_error_tells_all_the_server_said() -> None:
    told = {"code": "MINE", "details": {"param": "title"}, "retryAfter": 7}
    error = raised_by(refusal(429, **told))
    assert (error.code, error.details, error.retry_after) == ("MINE", {"param": "title"}, 7.0)
    assert error.body == {**BODY, **told}


def test_an_error_may_be_an_object_or_nothing() -> None:
    inner = {"message": "why", "code": "X", "details": [1]}
    error = raised_by(Response(400, {}, json.dumps({"error": inner}).encode()))
    assert (error.message, error.code, error.details) == ("why", "X", [1])
    error = raised_by(Response(404, {"retry-after": "3"}, b"<html>"))
    assert (error.message, error.code, error.retry_after) == ("HTTP 404", "NOT_FOUND", 3.0)
    error = raised_by(Response(400, {}, b'{"error": "only this"}'))
    assert (error.message, error.details) == ("only this", None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectError("no"), ServerUnreachableError),
        (TransportError("no"), NetworkError),
        (TimedOut("no"), NetworkTimeoutError),
        (ConnectTimedOut("no"), NetworkTimeoutError),
    ],
)
def test_each_mishap_on_the_way_has_its_exception(error: ChatloomError, kind: type) -> None:
    named = raised_by(error)
    assert (type(named), str(named), named.__cause__) == (kind, "no", error)
    assert (named.status_code, named.code) == (0, "NETWORK_ERROR")


def test_what_is_the_callers_own_doing_is_told_as_such() -> None:
    error = SettingsError("the client is closed")
    with pytest.raises(SettingsError) as caught:
        ConversationsResource(Engine(Sync, Scripted(error), named=documented)).get("c")
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StreamError("no"), StreamInterruptedError),
        (Truncated("no"), StreamTruncatedError),
        (AnswerError("no"), UnreadableAnswerError),
        (StatusError("no"), ChatRoutesError),
        (ChatloomError("no"), ChatRoutesError),
    ],
)
def test_every_error_of_the_engine_has_a_documented_name(error: ChatloomError, kind: type) -> None:
    assert type(documented(error)) is kind


@pytest.mark.parametrize(
    ("kind", "caught_as"),
    [
        (ValidationError, StatusError),
        (RateLimitError, StatusError),
        (NetworkError, TransportError),
        (ServerUnreachableError, NetworkError),
        (ServerUnreachableError, ConnectError),
        (NetworkTimeoutError, NetworkError),
        (NetworkTimeoutError, TimeoutError),
        (StreamInterruptedError, StreamError),
        (StreamTruncatedError, StreamInterruptedError),
        (StreamTruncatedError, NetworkError),
        (StreamTruncatedError, Truncated),
        (UnreadableAnswerError, AnswerError),
        (UnexpectedStatusError, StatusError),
        (ChatRoutesError, ChatloomError),
    ],
)
def test_exceptions_are_caught_by_their_bases(kind: type, caught_as: type) -> None:
    assert issubclass(kind, caught_as)
    assert issubclass(kind, ChatRoutesError)


def facts(error: ChatRoutesError) -> Any:
    told = (error.message, error.status_code, error.code, error.details, error.retry_after)
    return type(error), str(error), told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ChatRoutesError("why"), (500, None, None, None)),
        (ChatRoutesError("why", 418, "TEAPOT", {"a": 1}), (418, "TEAPOT", {"a": 1}, None)),
        (ValidationError("why", {"a": 1}), (400, "VALIDATION_ERROR", {"a": 1}, None)),
        (AuthenticationError("why"), (401, "AUTHENTICATION_ERROR", None, None)),
        (NotFoundError("why"), (404, "NOT_FOUND", None, None)),
        (RateLimitError("why", 7, {"a": 1}), (429, "RATE_LIMIT_EXCEEDED", {"a": 1}, 7)),
        (ServerError("why"), (500, "SERVER_ERROR", None, None)),
        (NetworkError("why"), (0, "NETWORK_ERROR", None, None)),
        (NetworkTimeoutError("why", {"a": 1}), (0, "NETWORK_ERROR", {"a": 1}, None)),
    ],
)
def test_errors_are_made_as_the_document_says_and_can_be_pickled(
    error: ChatRoutesError, told: Any
) -> None:
    assert facts(error) == (type(error), "why", ("why", *told))
    assert facts(pickle.loads(pickle.dumps(error))) == facts(error)


def test_a_received_error_can_be_pickled() -> None:
    error = raised_by(refusal(503, details=[1], retryAfter=2))
    assert facts(pickle.loads(pickle.dumps(error))) == facts(error)
    assert error.status_code == 503


KEY = "sk-canary-0123456789"


@pytest.mark.parametrize("key", [KEY, Secret(KEY), 'a "key" it\'s\\not'])
@pytest.mark.parametrize("status", [200, 400])
def test_a_providers_key_is_in_no_error(key: str | Secret, status: int) -> None:
    shown = key.reveal() if isinstance(key, Secret) else key
    body = {"success": False, "error": f"bad key {shown}", "details": {"llmApiKey": shown}}
    seen: list[BaseException] = []
    hooks = Hooks(on_error=seen.append)
    answer = Response(status, {}, json.dumps(body).encode())
    engine = Engine(Sync, Scripted(answer), named=hooks.heard_by(documented))
    with pytest.raises(ChatRoutesError) as caught:
        AutobranchResource(engine).suggest_branches("t", llm_api_key=key)
    for error in (caught.value, *seen):
        told = [str(error), error.args, vars(error), getattr(error, "__notes__", ())]
        assert shown not in "".join(map(str, told)).replace("\\\\", "\\")
        assert json.dumps(shown)[1:-1] not in "".join(map(str, told))
    assert caught.value.message


def test_the_key_of_the_client_is_in_no_error() -> None:
    with serving(lambda peer: echo(peer)) as server, ChatRoutes(KEY, server.url) as client:
        with pytest.raises(AuthenticationError) as caught:
            client.conversations.get("c")
        assert KEY not in repr(client) + repr(vars(client)) + str(vars(caught.value))
        assert caught.value.message == "bad key [key]"


def echo(peer: Peer) -> None:
    key = peer.asked().all("authorization")[0].removeprefix("ApiKey ")
    peer.answer(json.dumps({"error": f"bad key {key}"}).encode(), status=b"401 Unauthorized")
