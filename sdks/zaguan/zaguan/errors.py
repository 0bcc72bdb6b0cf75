"""What can go wrong.

    ZaguanError                      everything that goes wrong with a request
    ├── APIError                     the server said no
    │   ├── InsufficientCreditsError 402, or type insufficient_credits
    │   ├── RateLimitError           429, or type rate_limit_exceeded
    │   └── BandAccessDeniedError    403 with a band, or type band_access_denied
    ├── UnreadableAnswerError        success, with a body that makes no sense
    ├── ZaguanConnectionError        no answer arrived
    │   ├── ServerUnreachableError   nothing was sent
    │   └── ZaguanTimeoutError       it took too long (also a `TimeoutError`)
    └── StreamInterruptedError       a streamed answer broke off
        └── StreamTruncatedError     it ended without saying that it was done

Each is also the `chatloom` error of its meaning (`StatusError`, `TransportError`,
`StreamError` …) and carries the attributes of all of them: status_code, code,
request_id, retry_after, attempts, body. Beside them there is `chatloom.SettingsError`,
a ValueError, for a client that was set up or used wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self, TypeAlias

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
from chatloom.core.wait import asked_seconds

__all__ = [
    "APIError",
    "BandAccessDeniedError",
    "InsufficientCreditsError",
    "RateLimitError",
    "ServerUnreachableError",
    "StreamInterruptedError",
    "StreamTruncatedError",
    "UnreadableAnswerError",
    "ZaguanConnectionError",
    "ZaguanError",
    "ZaguanTimeoutError",
]

_Remade: TypeAlias = "tuple[Callable[..., APIError], tuple[object, ...], dict[str, object]]"


class ZaguanError(ChatloomError):
    """Base of all errors of this SDK."""


class APIError(ZaguanError, StatusError):
    """The server answered with an error status."""

    # There always is one where the server answered.
    status_code: int  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, status_code: int, message: str, request_id: str | None = None) -> None:
        super().__init__(message, status_code=status_code, request_id=request_id)

    @classmethod
    def like(cls, error: ChatloomError) -> Self:
        """Say the same as *error* does, as this class."""
        own = cls(error.status_code or 0, error.message)
        own.__dict__.update(error.__dict__)
        own.status_code = error.status_code or 0
        own._learn(_told(error.body))
        return own

    def _learn(self, told: Mapping[str, JSON]) -> None:
        """Take in what the server told beside the message."""

    def __reduce__(self) -> _Remade:
        return type(self), (self.status_code, self.message, self.request_id), self.__dict__


class InsufficientCreditsError(APIError):
    """Fewer credits are left than the request takes."""

    credits_required: float | None = None
    credits_remaining: float | None = None
    reset_date: str | None = None
    """When there will be more."""

    def _learn(self, told: Mapping[str, JSON]) -> None:
        self.credits_required = _number(told.get("credits_required"))
        self.credits_remaining = _number(told.get("credits_remaining"))
        self.reset_date = _text(told.get("reset_date"))


class RateLimitError(APIError):
    """Too many requests, even after waiting as long as the server asked."""

    def _learn(self, told: Mapping[str, JSON]) -> None:
        wait = asked_seconds(str(told.get("retry_after")))
        self.retry_after = self.retry_after if wait is None else wait


class BandAccessDeniedError(APIError):
    """The model is of a band that this key's tier may not use."""

    band: str | None = None
    required_tier: str | None = None
    current_tier: str | None = None

    def _learn(self, told: Mapping[str, JSON]) -> None:
        self.band = _text(told.get("band"))
        self.required_tier = _text(told.get("required_tier"))
        self.current_tier = _text(told.get("current_tier"))


class UnreadableAnswerError(ZaguanError, AnswerError):
    """The server answered with success, and a body that makes no sense."""


class ZaguanConnectionError(ZaguanError, TransportError):
    """No answer arrived."""


class ServerUnreachableError(ZaguanConnectionError, ConnectError):
    """No connection came about, so nothing was sent."""


class ZaguanTimeoutError(ZaguanConnectionError, TimedOut):
    """Connecting, or the silence between two reads, took longer than `timeout`."""


class StreamInterruptedError(ZaguanError, StreamError):
    """A streamed answer failed, or ended before it was whole.

    Its `text` is what had arrived, `usage` what the server had counted.
    """


class StreamTruncatedError(StreamInterruptedError, Truncated):
    """A streamed answer ended, or its connection was lost, before it said that it was done."""


_BY_TYPE: dict[JSON, type[APIError]] = {
    "insufficient_credits": InsufficientCreditsError,
    "rate_limit_exceeded": RateLimitError,
    "band_access_denied": BandAccessDeniedError,
}

_BY_STATUS: dict[int | None, type[APIError]] = {
    402: InsufficientCreditsError,
    429: RateLimitError,
}

_KINDS: tuple[tuple[type[ChatloomError], type[ZaguanError]], ...] = (
    (Truncated, StreamTruncatedError),
    (StreamError, StreamInterruptedError),
    (TimedOut, ZaguanTimeoutError),
    (ConnectError, ServerUnreachableError),
    (TransportError, ZaguanConnectionError),
    (AnswerError, UnreadableAnswerError),
)


def documented(error: ChatloomError) -> ZaguanError:
    """Turn any error of the engine into the one the document names."""
    return _kind(error).like(error)


def _kind(error: ChatloomError) -> type[ZaguanError]:
    if isinstance(error, StatusError):
        return _refusal(error)
    return next((own for kind, own in _KINDS if isinstance(error, kind)), ZaguanError)


def _refusal(error: StatusError) -> type[APIError]:
    told = _told(error.body)
    type_ = told.get("type")
    if isinstance(type_, str) and type_ in _BY_TYPE:
        return _BY_TYPE[type_]
    if error.status_code == 403 and told.get("band"):
        return BandAccessDeniedError
    return _BY_STATUS.get(error.status_code, APIError)


def _told(body: JSON) -> Mapping[str, JSON]:
    """What an error body says: in ``error`` itself, else in its ``details``, else beside it."""
    beside = body if isinstance(body, dict) else {}
    error = beside.get("error")
    flat = error if isinstance(error, dict) else {}
    details = flat.get("details", beside.get("details"))
    nested = details if isinstance(details, dict) else {}
    said = {**beside, **nested}
    return said | {name: value for name, value in flat.items() if value is not None}


def _number(value: JSON) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) else None
