"""Saying no, in words that every protocol can translate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from chatloom.core.http import JSON

Kind: TypeAlias = Literal[
    "invalid",
    "unauthenticated",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "conflict",
    "gone",
    "too_large",
    "unsupported_media",
    "unprocessable",
    "over_budget",
    "misdirected",
    "rate_limited",
    "provider_failed",
    "unavailable",
    "timed_out",
    "internal",
]


class Refusal(Exception):
    """A request that is not fulfilled, and why.

    *code* is for programs, *param* names the part of the request at fault,
    *retry_after* is in seconds; *repeatable* says whether the same request may
        be sent again without taking effect twice, `None` where its status says so.
    *turn_id* and *partial* name the turn that failed and what it had said,
    *allowed* the methods that an address takes. *type* is the class of error by
        which a protocol's clients know it, where that is not clear from its kind;
    *extras* are further facts for programs, by the names the protocols give them.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        code: str,
        param: str | None = None,
        retry_after: float | None = None,
        repeatable: bool | None = None,
        turn_id: str | None = None,
        partial: str | None = None,
        allowed: str | None = None,
        type: str | None = None,
        extras: Mapping[str, JSON] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.code = code
        self.param = param
        self.retry_after = retry_after
        self.repeatable = repeatable
        self.turn_id = turn_id
        self.partial = partial
        self.allowed = allowed
        self.type = type
        self.extras = extras or {}
        self.headers: list[tuple[bytes, bytes]] = []
        """What else the answer is told with."""


def invalid(message: str, *, param: str | None = None, code: str = "invalid_request") -> Refusal:
    """The request itself is at fault."""
    return Refusal("invalid", message, code=code, param=param)


def not_found(what: str) -> Refusal:
    """There is no such thing, or none that this key may see: callers cannot tell which."""
    return Refusal("not_found", f"{what} not found", code="not_found")


def key_reused() -> Refusal:
    """Another request came with this idempotency key before."""
    return Refusal(
        "unprocessable",
        "this Idempotency-Key came with another request before; use a new one",
        code="idempotency_key_reused",
        repeatable=False,
    )
