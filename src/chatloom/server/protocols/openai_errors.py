"""Errors in the words of OpenAI's clients, and of Zaguan's, who read some more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from chatloom.server.refusal import Kind, Refusal
from chatloom.wire.openai import ErrorDetails

OPENAI_TYPE: Mapping[Kind, str] = {
    "unauthenticated": "authentication_error",
    "forbidden": "permission_error",
    "not_found": "not_found_error",
    "rate_limited": "rate_limit_exceeded",
    "over_budget": "insufficient_credits",
    "internal": "server_error",
    "provider_failed": "server_error",
    "unavailable": "server_error",
    "timed_out": "server_error",
}
"""``error.type``, in OpenAI's words and Zaguan's; ``invalid_request_error`` for the rest."""


def openai_error(refusal: Refusal) -> ErrorDetails:
    """The inner object of OpenAI's error body.

    Facts for programs stand there by their names and, once more, in ``details``: of the services'
    own clients some look here, and some there.
    """
    details = dict(refusal.extras)
    if refusal.retry_after is not None:
        details["retry_after"] = refusal.retry_after
    facts = {name: value for name, value in details.items() if name in _FACTS}
    return ErrorDetails(
        message=refusal.message,
        type=refusal.type or OPENAI_TYPE.get(refusal.kind, "invalid_request_error"),
        code=refusal.code,
        param=refusal.param,
        turn=refusal.turn_id,
        partial=refusal.partial or None,
        details=details or None,
        **cast("dict[str, Any]", facts),
    )


_FACTS = frozenset(ErrorDetails.__struct_fields__)
