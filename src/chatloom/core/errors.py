"""What can go wrong, by what the caller can do about it.

    ChatloomError
    ├── SettingsError       the client was set up wrongly (also a ValueError)
    ├── TransportError      no answer arrived
    │   ├── ConnectError    nothing was sent: refused, unresolvable, not trusted
    │   ├── TimedOut        it took too long (also a TimeoutError, and so an OSError)
    │   └── ConnectTimedOut both: it took too long to connect, so nothing was sent
    ├── StatusError         the server answered, and the answer was no
    ├── AnswerError         the server answered yes, in words nobody understands
    └── StreamError         a streamed answer broke off, or said so itself
        └── Truncated       it ended without saying that it was done

Every SDK derives its documented exceptions from these. An error is picklable
and never holds a secret: it knows the request's method and path, not its headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from chatloom.core.http import JSON, Request


class ChatloomError(Exception):
    """Everything chatloom and its SDKs raise on purpose."""

    status_code: int | None
    """The HTTP status, where an answer arrived."""
    code: str | None
    """The server's own word for what happened."""
    request_id: str | None
    """What to tell the server's operator."""
    retry_after: float | None
    """How many seconds the server asked to wait."""
    attempts: int
    """How often the request was sent, the last time included."""
    body: JSON
    """The answer's body: decoded where it was JSON, else its text."""

    def __init__(
        self,
        message: str = "",
        *,
        status_code: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        attempts: int = 0,
        body: JSON = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.attempts = attempts
        self.body = body

    @classmethod
    def like(cls, error: ChatloomError) -> Self:
        """Say the same as *error* does, as this class."""
        own = cls(error.message)
        own.__dict__.update(error.__dict__)
        return own


class SettingsError(ChatloomError, ValueError):
    """The client was set up in a way that cannot work."""


class TransportError(ChatloomError):
    """No answer arrived: the request or its answer was lost on the way."""


class ConnectError(TransportError):
    """The request was never sent: refused, unresolvable, or a certificate nobody vouches for."""


class TimedOut(TransportError, TimeoutError):
    """Connecting, or the silence between two reads, or the whole call took too long."""


class ConnectTimedOut(ConnectError, TimedOut):
    """Connecting took too long, so the request was never sent."""


class StatusError(ChatloomError):
    """The server answered with an error status."""


class AnswerError(ChatloomError):
    """The server answered with success, and a body that is not what it promised."""


class StreamError(ChatloomError):
    """A streamed answer broke off."""

    text: str = ""
    """What had arrived until then."""
    usage: JSON = None
    """The usage the server had told until then, in its own words; `None` when it told none."""
    resume_token: str | None = None
    """The turn and the last event seen, as ``TURN:EVENT``; `None` when the server named none."""


class Truncated(StreamError):
    """A streamed answer ended, or its connection was lost, before it said that it was done."""


def refused(request: Request, host: str, port: int, reason: str) -> ConnectError:
    """Build the error for a connection nobody accepted, with a hint where one helps."""
    hint = ""
    if host in {"localhost", "127.0.0.1", "::1"}:
        hint = "; is the server running? `chatloom serve --dev` starts one"
    return ConnectError(f"{request} could not connect to {host}:{port}: {reason}{hint}")
