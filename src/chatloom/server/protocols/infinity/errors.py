"""How Infinity Assistant says no."""

from __future__ import annotations

from collections.abc import Mapping

from chatloom.core.http import JSON
from chatloom.server.refusal import Kind, Refusal
from chatloom.wire.infinity import Failure

_CODES: Mapping[Kind, str] = {
    "invalid": "VALIDATION_ERROR",
    "unauthenticated": "INVALID_API_KEY",
    "forbidden": "FORBIDDEN",
    "not_found": "NOT_FOUND",
    "method_not_allowed": "METHOD_NOT_ALLOWED",
    "conflict": "CONFLICT",
    "too_large": "TOO_LARGE",
    "rate_limited": "RATE_LIMIT",
    "timed_out": "TIMEOUT",
    "internal": "INTERNAL_ERROR",
}
"""By which its clients know a failure; all others are told by our own, in capitals."""


def infinity_error(refusal: Refusal) -> Failure:
    """Tell *refusal*; `details` holds our own code for it, and what else programs may need."""
    facts: dict[str, JSON | None] = {
        "code": refusal.code,
        "param": refusal.param,
        "turnId": refusal.turn_id,
        "partial": refusal.partial,
        "retryAfter": refusal.retry_after,
        **refusal.extras,
    }
    code = _CODES.get(refusal.kind, refusal.code.upper())
    return Failure(
        error=refusal.message,
        message=refusal.message,
        code="AUTH_REQUIRED" if refusal.code == "missing_api_key" else code,
        details={name: fact for name, fact in facts.items() if fact is not None},
    )
