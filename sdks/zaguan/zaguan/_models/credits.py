"""Credits: how many are left, what took them, and sums over time.

Three official SDKs disagree on the last two; the union of what they read is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pydantic import Field

from chatloom.core.http import JSON
from zaguan._models.base import Count, Reckoning, agreeing


class CreditsBalance(Reckoning):
    """What is left; `exact` tells a fraction that a server told."""

    credits_remaining: Count
    tier: str = ""
    bands: list[str] = Field(default_factory=list[str])
    reset_date: str | None = None

    credits_total: Count | None = None
    credits_used: Count | None = None
    credits_percent: float | None = None
    stripe_price_id: str | None = None
    warning: str | None = None
    metadata: dict[str, JSON] | None = None


class CreditsHistoryEntry(Reckoning):
    """One request, and what it took; `exact` tells a fraction that a server told.

    `cost` is in US dollars, `cost_usd` the same exactly.
    """

    id: str = ""
    timestamp: str = ""
    request_id: str = ""
    model: str = ""
    provider: str = ""
    band: str = ""
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    total_tokens: Count = 0
    credits_debited: Count = 0
    cost: float = 0.0
    latency_ms: Count = 0
    status: str = ""

    reasoning_tokens: Count | None = None
    error_message: str | None = None
    outcome: str | None = None
    cost_usd: str | None = None


class CreditsHistory(Reckoning):
    """A page of requests, the latest first.

    `total_entries` and `total` are the same count in two dialects. The next page
    is named by `next_cursor`, or counted by `page`.
    """

    entries: list[CreditsHistoryEntry] = Field(default_factory=list[CreditsHistoryEntry])
    total_entries: Count = 0
    next_cursor: str | None = None

    total: Count = 0
    page: Count | None = None
    page_size: Count | None = None
    has_more: bool | None = None

    @classmethod
    def _in_full(cls, told: object) -> object:
        return agreeing(told, "total_entries", "total")


class CreditsStats(Reckoning):
    """Sums over a period; `exact` tells a fraction that a server told.

    `summary` holds the sums in one dialect, and they are here in either.
    """

    period: str = ""
    total_credits_used: Count = 0
    total_cost: float = 0.0
    model_breakdown: list[dict[str, JSON]] = Field(default_factory=list[dict[str, JSON]])

    stats: list[dict[str, JSON]] | None = None
    summary: dict[str, JSON] | None = None

    start_date: str | None = None
    end_date: str | None = None
    total_requests: Count | None = None
    total_tokens: Count | None = None
    average_latency_ms: float | None = None
    by_provider: JSON = None
    by_model: JSON = None
    by_band: JSON = None
    by_day: JSON = None

    @classmethod
    def _in_full(cls, told: object) -> object:
        if not isinstance(told, Mapping):
            return told
        known = cast("Mapping[str, object]", told)
        summary = known.get("summary")
        if not isinstance(summary, Mapping):
            return known
        sums = cast("Mapping[str, object]", summary)
        found = {field: sums.get(name, sums.get(field)) for field, name in _SUMS.items()}
        return {**found, **known}


_SUMS = {
    "total_credits_used": "credits_used",
    "total_cost": "cost",
    "total_requests": "requests",
    "total_tokens": "tokens",
    "average_latency_ms": "latency_ms",
}
"""What a summary may call them, where it does not use their full names."""
