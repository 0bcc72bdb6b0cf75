"""How the Messages API says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from chatloom.core.http import JSON
from chatloom.server.protocols.openai_errors import openai_error
from chatloom.server.refusal import Kind, Refusal

_TYPE: Mapping[Kind, str] = {
    "unauthenticated": "authentication_error",
    "over_budget": "insufficient_credits",
    "forbidden": "permission_error",
    "not_found": "not_found_error",
    "conflict": "conflict_error",
    "too_large": "request_too_large",
    "rate_limited": "rate_limit_error",
    "internal": "api_error",
    "provider_failed": "api_error",
    "unavailable": "overloaded_error",
    "timed_out": "timeout_error",
}
"""Anthropic's ``error.type``, and Zaguan's for credits; else ``invalid_request_error``."""


def anthropic_error(refusal: Refusal) -> dict[str, JSON]:
    """The whole body of an error.

    It holds what the same error on OpenAI's wire does, too: ``code``, ``param`` …
    """
    error = cast("dict[str, JSON]", msgspec.to_builtins(openai_error(refusal)))
    # Zaguan's own types, by which its clients tell these refusals on either wire, stay.
    error["type"] = refusal.type or _TYPE.get(refusal.kind, "invalid_request_error")
    known = error.get("details")
    error["details"] = {
        "error_code": refusal.code,
        **(known if isinstance(known, dict) else {}),
    }
    return {"type": "error", "error": error}
