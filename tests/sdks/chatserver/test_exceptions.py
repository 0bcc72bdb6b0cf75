"""What the ChatServer SDK raises."""

from __future__ import annotations

from functools import partial

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
from chatserver_sdk import (
    BadRequestError,
    ChatServerConnectionError,
    ChatServerError,
    ChatServerTimeoutError,
    ForbiddenError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
    ServerUnreachableError,
    StreamInterruptedError,
    StreamTruncatedError,
    UnauthorizedError,
    UnexpectedStatusError,
    UnreadableAnswerError,
)
from chatserver_sdk.completions import ChatServer
from chatserver_sdk.exceptions import documented
from support.scripted import Answer, Scripted

BODY = b'{"error": {"message": "no", "code": "x"}}'


def raised_by(answer: Answer, *, stream: bool = False) -> ChatServerError:
    chat = ChatServer(Engine(Sync, Scripted(answer), named=documented))
    ask = partial(chat.create_completion, stream=True) if stream else chat.create_completion
    with pytest.raises(ChatServerError) as caught:
        ask("m", ["hi"])
    return caught.value


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, UnexpectedStatusError),
        (400, BadRequestError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, UnexpectedStatusError),
        (422, UnexpectedStatusError),
        (429, RateLimitError),
        (500, InternalServerError),
        (502, InternalServerError),
        (503, InternalServerError),
        (599, InternalServerError),
    ],
)
def test_each_status_has_its_exception(status: int, kind: type, stream: bool) -> None:
    error = raised_by(Response(status, {}, BODY), stream=stream)
    assert (type(error), error.status_code) == (kind, status)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectError("no"), ServerUnreachableError),
        (TransportError("no"), ChatServerConnectionError),
        (TimedOut("no"), ChatServerTimeoutError),
        (ConnectTimedOut("no"), ChatServerTimeoutError),
    ],
)
def test_each_mishap_on_the_way_has_its_exception(error: ChatloomError, kind: type) -> None:
    named = raised_by(error)
    assert (type(named), str(named), named.__cause__) == (kind, "no", error)


def test_what_is_the_callers_own_doing_is_told_as_such() -> None:
    error = SettingsError("the client is closed")
    with pytest.raises(SettingsError) as caught:
        ChatServer(Engine(Sync, Scripted(error), named=documented)).list_models()
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StreamError("no"), StreamInterruptedError),
        (Truncated("no"), StreamTruncatedError),
        (AnswerError("no"), UnreadableAnswerError),
        (StatusError("no"), ChatServerError),
        (ChatloomError("no"), ChatServerError),
    ],
)
def test_every_error_of_the_engine_has_a_documented_name(error: ChatloomError, kind: type) -> None:
    assert type(documented(error)) is kind


@pytest.mark.parametrize(
    ("kind", "caught_as"),
    [
        (RateLimitError, ChatServerError),
        (RateLimitError, StatusError),
        (NotFoundError, StatusError),
        (ChatServerConnectionError, TransportError),
        (ChatServerTimeoutError, ChatServerConnectionError),
        (ChatServerTimeoutError, TimeoutError),
        (StreamInterruptedError, StreamError),
        (StreamTruncatedError, StreamInterruptedError),
        (StreamTruncatedError, Truncated),
        (ServerUnreachableError, ConnectError),
        (UnreadableAnswerError, AnswerError),
        (UnexpectedStatusError, StatusError),
        (ChatServerError, ChatloomError),
    ],
)
def test_exceptions_are_caught_by_their_bases(kind: type, caught_as: type) -> None:
    assert issubclass(kind, caught_as)


def test_an_error_tells_all_the_server_said() -> None:
    headers = {"x-request-id": "r1", "retry-after": "7"}
    error = raised_by(Response(429, headers, BODY, attempts=3))
    assert (str(error), error.message, error.code) == ("no", "no", "x")
    assert (error.request_id, error.retry_after, error.attempts) == ("r1", 7.0, 3)
    assert error.response == error.body == {"error": {"message": "no", "code": "x"}}
    assert error.__notes__ == ["429 from POST /v1/chat/completions"]


def test_an_older_servers_refusal_is_understood() -> None:
    body = b'{"error": "Too Many Requests", "message": "slower", "retry_after": 9}'
    error = raised_by(Response(429, {}, body))
    assert (type(error), error.message, error.retry_after) == (RateLimitError, "slower", 9.0)


def test_errors_can_be_made_as_the_document_says() -> None:
    error = ChatServerError("no", 418, {"a": 1})
    assert (str(error), error.message, error.status_code, error.response) == (
        "no",
        "no",
        418,
        {"a": 1},
    )
