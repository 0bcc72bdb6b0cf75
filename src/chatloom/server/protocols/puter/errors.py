"""How Puter says no."""

from __future__ import annotations

from collections.abc import Mapping

from chatloom.core.http import JSON
from chatloom.server.refusal import Kind, Refusal
from chatloom.wire.puter import PuterFailure

_CODES: Mapping[str, str] = {
    "missing_api_key": "token_missing",
    "invalid_credentials": "password_mismatch",
    "account_suspended": "account_suspended",
    "provider_rate_limited": "upstream_rate_limited",
    "provider_unauthorized": "upstream_auth_failed",
    "provider_unavailable": "upstream_provider_unavailable",
    "provider_timed_out": "upstream_provider_unavailable",
    "provider_rejected": "upstream_bad_request",
    "truncated": "upstream_failed",
}
"""By which its clients know a failure, where our own code for it tells."""

_OF_KIND: Mapping[Kind, str] = {
    "invalid": "bad_request",
    "unauthenticated": "reauth_required",
    "over_budget": "insufficient_funds",
    "forbidden": "forbidden",
    "not_found": "not_found",
    "rate_limited": "too_many_requests",
}
"""By which they know all others of a kind; for the rest there is our own."""


def puter_error(refusal: Refusal) -> PuterFailure:
    """Tell *refusal*; `details` holds our own code for it, and what else programs may need."""
    facts: dict[str, JSON | None] = {
        "code": refusal.code,
        "param": refusal.param,
        "turn": refusal.turn_id,
        "partial": refusal.partial,
        "retry_after": refusal.retry_after,
        **refusal.extras,
    }
    return PuterFailure(
        error=refusal.message,
        message=refusal.message,
        code=code_of(refusal),
        details={name: fact for name, fact in facts.items() if fact is not None},
    )


def code_of(refusal: Refusal) -> str:
    """The word by which its clients know *refusal*."""
    return _CODES.get(refusal.code) or _OF_KIND.get(refusal.kind, refusal.code)
