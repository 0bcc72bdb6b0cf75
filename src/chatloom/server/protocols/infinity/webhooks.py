"""Webhooks as the service's own clients make them."""

from __future__ import annotations

from msgspec import UNSET

from chatloom.core.secret import Secret
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.moments import iso
from chatloom.server.protocols import webhooks
from chatloom.server.protocols.webhooks import Wanted, reach_of, register_for
from chatloom.server.routes import Route
from chatloom.server.store.webhooks import Webhook
from chatloom.wire import infinity as wire


async def list_webhooks(call: Call) -> Reply:
    """Answer ``GET /api/webhooks``."""
    found = await webhooks.webhooks_within(call.services.store, reach_of(call.key))
    return json_reply(wire.Webhooks(webhooks=[_told(one) for one in found]))


async def create_webhook(call: Call) -> Reply:
    """Answer ``POST /api/webhooks``; only this request, maybe repeated, shows the secret."""
    asked = await call.read(wire.NewWebhook)
    wanted = Wanted(url=asked.url, events=asked.events, description=asked.description)
    made = await register_for(call, wanted)
    message = "Keep this secret: it is shown only now."
    if made.secret is None:
        message = "This webhook was made before; its secret is not shown again."
    return json_reply(wire.MadeWebhook(webhook=_told(made.webhook, made.secret), message=message))


async def delete_webhook(call: Call) -> Reply:
    """Answer ``DELETE /api/webhooks``; the query says which."""
    id, store = call.read_query(wire.WebhookQuery).id, call.services.store
    webhook = await webhooks.webhook_within(store, reach_of(call.key), id)
    await webhooks.remove(store, webhook, by=call)
    return json_reply(wire.Deleted(message="The webhook is deleted, and is told nothing more."))


def _told(webhook: Webhook, secret: Secret | None = None) -> wire.Webhook:
    return wire.Webhook(
        id=webhook.id,
        url=webhook.url,
        events=[*webhook.events],
        description=webhook.description,
        is_active=webhook.disabled_at is None,
        disabled_reason=webhook.disabled_because,
        created_at=iso(webhook.created_at),
        last_triggered=iso(webhook.last_triggered_at),
        last_delivered=iso(webhook.last_delivered_at),
        failure_count=webhook.failures,
        secret=UNSET if secret is None else secret.reveal(),
    )


ROUTES = (
    Route(
        method="GET",
        path="/api/webhooks",
        owner="infinity",
        summary="List where events are told, the newest first",
        endpoint=list_webhooks,
        scope="keys",
        answer=wire.Webhooks,
    ),
    Route(
        method="POST",
        path="/api/webhooks",
        owner="infinity",
        summary="Have events told at an address; the secret that signs them is shown once",
        endpoint=create_webhook,
        scope="keys",
        request=wire.NewWebhook,
        answer=wire.MadeWebhook,
        errors=("invalid", "not_found", "conflict", "unprocessable"),
        heeds_key=True,
    ),
    Route(
        method="DELETE",
        path="/api/webhooks",
        owner="infinity",
        summary="Delete a webhook: it is told nothing more, at once",
        endpoint=delete_webhook,
        scope="keys",
        query=wire.WebhookQuery,
        answer=wire.Deleted,
        errors=("invalid", "not_found"),
    ),
)
