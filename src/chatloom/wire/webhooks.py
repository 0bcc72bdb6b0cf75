"""Webhooks: where events are told, and what became of each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

URL: TypeAlias = Annotated[str, Meta(min_length=1, max_length=2048)]
EventName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Events: TypeAlias = Annotated[list[EventName], Meta(min_length=1)]
"""Names of events, and patterns: ``chat.response``, ``turn.*``, ``*``."""
Description: TypeAlias = Annotated[str, Meta(max_length=200)]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
State: TypeAlias = Literal["waiting", "delivered", "failed", "missed"]
Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
"""A time as ISO 8601, with its offset from UTC."""


class NewWebhook(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Have events told at an address: those named, those of patterns as `turn.*`, or all by `*`."""

    url: URL
    events: Events
    description: Description = ""


class NewWebhookOfAccount(NewWebhook, kw_only=True, forbid_unknown_fields=True):
    """Have an account's events told; those of the only account where none is named."""

    account_id: str | None = None


class WebhookChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a webhook; what is left out stays as it is.

    What waits for one that is made inactive is not told, unless it is replayed.
    """

    url: URL | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class SecretRotation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a secret is replaced: events are signed with both for *overlap_seconds*."""

    overlap_seconds: Annotated[float, Meta(ge=0, le=7 * 86_400)] = 86_400


class Webhook(msgspec.Struct, kw_only=True):
    """Where events are told; `secret` is there only when it was just made.

    `user` and `organization` are whose events alone are told. `failures` counts the attempts that
    failed since something was last delivered.
    """

    id: str
    account_id: str
    url: str
    events: list[str]
    description: str
    user: str | None
    organization: str | None
    active: bool
    disabled_at: str | None
    disabled_because: Literal["owner", "gone", "failing", "key"] | None
    """Somebody said so, it answered 410, nothing arrived for the whole schedule, or the API key
    that it was made with works no more."""
    created_at: str
    updated_at: str
    last_triggered_at: str | None
    last_delivered_at: str | None
    failures: int
    secret: str | UnsetType = UNSET


class WebhookList(msgspec.Struct):
    """Webhooks, newest first."""

    webhooks: list[Webhook]


class WebhooksOfAccount(msgspec.Struct, kw_only=True):
    """Whose webhooks are meant; those of all accounts where none is named."""

    account_id: str | None = None


class Pinged(msgspec.Struct):
    """The event that is told; what becomes of it stands among the deliveries."""

    event_id: str


class Replay(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which events are sent again: those named, else those in some states, of some time."""

    event_ids: Annotated[list[Id], Meta(min_length=1, max_length=1000)] | None = None
    states: (
        Annotated[list[Literal["delivered", "failed", "missed"]], Meta(min_length=1, max_length=3)]
        | None
    ) = None
    """`failed` and `missed`, where none is named."""
    since: Moment | None = None
    until: Moment | None = None


class Replayed(msgspec.Struct):
    """How many events are sent again."""

    count: int


class DeliveryPage(msgspec.Struct, kw_only=True):
    """Which deliveries are meant, the newest first, a page at a time."""

    state: State | None = None
    event_id: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


class Attempt(msgspec.Struct, kw_only=True):
    """One time that an event was sent; `problem` says why it does not count as delivered.

    `response` is how the answer began, where it was no 2xx.
    """

    number: int
    started_at: str
    milliseconds: int
    status: int | None
    problem: str | None
    response: str | None


class Delivery(msgspec.Struct, kw_only=True):
    """What became of an event; one that was never sent, as its webhook was disabled, is missed.

    `next_attempt_at` is null also while it waits behind another event of its conversation.
    """

    event_id: str
    type: str
    conversation_id: str | None
    state: State
    created_at: str
    next_attempt_at: str | None
    attempts: list[Attempt]


class DeliveryList(msgspec.Struct, kw_only=True):
    """A page of deliveries."""

    deliveries: list[Delivery]
    has_more: bool
    next_cursor: str | None
