"""Errors tell what happened, survive a pickle, and hold no secret."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Iterator
from copy import copy

import pytest

import chatloom.core.errors as errors
import chatserver_sdk
from chatloom.core.engine import Engine, Sync
from chatloom.core.errors import (
    AnswerError,
    ChatloomError,
    ConnectError,
    ConnectTimedOut,
    SettingsError,
    StatusError,
    StreamError,
    TimedOut,
    TransportError,
    Truncated,
    refused,
)
from chatloom.core.http import Request, Response
from chatloom.core.outside import Policy
from chatloom.core.secret import Secret
from chatloom.policies.authorize import Authorize
from chatloom.policies.identify import Identify
from chatloom.policies.retry import Retry
from support.scripted import Answer, Scripted, arriving
from support.toy import ToyClient

OURS = {errors.__name__, f"{chatserver_sdk.__name__}.exceptions"}


def kinds(root: type[ChatloomError] = ChatloomError) -> Iterator[type[ChatloomError]]:
    if root.__module__ in OURS:
        yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


KINDS = sorted(set(kinds()), key=lambda kind: kind.__name__)
EVERYTHING = {
    "message": "no such model",
    "status_code": 404,
    "code": "model_not_found",
    "request_id": "r1",
    "retry_after": 1.5,
    "attempts": 3,
    "body": {"error": {"message": "no such model"}},
}


def told(kind: type[ChatloomError]) -> ChatloomError:
    """Make an error with all it may carry."""
    error = kind("no such model")
    vars(error).update(EVERYTHING)
    if isinstance(error, StreamError):
        error.text, error.usage, error.resume_token = "once", {"total_tokens": 1}, "t:7"
    error.add_note("404 from POST /v1/chat")
    return error


def test_every_error_there_is_was_found() -> None:
    assert {Truncated, SettingsError, chatserver_sdk.RateLimitError} < set(KINDS)
    assert {error.__name__ for error in KINDS if error.__module__ == errors.__name__} == {
        name for name, value in vars(errors).items() if isinstance(value, type)
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_everything(kind: type[ChatloomError], protocol: int) -> None:
    error = told(kind)
    again = pickle.loads(pickle.dumps(error, protocol))
    assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))


@pytest.mark.parametrize("kind", KINDS)
def test_copying_keeps_everything(kind: type[ChatloomError]) -> None:
    error = told(kind)
    assert vars(copy(error)) == vars(error)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", [StatusError, TimedOut, Truncated])
def test_an_error_can_be_said_as_another(
    kind: type[ChatloomError], other: type[ChatloomError]
) -> None:
    error = told(other)
    own = kind.like(error)
    assert (type(own), str(own), vars(own)) == (kind, str(error), vars(error))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_may_be_made_from_a_message_alone(kind: type[ChatloomError]) -> None:
    error = kind("no")
    assert (str(error), error.message) == ("no", "no")
    assert (error.status_code, error.code, error.request_id) == (None, None, None)
    assert (error.retry_after, error.attempts, error.body) == (None, 0, None)


@pytest.mark.parametrize("kind", [StreamError, Truncated, chatserver_sdk.StreamInterruptedError])
def test_a_broken_stream_starts_without_text(kind: type[StreamError]) -> None:
    error = kind("no")
    assert (error.text, error.usage, error.resume_token) == ("", None, None)


@pytest.mark.parametrize(
    ("kind", "caught_as"),
    [
        (SettingsError, ValueError),
        (ConnectError, TransportError),
        (TimedOut, TransportError),
        (TimedOut, TimeoutError),
        (ConnectTimedOut, ConnectError),
        (ConnectTimedOut, TimedOut),
        (Truncated, StreamError),
        *((kind, ChatloomError) for kind in KINDS),
    ],
)
def test_errors_are_caught_by_what_a_caller_can_do(
    kind: type[Exception], caught_as: type[Exception]
) -> None:
    assert issubclass(kind, caught_as)


@pytest.mark.parametrize("kind", [TransportError, StatusError, AnswerError, StreamError])
def test_the_branches_of_the_tree_do_not_touch(kind: type[ChatloomError]) -> None:
    branches = {TransportError, StatusError, AnswerError, StreamError, SettingsError}
    assert not any(issubclass(kind, other) for other in branches - {kind})


@pytest.mark.parametrize(
    ("host", "hint"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("api.example.com", False)],
)
def test_a_refused_local_connection_says_how_to_start_a_server(host: str, hint: bool) -> None:
    error = refused(Request("GET", "/v1/models"), host, 3284, "Connection refused")
    start = f"GET /v1/models could not connect to {host}:3284: Connection refused"
    assert str(error).startswith(start)
    assert ("chatloom serve --dev" in str(error)) is hint


CANARY = "canary-secret"

MISHAPS: list[list[Answer]] = [
    [Response(401, {}, b'{"error": {"message": "who are you?"}}')],
    [Response(503), Response(503)],
    [Response(200, {}, b"nonsense")],
    [TransportError("lost"), Response(404)],
    [ConnectError("refused"), TimedOut("too long")],
]


def shown(error: BaseException) -> str:
    """Whatever a log, a crash report or another process may see of *error*."""
    lines = traceback.format_exception(error)
    cause: BaseException | None = error
    while cause is not None:
        lines += [str(cause), repr(cause), repr(vars(cause)), repr(pickle.dumps(cause))]
        cause = cause.__cause__
    return "\n".join(lines)


def signed(*script: Answer) -> tuple[ToyClient, Scripted]:
    outside = Scripted(*script)
    policies: list[Policy] = [Identify(), Retry(1), Authorize(Secret(CANARY))]
    return ToyClient(Engine(Sync, outside, policies)), outside


@pytest.mark.parametrize("script", MISHAPS)
def test_an_error_never_holds_the_key(script: list[Answer]) -> None:
    client, outside = signed(*script)
    with pytest.raises(ChatloomError) as caught:
        client.ask("hi")
    assert outside.requests[-1].header("authorization") == f"Bearer {CANARY}"
    assert CANARY not in shown(caught.value)


def test_a_broken_stream_never_holds_the_key() -> None:
    client, _ = signed(arriving(b"data: once\n\n", TransportError("lost")))
    with pytest.raises(StreamError) as caught:
        client.tell().collect()
    assert CANARY not in shown(caught.value)


def test_neither_clients_nor_requests_show_the_key() -> None:
    client, outside = signed(Response(200, {}, b"[]"))
    client.ask("hi")
    assert CANARY in str(outside.requests[0].headers)
    for value in (client, vars(client), outside.requests, str(outside.requests[0])):
        assert CANARY not in repr(value)
