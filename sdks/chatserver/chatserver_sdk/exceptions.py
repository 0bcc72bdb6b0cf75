"""What can go wrong.

    ChatServerError                 everything that goes wrong with a request
    ├── BadRequestError             400
    ├── UnauthorizedError           401
    ├── ForbiddenError              403
    ├── NotFoundError               404
    ├── RateLimitError              429
    ├── InternalServerError         5xx
    ├── UnexpectedStatusError       any other status that is no success
    ├── UnreadableAnswerError       success, with a body that makes no sense
    ├── ChatServerConnectionError   no answer arrived
    │   ├── ServerUnreachableError  nothing was sent
    │   └── ChatServerTimeoutError  it took too long (also a `TimeoutError`)
    └── StreamInterruptedError      a streamed answer broke off
        └── StreamTruncatedError    it ended without saying that it was done

Each is also the `chatloom` error of its meaning (`StatusError`, `TransportError`,
`StreamError` …) and carries the attributes of all of them: status_code, code,
request_id, retry_after, attempts, body. Beside them there is `chatloom.SettingsError`,
a ValueError, for a client that was set up or used wrongly.
"""

from __future__ import annotations

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
    "BadRequestError",
    "ChatServerConnectionError",
    "ChatServerError",
    "ChatServerTimeoutError",
    "ForbiddenError",
    "InternalServerError",
    "NotFoundError",
    "RateLimitError",
    "ServerUnreachableError",
    "StreamInterruptedError",
    "StreamTruncatedError",
    "UnauthorizedError",
    "UnexpectedStatusError",
    "UnreadableAnswerError",
]


_BY_STATUS: dict[int, type[ChatServerError]] = {}


class ChatServerError(ChatloomError):
    """Base of all errors of this SDK."""

    def __init_subclass__(cls, *, status: int | None = None) -> None:
        super().__init_subclass__()
        if status is not None:
            _BY_STATUS[status] = cls

    def __init__(
        self, message: str = "", status_code: int | None = None, response: JSON = None
    ) -> None:
        super().__init__(message, status_code=status_code, body=response)

    @property
    def response(self) -> JSON:
        """The body of the answer; the same as `body`."""
        return self.body


class BadRequestError(ChatServerError, StatusError, status=400):
    """The request's parameters are invalid."""


class UnauthorizedError(ChatServerError, StatusError, status=401):
    """The API key is missing, wrong, revoked or expired."""


class ForbiddenError(ChatServerError, StatusError, status=403):
    """The API key may not do this."""


class NotFoundError(ChatServerError, StatusError, status=404):
    """No such thing, or none that this key may see."""


class RateLimitError(ChatServerError, StatusError, status=429):
    """Too many requests, even after waiting as long as the server asked."""


class InternalServerError(ChatServerError, StatusError, status=500):
    """The server, or the provider behind it, failed. Stands for every 5xx."""


class UnexpectedStatusError(ChatServerError, StatusError):
    """Any other status that is no success."""


class UnreadableAnswerError(ChatServerError, AnswerError):
    """The server answered with success, and a body that makes no sense."""


class ChatServerConnectionError(ChatServerError, TransportError):
    """No answer arrived."""


class ServerUnreachableError(ChatServerConnectionError, ConnectError):
    """No connection came about, so nothing was sent."""


class ChatServerTimeoutError(ChatServerConnectionError, TimedOut):
    """Connecting, or the silence between two reads, took longer than `timeout`."""


class StreamInterruptedError(ChatServerError, StreamError):
    """A streamed answer failed, or ended before it was whole.

    Its `text` is what had arrived, `usage` what the server had counted.
    """


class StreamTruncatedError(StreamInterruptedError, Truncated):
    """A streamed answer ended, or its connection was lost, before it said that it was done."""


_KINDS: tuple[tuple[type[ChatloomError], type[ChatServerError]], ...] = (
    (Truncated, StreamTruncatedError),
    (StreamError, StreamInterruptedError),
    (TimedOut, ChatServerTimeoutError),
    (ConnectError, ServerUnreachableError),
    (TransportError, ChatServerConnectionError),
    (AnswerError, UnreadableAnswerError),
)


def documented(error: ChatloomError) -> ChatServerError:
    """Turn any error of the engine into the one the document names."""
    return _kind(error).like(error)


def _kind(error: ChatloomError) -> type[ChatServerError]:
    if isinstance(error, StatusError) and error.status_code is not None:
        return _BY_STATUS.get(min(error.status_code, 500), UnexpectedStatusError)
    return next((own for kind, own in _KINDS if isinstance(error, kind)), ChatServerError)
