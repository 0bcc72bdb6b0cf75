"""What can go wrong.

    PuterError                         everything that goes wrong with a request
    ├── PuterAuthError                 401, a login that was refused, nothing to log in with
    │   └── PuterSecondFactorError     the account wants a second factor: ``login(otp=…)``
    └── PuterAPIError                  everything else
        ├── PuterStatusError           the service said no, by status or within a 200
        │   └── PuterRateLimitError    429
        ├── PuterTimeoutError          it took too long (also a `TimeoutError`)
        ├── PuterConnectionError       no answer arrived
        │   └── PuterUnreachableError  nothing was sent
        ├── PuterAnswerError           success, with a body that makes no sense
        ├── PuterStreamError           a streamed answer failed
        │   └── PuterTruncatedError    it broke off (also a `PuterConnectionError`)
        └── PuterToolError             a tool failed, with ``tool_errors="raise"``
            └── PuterToolLimitError    the model still called tools in the last round

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

__all__ = [
    "PuterAPIError",
    "PuterAnswerError",
    "PuterAuthError",
    "PuterConnectionError",
    "PuterError",
    "PuterRateLimitError",
    "PuterSecondFactorError",
    "PuterStatusError",
    "PuterStreamError",
    "PuterTimeoutError",
    "PuterToolError",
    "PuterToolLimitError",
    "PuterTruncatedError",
    "PuterUnreachableError",
]


class PuterError(ChatloomError):
    """Base of all errors of this SDK."""

    @property
    def status(self) -> int | None:
        """The HTTP status, where an answer arrived; the same as `status_code`."""
        return self.status_code


class PuterAuthError(PuterError, StatusError):
    """The service does not know the user, the password or the token, or was given none."""


class PuterSecondFactorError(PuterAuthError):
    """The password is right, and the account wants a second factor: call ``login(otp=…)``."""


class PuterAPIError(PuterError):
    """A call that failed for any other reason than who makes it."""


class PuterStatusError(PuterAPIError, StatusError):
    """The service said no. Older services say so within a 200; `status_code` is what they mean."""


class PuterRateLimitError(PuterStatusError):
    """Too many requests, even after waiting. `retry_after` is in seconds, where it was told."""


class PuterTimeoutError(PuterAPIError, TimedOut):
    """Connecting, or the silence between two reads, took longer than ``timeout``."""


class PuterConnectionError(PuterAPIError, TransportError):
    """No answer arrived."""


class PuterUnreachableError(PuterConnectionError, ConnectError):
    """No connection came about, so nothing was sent."""


class PuterAnswerError(PuterAPIError, AnswerError):
    """The service answered with success, and a body that makes no sense."""


class PuterStreamError(PuterAPIError, StreamError):
    """A streamed answer failed. Its `text` is what had arrived."""


class PuterTruncatedError(PuterStreamError, PuterConnectionError, Truncated):
    """A streamed answer ended, or its connection was lost, before it said that it was done."""


class PuterToolError(PuterAPIError):
    """A tool failed; what it raised is the cause."""


class PuterToolLimitError(PuterToolError):
    """The model still called tools when ``max_tool_rounds`` was used up."""


_KINDS: tuple[tuple[type[ChatloomError], type[PuterError]], ...] = (
    (Truncated, PuterTruncatedError),
    (StreamError, PuterStreamError),
    (TimedOut, PuterTimeoutError),
    (ConnectError, PuterUnreachableError),
    (TransportError, PuterConnectionError),
    (AnswerError, PuterAnswerError),
)
_BY_STATUS: dict[int | None, type[PuterError]] = {401: PuterAuthError, 429: PuterRateLimitError}


def documented(error: ChatloomError) -> PuterError:
    """Turn any error of the engine into the one the document names."""
    if isinstance(error, PuterError):
        return error
    if isinstance(error, StatusError):
        return _BY_STATUS.get(error.status_code, PuterStatusError).like(error)
    kinds = (own for kind, own in _KINDS if isinstance(error, kind))
    return next(kinds, PuterAPIError).like(error)


def refused_login(error: ChatloomError) -> PuterError:
    """The same for what happens at the login, where no to anything means no to somebody."""
    status = error.status_code or 0
    if isinstance(error, StatusError) and 400 <= status < 500 and status not in {408, 429}:
        return PuterAuthError.like(error)
    return documented(error)
