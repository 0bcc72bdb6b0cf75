"""Types of what somebody owns: keys, and webhooks."""

from __future__ import annotations

from typing import NotRequired, TypedDict

__all__ = [
    "ApiKey",
    "ApiKeyListResponse",
    "ApiKeyResponse",
    "NewApiKey",
    "NewWebhook",
    "Webhook",
    "WebhookListResponse",
    "WebhookResponse",
]


class ApiKey(TypedDict):
    """A key, without what it opens."""

    id: str
    name: str
    prefix: str
    createdAt: str
    isActive: bool
    lastUsed: NotRequired[str | None]


class NewApiKey(ApiKey):
    """A key that was just made; `key` is never shown again."""

    key: str


class ApiKeyListResponse(TypedDict):
    """The keys of a user."""

    success: bool
    apiKeys: list[ApiKey]


class ApiKeyResponse(TypedDict):
    """A key that was just made."""

    success: bool
    apiKey: NewApiKey
    message: NotRequired[str]


class Webhook(TypedDict):
    """Where events are told."""

    id: str
    url: str
    events: list[str]
    isActive: bool
    createdAt: str
    lastTriggered: NotRequired[str | None]
    failureCount: NotRequired[int]
    description: NotRequired[str]
    disabledReason: NotRequired[str | None]
    """Why nothing is told there; `None` where something is."""
    lastDelivered: NotRequired[str | None]


class NewWebhook(Webhook):
    """A webhook that was just made; `secret` is never shown again."""

    secret: str


class WebhookListResponse(TypedDict):
    """The webhooks of a user."""

    success: bool
    webhooks: list[Webhook]


class WebhookResponse(TypedDict):
    """A webhook that was just made."""

    success: bool
    webhook: NewWebhook
    message: NotRequired[str]
