"""Webhooks of one's own account."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from chatloom.wire.infinity.common import Given, Id, Part, Told
from chatloom.wire.webhooks import URL, Description, Events


class NewWebhook(Given):
    """Have events told at an address."""

    url: URL
    events: Events
    description: Description = ""


class WebhookQuery(Given):
    """Which webhook is meant."""

    id: Id


class Webhook(Part):
    """Where events are told; `secret` signs them, and is shown only in the answer that made it.

    `failureCount` counts the attempts that failed since something was last delivered.
    """

    id: str
    url: str
    events: list[str]
    description: str
    is_active: bool
    disabled_reason: str | None
    created_at: str
    last_triggered: str | None
    last_delivered: str | None
    failure_count: int
    secret: str | UnsetType = UNSET


class Webhooks(Told):
    """Webhooks, the newest first."""

    webhooks: list[Webhook]


class MadeWebhook(Told):
    """A webhook just made."""

    webhook: Webhook
    message: str
