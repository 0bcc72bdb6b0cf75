"""How each owner of an address says no."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from typing import TypeAlias

import msgspec

from chatloom.core.http import JSON
from chatloom.server.call import Reply
from chatloom.server.chat.ask import Ask
from chatloom.server.chat.telling import Telling
from chatloom.server.identity.tiers import Tiers
from chatloom.server.models.driver import ProblemKind, ProviderError
from chatloom.server.models.registry import UnknownModel
from chatloom.server.moments import iso
from chatloom.server.protocols.anthropic.errors import anthropic_error
from chatloom.server.protocols.chatroutes.errors import chatroutes_error
from chatloom.server.protocols.infinity.errors import infinity_error
from chatloom.server.protocols.openai_errors import openai_error
from chatloom.server.protocols.puter.errors import puter_error
from chatloom.server.refusal import Kind, Refusal
from chatloom.server.routes import Owner
from chatloom.server.store.spending import BudgetExceeded, Concern
from chatloom.wire.anthropic import MessageError
from chatloom.wire.chatloom import Money
from chatloom.wire.chatroutes import Failure
from chatloom.wire.infinity import Failure as InfinityFailure
from chatloom.wire.openai import ErrorBody
from chatloom.wire.puter import PuterFailure

STATUS: Mapping[Kind, int] = {
    "invalid": 400,
    "unauthenticated": 401,
    "over_budget": 402,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "gone": 410,
    "too_large": 413,
    "unsupported_media": 415,
    "misdirected": 421,
    "unprocessable": 422,
    "rate_limited": 429,
    "internal": 500,
    "provider_failed": 502,
    "unavailable": 503,
    "timed_out": 504,
}

_PROVIDER: Mapping[ProblemKind, tuple[Kind, str]] = {
    "rejected": ("invalid", "provider_rejected"),
    "unauthorized": ("provider_failed", "provider_unauthorized"),
    "not_found": ("not_found", "model_not_found"),
    "rate_limited": ("rate_limited", "provider_rate_limited"),
    "unavailable": ("provider_failed", "provider_unavailable"),
    "timed_out": ("timed_out", "provider_timed_out"),
    "truncated": ("provider_failed", "truncated"),
}


_PASSING: frozenset[ProblemKind] = frozenset({"rate_limited", "unavailable", "truncated"})
"""What may be otherwise the next time."""


def refusal_of(
    error: ProviderError,
    *,
    turn_id: str | None = None,
    partial: str | None = None,
    said_something: bool = False,
) -> Refusal:
    """What a provider's failure means for the caller.

    Where nothing had been said, the failure cost nothing, and the same request
    may be sent again.
    """
    kind, code = _PROVIDER[error.kind]
    return Refusal(
        kind,
        error.message,
        code=code,
        param=error.param,
        retry_after=error.retry_after,
        repeatable=error.kind in _PASSING and not said_something,
        turn_id=turn_id,
        partial=partial,
    )


def failure_of(turn: Telling) -> Refusal:
    """Why *turn*, which has failed, has no whole answer."""
    partial, said = turn.answer.text, turn.answer.said_something
    if turn.problem is not None:
        return refusal_of(turn.problem, turn_id=turn.id, partial=partial, said_something=said)
    return Refusal(
        "unavailable",
        turn.stopped or "the turn was cancelled",
        code="cancelled",
        repeatable=turn.was_interrupted and not said,
        turn_id=turn.id,
        partial=partial,
    )


def over_budget(exceeded: BudgetExceeded, tiers: Tiers, ask: Ask) -> Refusal:
    """What a budget, or an allowance of credits, that cannot bear *ask* means for the caller."""
    left, in_credits = max(0, exceeded.left), exceeded.concern == "credits"
    remaining = left // tiers.credit
    extras: dict[str, JSON] = {"credits_remaining": remaining}
    if exceeded.concern == "credits":
        has = f"this account has {remaining} credits left"
    else:
        has = f"{_WHOSE[exceeded.concern]} has {Money.of(left)} left"
    if in_credits and ask.allowance is not None:
        extras["reset_date"] = iso(ask.allowance.until)
    if exceeded.wanted is None:
        why = "nobody knows what this model costs; give it a price in the configuration"
    else:
        extras["credits_required"] = required = -(-exceeded.wanted // tiers.credit)
        why = f"this may cost up to {required if in_credits else Money.of(exceeded.wanted)}"
        if left and not ask.inputs:
            why += "; a lower max_tokens costs less"
    code = "insufficient_credits" if in_credits else "budget_exceeded"
    message = f"{has}, and {why}"
    return Refusal("over_budget", message, code=code, repeatable=False, extras=extras)


_WHOSE: Mapping[Concern, str] = {
    "account": "the account's budget",
    "key": "this API key's budget",
    "end_user": "the end user's budget",
    "end_users": "the end user's budget",
    "organization": "the organization's budget",
}


def unknown_model(error: UnknownModel) -> Refusal:
    """What an unknown model means for the caller."""
    return Refusal("not_found", str(error), code="model_not_found", param="model")


def _chatserver(refusal: Refusal) -> object:
    return ErrorBody(error=openai_error(refusal), detail=refusal.message)


Envelope: TypeAlias = Callable[[Refusal], object]

_ENVELOPES: Mapping[Owner, Envelope] = {
    "chatroutes": chatroutes_error,
    "chatserver": _chatserver,
    "zaguan": _chatserver,
    "infinity": infinity_error,
    "puter": puter_error,
    "anthropic": anthropic_error,
    "chatloom": _chatserver,
}

ERROR_BODIES: Mapping[Owner, type] = {
    "chatroutes": Failure,
    "chatserver": ErrorBody,
    "zaguan": ErrorBody,
    "infinity": InfinityFailure,
    "puter": PuterFailure,
    "anthropic": MessageError,
    "chatloom": ErrorBody,
}
"""What an owner's error is told as."""

_OWNERS: tuple[tuple[str, Owner], ...] = (
    ("/v1/messages", "anthropic"),
    ("/v1/", "chatserver"),
    ("/atoms/", "chatserver"),
    ("/api/v1/platform/", "chatserver"),
    ("/api/v1/", "chatroutes"),
    ("/api/", "infinity"),
    ("/puterai/openai/", "chatserver"),
    ("/puterai/anthropic/", "anthropic"),
    ("/puterai/", "puter"),
    ("/drivers/", "puter"),
    ("/login/", "puter"),
    ("/logout/", "puter"),
    ("/whoami/", "puter"),
    ("/lsmod/", "puter"),
    ("/rao/", "puter"),
)
"""Whose an address is that is not in the table, by how it begins."""


def owner_of(path: str) -> Owner:
    """Whose words an error at an unknown *path* is told in."""
    for start, owner in _OWNERS:
        if path.startswith(start) or path == start.rstrip("/"):
            return owner
    return "chatloom"


def refuse(refusal: Refusal, owner: Owner) -> Reply:
    """Say no in the owner's words."""
    reply = Reply(msgspec.json.encode(_ENVELOPES[owner](refusal)), STATUS[refusal.kind])
    if refusal.retry_after is not None:
        seconds = max(0, ceil(refusal.retry_after))
        reply.headers.append((b"retry-after", str(seconds).encode()))
    if refusal.repeatable is not None:
        told = b"true" if refusal.repeatable else b"false"
        reply.headers.append((b"x-should-retry", told))
    reply.headers += refusal.headers
    if refusal.kind == "unauthenticated":
        reply.headers.append((b"www-authenticate", b'Bearer realm="chatloom"'))
    if refusal.allowed is not None:
        reply.headers.append((b"allow", refusal.allowed.encode()))
    if refusal.turn_id is not None:
        reply.headers.append((b"x-chatloom-turn", refusal.turn_id.encode()))
    return reply
