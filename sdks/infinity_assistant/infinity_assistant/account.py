"""Keys, webhooks and the service's health."""

from __future__ import annotations

from collections.abc import Sequence

from chatloom.core.engine import Mode
from chatloom.core.operations import operation
from infinity_assistant import answers
from infinity_assistant.calls import PREFIX, Calls
from infinity_assistant.types import (
    ApiKeyListResponse,
    ApiKeyResponse,
    DeleteResponse,
    HealthResponse,
    WebhookListResponse,
    WebhookResponse,
)

_KEYS = f"{PREFIX}/api-keys"
_WEBHOOKS = f"{PREFIX}/webhooks"


class Account(Calls[Mode]):
    """What belongs to whoever signs."""

    @operation
    async def list_api_keys(self) -> ApiKeyListResponse:
        """List the keys of the user. Raises `InfinityAssistantError`."""
        return await self._get(_KEYS, answers.api_keys)

    @operation
    async def create_api_key(self, name: str) -> ApiKeyResponse:
        """Make a key; it is shown this once. Raises `InfinityAssistantError`."""
        return await self._post(_KEYS, {"name": name}, answers.api_key)

    @operation
    async def delete_api_key(self, key_id: str) -> DeleteResponse:
        """Revoke a key.

        Raises `InfinityAssistantError`, and `ValueError` for an empty *key_id*.
        """
        return await self._delete(_KEYS, answers.deleted, id=key_id)

    @operation
    async def list_webhooks(self) -> WebhookListResponse:
        """List where events are told. Raises `InfinityAssistantError`."""
        return await self._get(_WEBHOOKS, answers.webhooks)

    @operation
    async def create_webhook(self, url: str, events: Sequence[str]) -> WebhookResponse:
        """Have *events*, such as ``chat.response``, told at *url*.

        The secret that signs them is shown this once. Raises `InfinityAssistantError`.
        """
        told = {"url": url, "events": [events] if isinstance(events, str) else list(events)}
        return await self._post(_WEBHOOKS, told, answers.webhook)

    @operation
    async def delete_webhook(self, webhook_id: str) -> DeleteResponse:
        """Have no more events told there.

        Raises `InfinityAssistantError`, and `ValueError` for an empty *webhook_id*.
        """
        return await self._delete(_WEBHOOKS, answers.deleted, id=webhook_id)

    @operation
    async def health(self) -> HealthResponse:
        """Ask how the service is. Raises `InfinityAssistantError`."""
        return await self._get(f"{PREFIX}/health", answers.health)
