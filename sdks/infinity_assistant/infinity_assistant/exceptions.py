"""What can go wrong; every name begins with ``InfinityAssistant``.

    Error                        everything that goes wrong with a request
    ├── ValidationError          400
    ├── AuthenticationError      401
    ├── ForbiddenError           403
    ├── NotFoundError            404
    ├── ConflictError            409
    ├── RateLimitError           429
    ├── ServerError              5xx
    ├── UnexpectedStatusError    any other status that is no success
    ├── UnreadableAnswerError    success, with a body that makes no sense, or says otherwise
    ├── TimeoutError             it took too long (also a `TimeoutError`)
    │   └── ServerTimeoutError   408 and 504: too long for the server
    ├── NetworkError             no answer arrived
    │   └── UnreachableError     nothing was sent
    └── StreamInterruptedError   a streamed answer broke off
        └── StreamTruncatedError it ended without saying that it was done (also a `NetworkError`)

Each is also the `chatloom` error of its meaning (`StatusError`, `TransportError`,
`StreamError` …) and carries the attributes of all of them: status_code, code,
request_id, retry_after, attempts, body. Beside them there is `chatloom.SettingsError`,
a ValueError, for a client that was set up or used wrongly.
"""

from __future__ import annotations

from typing import ClassVar, Self, cast

from chatloom.core.errors import (
    AnswerError,
    ChatloomError,
    ConnectError,
    StatusError,
    StreamError,
    TimedOut,
    TransportError,
    Truncated,
)
from chatloom.core.http import JSON

__all__ = [
    "InfinityAssistantAuthenticationError",
    "InfinityAssistantConflictError",
    "InfinityAssistantError",
    "InfinityAssistantForbiddenError",
    "InfinityAssistantNetworkError",
    "InfinityAssistantNotFoundError",
    "InfinityAssistantRateLimitError",
    "InfinityAssistantServerError",
    "InfinityAssistantServerTimeoutError",
    "InfinityAssistantStreamInterruptedError",
    "InfinityAssistantStreamTruncatedError",
    "InfinityAssistantTimeoutError",
    "InfinityAssistantUnexpectedStatusError",
    "InfinityAssistantUnreachableError",
    "InfinityAssistantUnreadableAnswerError",
    "InfinityAssistantValidationError",
]

_BY_STATUS: dict[int, type[InfinityAssistantError]] = {}


class InfinityAssistantError(ChatloomError):
    """Base of all errors of this SDK, shown as ``CODE: message``.

    `response` is the answer's body, decoded where it was JSON.
    """

    _status: ClassVar[int | None] = None
    _code: ClassVar[str | None] = None
    _is_named: ClassVar[bool] = False
    """Whether the document fixes the code, whatever the server's own word."""

    def __init_subclass__(
        cls, *, statuses: tuple[int, ...] = (), code: str | None = None, is_named: bool = False
    ) -> None:
        super().__init_subclass__()
        if statuses:
            cls._status = statuses[0]
        if code is not None:
            cls._code, cls._is_named = code, is_named
        for status in statuses:
            if status:
                _BY_STATUS[status] = cls

    def __init__(
        self,
        message: str = "",
        code: str | None = None,
        status_code: int | None = None,
        response: JSON = None,
    ) -> None:
        super().__init__(message, code=code or self._code, body=response)
        self.status_code = self._status if status_code is None else status_code

    @property
    def response(self) -> JSON:
        """The answer's body: decoded where it was JSON, else its text."""
        return self.body

    def __str__(self) -> str:
        return ": ".join(part for part in (self.code, self.message) if part)

    @classmethod
    def like(cls, error: ChatloomError) -> Self:
        """Say the same as *error* does, as this class."""
        own = cls(error.message)
        status, code = own.status_code, own.code
        own.__dict__.update(error.__dict__)
        own.status_code = status if error.status_code is None else error.status_code
        own.code = code if cls._is_named or error.code is None else error.code
        return own


class InfinityAssistantValidationError(
    InfinityAssistantError, StatusError, statuses=(400,), code="VALIDATION_ERROR"
):
    """The request's parameters are invalid."""


class InfinityAssistantAuthenticationError(
    InfinityAssistantError, StatusError, statuses=(401,), code="AUTHENTICATION_ERROR"
):
    """The API key is missing, wrong, revoked or expired."""


class InfinityAssistantForbiddenError(
    InfinityAssistantError, StatusError, statuses=(403,), code="FORBIDDEN"
):
    """The API key may not do this."""


class InfinityAssistantNotFoundError(
    InfinityAssistantError, StatusError, statuses=(404,), code="NOT_FOUND"
):
    """No such thing, none that this key may see, or no such route on this server."""

    @classmethod
    def like(cls, error: ChatloomError) -> Self:
        own = super().like(error)
        if isinstance(error.body, str):  # a page of a web server, which knows no such address
            where = cast("list[str]", getattr(error, "__notes__", []))
            own.message = f"this server has no such route: {where[0] if where else error.message}"
        return own


class InfinityAssistantConflictError(
    InfinityAssistantError, StatusError, statuses=(409,), code="CONFLICT"
):
    """What is asked does not fit how things are now."""


class InfinityAssistantRateLimitError(
    InfinityAssistantError, StatusError, statuses=(429,), code="RATE_LIMIT", is_named=True
):
    """Too many requests, even after waiting as long as the server asked.

    `retry_after` is in seconds, where the server told.
    """


class InfinityAssistantServerError(
    InfinityAssistantError, StatusError, statuses=(500,), code="SERVER_ERROR"
):
    """The server, or the provider behind it, failed. Stands for every 5xx."""


class InfinityAssistantUnexpectedStatusError(InfinityAssistantError, StatusError):
    """Any other status that is no success."""


class InfinityAssistantUnreadableAnswerError(
    InfinityAssistantError, AnswerError, code="UNREADABLE_ANSWER"
):
    """The server answered with success, and a body that makes no sense, or says otherwise."""


class InfinityAssistantTimeoutError(
    InfinityAssistantError, TimedOut, code="TIMEOUT", is_named=True
):
    """Connecting, or the silence between two reads, took longer than `timeout`.

    Its `status_code` is 408, though no answer arrived.
    """

    _status = 408


class InfinityAssistantServerTimeoutError(
    InfinityAssistantTimeoutError, StatusError, statuses=(408, 504)
):
    """It took too long for the server, or for one before it."""


class InfinityAssistantNetworkError(
    InfinityAssistantError, TransportError, code="NETWORK_ERROR", is_named=True
):
    """No answer arrived. Its `status_code` is 0."""

    _status = 0


class InfinityAssistantUnreachableError(InfinityAssistantNetworkError, ConnectError):
    """No connection came about, so nothing was sent."""


class InfinityAssistantStreamInterruptedError(
    InfinityAssistantError, StreamError, code="STREAM_INTERRUPTED"
):
    """A streamed answer failed, or ended before it was whole.

    Its `text` is what had arrived, `usage` what the server had counted.
    """


class InfinityAssistantStreamTruncatedError(
    InfinityAssistantStreamInterruptedError,
    InfinityAssistantNetworkError,
    Truncated,
    code="STREAM_TRUNCATED",
):
    """A streamed answer ended, or its connection was lost, before it said that it was done."""


_KINDS: tuple[tuple[type[ChatloomError], type[InfinityAssistantError]], ...] = (
    (Truncated, InfinityAssistantStreamTruncatedError),
    (StreamError, InfinityAssistantStreamInterruptedError),
    (TimedOut, InfinityAssistantTimeoutError),
    (ConnectError, InfinityAssistantUnreachableError),
    (TransportError, InfinityAssistantNetworkError),
    (AnswerError, InfinityAssistantUnreadableAnswerError),
)


def documented(error: ChatloomError) -> InfinityAssistantError:
    """Turn any error of the engine into the one the document names."""
    return _kind(error).like(error)


def _kind(error: ChatloomError) -> type[InfinityAssistantError]:
    status = error.status_code
    if isinstance(error, StatusError) and status is not None:
        near = _BY_STATUS.get(min(status, 500), InfinityAssistantUnexpectedStatusError)
        return _BY_STATUS.get(status, near)
    return next((own for kind, own in _KINDS if isinstance(error, kind)), InfinityAssistantError)
