"""What Zaguan adds to the chat API of OpenAI: capabilities and credits.

Its three official SDKs read credits in three ways; the answers here hold what each of them reads.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from chatloom.core.http import JSON

Name: TypeAlias = Annotated[str, Meta(max_length=256)]
Moment: TypeAlias = Annotated[
    str, Meta(max_length=40, description="A date, or a moment in ISO 8601; UTC where none is told.")
]


class CapabilitiesQuery(msgspec.Struct, kw_only=True):
    """Which models are meant."""

    provider: Name | None = None
    supports_vision: bool | None = None
    supports_tools: bool | None = None
    supports_reasoning: bool | None = None


class ModelCapabilities(msgspec.Struct, kw_only=True):
    """What a model can do. Costs are US dollars per million tokens, null where nobody knows."""

    model_id: str
    provider: str
    band: str
    supports_vision: bool
    supports_tools: bool
    supports_reasoning: bool
    supports_streaming: bool
    supports_audio_in: bool
    supports_audio_out: bool
    supports_audio_input: bool
    supports_audio_output: bool
    max_context_tokens: int | None
    max_output_tokens: int | None
    input_cost: float | None
    output_cost: float | None
    features: list[str]
    modalities: list[str]
    provider_specific: dict[str, JSON]


class CreditsBalance(msgspec.Struct, kw_only=True):
    """What an account may spend, in whole credits.

    `credits_total` and `credits_percent`, the share of it that is used, are null
    where nothing limits it; `credits_remaining` is then the largest number that every
    reader of JSON can hold.
    """

    credits_remaining: int
    credits_total: int | None
    credits_used: int
    credits_percent: float | None
    tier: str
    bands: list[str]
    reset_date: str | None
    warning: str | None
    metadata: dict[str, JSON]


Status: TypeAlias = Literal["success", "error"]


class CreditsQuery(msgspec.Struct, kw_only=True):
    """Which charges are meant; the last day is included."""

    start_date: Moment | None = None
    end_date: Moment | None = None
    model: Name | None = None
    provider: Name | None = None
    band: Name | None = None


class HistoryQuery(CreditsQuery, kw_only=True):
    """Which page of them: behind a cursor, or by its number."""

    limit: Annotated[int, Meta(ge=1, le=200)] | None = None
    cursor: Annotated[str, Meta(max_length=200)] | None = None
    page: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    page_size: Annotated[int, Meta(ge=1, le=200)] | None = None
    status: Status | None = None


class HistoryEntry(msgspec.Struct, kw_only=True):
    """A turn, as it was charged; `cost` is in US dollars, `cost_usd` the same exactly."""

    id: str
    timestamp: str
    request_id: str
    model: str
    provider: str
    band: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    reasoning_tokens: int
    credits_debited: int
    cost: float
    cost_usd: str
    latency_ms: int
    status: Status
    outcome: str
    error_message: str | None


class CreditsHistory(msgspec.Struct, kw_only=True):
    """A page of charges, the newest first."""

    entries: list[HistoryEntry]
    total: int
    total_entries: int
    page: int
    page_size: int
    has_more: bool
    next_cursor: str | None


Period: TypeAlias = Literal["day", "week", "month", "all_time"]


class StatsQuery(CreditsQuery, kw_only=True):
    """What is summed up, and how; `group_by` names model, provider, band or day, with commas."""

    period: Period = "month"
    group_by: Annotated[str, Meta(max_length=100)] | None = None


class Sum(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the charges of one group come to; that group's name is beside it."""

    model: str | None = None
    provider: str | None = None
    band: str | None = None
    date: str | None = None
    requests: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    credits_used: int
    cost: float
    average_latency_ms: float


class CreditsStats(msgspec.Struct, kw_only=True):
    """What was spent in a period; `cost` is in US dollars."""

    period: str
    start_date: str | None
    end_date: str
    total_credits_used: int
    total_requests: int
    total_tokens: int
    total_cost: float
    average_latency_ms: float
    model_breakdown: list[Sum]
    by_model: dict[str, Sum]
    by_provider: dict[str, Sum]
    by_band: dict[str, Sum]
    by_day: list[Sum]
    stats: list[Sum]
    summary: Sum
