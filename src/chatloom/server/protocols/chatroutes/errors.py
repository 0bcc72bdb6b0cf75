"""How ChatRoutes says no."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET

from chatloom.core.http import JSON
from chatloom.server.refusal import Kind, Refusal
from chatloom.wire.chatroutes import Failure

_CODES: Mapping[Kind, str] = {
    "invalid": "VALIDATION_ERROR",
    "unauthenticated": "AUTHENTICATION_ERROR",
    "not_found": "NOT_FOUND",
    "rate_limited": "RATE_LIMIT_EXCEEDED",
    "internal": "SERVER_ERROR",
}
"""By which its clients know a failure; all others are told by our own, in capitals."""


def chatroutes_error(refusal: Refusal) -> Failure:
    """Tell *refusal*; `details` holds our own code for it, and what else programs may need."""
    facts: dict[str, JSON | None] = {
        "code": refusal.code,
        "param": refusal.param,
        "turnId": refusal.turn_id,
        "partial": refusal.partial,
        **refusal.extras,
    }
    return Failure(
        error=refusal.message,
        message=refusal.message,
        code=_CODES.get(refusal.kind, refusal.code.upper()),
        details={name: fact for name, fact in facts.items() if fact is not None},
        retry_after=UNSET if refusal.retry_after is None else refusal.retry_after,
    )
