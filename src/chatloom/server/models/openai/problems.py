"""What a provider's refusals mean for whoever asked through us."""

from __future__ import annotations

from collections.abc import Mapping

from chatloom.core.complaint import Complaint
from chatloom.core.errors import AnswerError, ChatloomError, StatusError, TimedOut
from chatloom.core.http import JSON, Response
from chatloom.core.secret import Secret
from chatloom.server.models.driver import ProblemKind, ProviderError
from chatloom.server.models.openai.dialects import param_of

LONGEST = 500

_BY_STATUS: Mapping[int, ProblemKind] = {
    401: "unauthorized",
    402: "unauthorized",  # the server's account has run out of money, not the caller's
    403: "unauthorized",
    404: "not_found",
    408: "timed_out",
    409: "unavailable",
    429: "rate_limited",
    504: "timed_out",
}
_BY_WORD: Mapping[str, ProblemKind] = {
    "rate_limit": "rate_limited",
    "quota": "rate_limited",
    "overloaded": "unavailable",
    "api_key": "unauthorized",
    "authentication": "unauthorized",
    "permission": "unauthorized",
    "not_found": "not_found",
    "timeout": "timed_out",
    "context_length": "rejected",
    "invalid": "rejected",
    "badrequest": "rejected",
    "bad_request": "rejected",
}


class Problems:
    """Tells of the provider *name* what its caller may know, and never the key."""

    def __init__(self, name: str, key: Secret | None) -> None:
        self._name = name
        self._key = key

    def of(self, error: ChatloomError) -> ProviderError:
        """Say what went wrong before an answer began."""
        if isinstance(error, StatusError):
            kind = _kind_of(error.status_code or 0)
            message = self._wording(kind, error.message)
            return ProviderError(
                kind, message, param=param_of(error), retry_after=error.retry_after
            )
        if isinstance(error, TimedOut):
            return self.late("it did not answer in time")
        if isinstance(error, AnswerError):
            return ProviderError("truncated", f"{self._name} sent something that is no answer")
        return ProviderError("unavailable", f"{self._name} cannot be reached")

    def refused(self, response: Response, wall_time: float) -> str:
        """Say what an error status means, as far as its body has come."""
        kind = _kind_of(response.status)
        message = self._wording(kind, Complaint.of(response, wall_time).message)
        return f"{message} (HTTP {response.status})"

    def told(self, error: JSON) -> ProviderError:
        """Understand an error object that came instead of an answer, or in the middle of one."""
        if not isinstance(error, dict):
            return ProviderError("unavailable", self._wording("unavailable", str(error)))
        kind = _kind_in(error)
        param, message = error.get("param"), error.get("message")
        return ProviderError(
            kind,
            self._wording(kind, message if isinstance(message, str) else ""),
            param=param if isinstance(param, str) else None,
        )

    def late(self, what: str) -> ProviderError:
        """Say that the provider took too long."""
        return ProviderError("timed_out", f"{self._name} took too long: {what}")

    def broken(self, what: str) -> ProviderError:
        """Say that an answer stopped before its end."""
        return ProviderError("truncated", f"{self._name}: {what}")

    def _wording(self, kind: ProblemKind, message: str) -> str:
        if kind == "unauthorized":
            # It may quote part of the key, and it is not the caller's key.
            return f"{self._name} does not accept this server's credentials, or its account"
        if self._key:
            message = message.replace(self._key.reveal(), "…")
        return f"{self._name}: {message[:LONGEST]}" if message else f"{self._name} failed"


def _kind_of(status: int) -> ProblemKind:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "rejected" if 400 <= status < 500 else "unavailable"


def _kind_in(error: Mapping[str, JSON]) -> ProblemKind:
    """The kind of problem, by a status or a word in *error*, as providers happen to write it."""
    for name in ("code", "status", "type"):
        told = error.get(name)
        if isinstance(told, int) or (isinstance(told, str) and told.isdecimal() and len(told) == 3):
            return _kind_of(int(told))
        if isinstance(told, str):
            for word, kind in _BY_WORD.items():
                if word in told.lower():
                    return kind
    return "unavailable"
