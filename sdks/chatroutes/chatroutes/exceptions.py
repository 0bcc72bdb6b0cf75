"""What can go wrong.

    ChatRoutesError                everything that goes wrong with a request
    ├── ValidationError            400
    ├── AuthenticationError        401
    ├── ForbiddenError             403
    ├── NotFoundError              404
    ├── ConflictError              409
    ├── RateLimitError             429
    ├── ServerError                5xx
    ├── UnexpectedStatusError      any other status that is no success
    ├── UnreadableAnswerError      success, with a body that makes no sense
    ├── NetworkError               no answer arrived
    │   ├── ServerUnreachableError nothing was sent
    │   └── NetworkTimeoutError    it took too long (also a `TimeoutError`)
    └── StreamInterruptedError     a streamed answer broke off
        └── StreamTruncatedError   it ended without saying that it was done (also a `NetworkError`)

Each is also the `chatloom` error of its meaning (`StatusError`, `TransportError`,
`StreamError` …) and carries the attributes of all of them: status_code, code,
request_id, retry_after, attempts, body. Beside them there is `chatloom.SettingsError`,
a ValueError, for a client that was set up or used wrongly.
"""

from __future__ import annotations

from typing import ClassVar, Self

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
    "AuthenticationError",
    "ChatRoutesError",
    "ConflictError",
    "ForbiddenError",
    "NetworkError",
    "NetworkTimeoutError",
    "NotFoundError",
    "RateLimitError",
    "ServerError",
    "ServerUnreachableError",
    "StreamInterruptedError",
    "StreamTruncatedError",
    "UnexpectedStatusError",
    "UnreadableAnswerError",
    "ValidationError",
]

_BY_STATUS: dict[int, type[ChatRoutesError]] = {}


class ChatRoutesError(ChatloomError):
    """Base of all errors of this SDK; `status_code` is what was received, else what fits."""

    _status: ClassVar[int] = 500
    _code: ClassVar[str | None] = None

    details: JSON
    """What the server told beside the message."""

    def __init_subclass__(cls, *, status: int | None = None, code: str | None = None) -> None:
        super().__init_subclass__()
        if status is not None:
            cls._status = status
            _BY_STATUS[status] = cls
        if code is not None:
            cls._code = code

    def __init__(
        self,
        message: str = "",
        status_code: int | None = None,
        code: str | None = None,
        details: JSON = None,
    ) -> None:
        super().__init__(message, status_code=status_code, code=code or self._code)
        self.status_code = self._status if status_code is None else status_code
        self.details = details

    @classmethod
    def like(cls, error: ChatloomError) -> Self:
        """Say the same as *error* does, as this class."""
        own = cls(error.message)
        status, code = own.status_code, own.code
        own.__dict__.update(error.__dict__)
        told = error.body if isinstance(error.body, dict) else {}
        inner = told.get("error")
        if code is None and isinstance(error, StatusError) and isinstance(inner, str):
            code = inner
        own.status_code = status if error.status_code is None else error.status_code
        own.code = error.code or code
        own.details = inner.get("details") if isinstance(inner, dict) else None
        own.details = told.get("details", own.details)
        return own


class _Detailed(ChatRoutesError):
    """One whose status and code are known."""

    def __init__(self, message: str = "", details: JSON = None) -> None:
        super().__init__(message, details=details)


class ValidationError(_Detailed, StatusError, status=400, code="VALIDATION_ERROR"):
    """The request's parameters are invalid."""


class AuthenticationError(_Detailed, StatusError, status=401, code="AUTHENTICATION_ERROR"):
    """The API key is missing, wrong, revoked or expired."""


class ForbiddenError(_Detailed, StatusError, status=403):
    """The API key may not do this."""


class NotFoundError(_Detailed, StatusError, status=404, code="NOT_FOUND"):
    """No such thing, or none that this key may see."""


class ConflictError(_Detailed, StatusError, status=409):
    """What is asked does not fit how things are now."""


class RateLimitError(_Detailed, StatusError, status=429, code="RATE_LIMIT_EXCEEDED"):
    """Too many requests, even after waiting as long as the server asked."""

    def __init__(
        self, message: str = "", retry_after: float | None = None, details: JSON = None
    ) -> None:
        super().__init__(message, details)
        self.retry_after = retry_after


class ServerError(_Detailed, StatusError, status=500, code="SERVER_ERROR"):
    """The server, or the provider behind it, failed. Stands for every 5xx."""


class UnexpectedStatusError(ChatRoutesError, StatusError):
    """Any other status that is no success."""


class UnreadableAnswerError(ChatRoutesError, AnswerError):
    """The server answered with success, and a body that makes no sense."""


class NetworkError(_Detailed, TransportError, code="NETWORK_ERROR"):
    """No answer arrived. Its `status_code` is 0."""

    _status = 0


class ServerUnreachableError(NetworkError, ConnectError):
    """No connection came about, so nothing was sent."""


class NetworkTimeoutError(NetworkError, TimedOut):
    """Connecting, or the silence between two reads, took longer than `timeout`."""


class StreamInterruptedError(_Detailed, StreamError):
    """A streamed answer failed, or ended before it was whole.

    Its `text` is what had arrived, `usage` what the server had counted.
    """


class StreamTruncatedError(StreamInterruptedError, NetworkError, Truncated):
    """A streamed answer ended, or its connection was lost, before it said that it was done."""


_KINDS: tuple[tuple[type[ChatloomError], type[ChatRoutesError]], ...] = (
    (Truncated, StreamTruncatedError),
    (StreamError, StreamInterruptedError),
    (TimedOut, NetworkTimeoutError),
    (ConnectError, ServerUnreachableError),
    (TransportError, NetworkError),
    (AnswerError, UnreadableAnswerError),
)


def documented(error: ChatloomError) -> ChatRoutesError:
    """Turn any error of the engine into the one the document names."""
    return _kind(error).like(error)


def _kind(error: ChatloomError) -> type[ChatRoutesError]:
    if isinstance(error, StatusError) and error.status_code is not None:
        return _BY_STATUS.get(min(error.status_code, 500), UnexpectedStatusError)
    return next((own for kind, own in _KINDS if isinstance(error, kind)), ChatRoutesError)
