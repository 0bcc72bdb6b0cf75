"""Whether the service is well."""

from __future__ import annotations

from typing import Literal, TypeAlias

from chatloom.wire.infinity.common import Part

State: TypeAlias = Literal["healthy", "degraded", "critical"]


class Check(Part):
    """One thing that was looked at; `milliseconds` is how long that took."""

    status: State
    milliseconds: float
    detail: str | None = None


class Health(Part):
    """How the service is; it is no success where it is critical."""

    success: bool
    status: State
    timestamp: str
    version: str
    checks: dict[str, Check]
    service: Literal["infinityassistant"] = "infinityassistant"
