"""Webhooks, looked after by the keys they belong to, and by commands of the server's machine."""

from __future__ import annotations

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from chatloom.core.secret import Secret
from chatloom.server.call import Call, Reply, StreamedReply, json_reply
from chatloom.server.moments import iso
from chatloom.server.protocols import webhooks as common
from chatloom.server.protocols.chatloom.accounts import account_meant
from chatloom.server.protocols.webhooks import (
    Again,
    Reach,
    Registered,
    Wanted,
    check_may_turn,
    reach_of,
    register_for,
    terms_of,
)
from chatloom.server.refusal import invalid, not_found
from chatloom.server.routes import Route
from chatloom.server.store import webhooks as kept
from chatloom.server.store.contract import Store
from chatloom.server.webhooks.terms import Terms
from chatloom.wire import webhooks as wire


async def list_webhooks(call: Call) -> Reply:
    """Answer ``GET /v1/webhooks``."""
    found = await common.webhooks_within(call.services.store, reach_of(call.key))
    return json_reply(wire.WebhookList([_told(one) for one in found]))


async def add_webhook(call: Call) -> Reply:
    """Answer ``POST /v1/webhooks``; with the secret, which only a repetition shows again."""
    wanted = _wanted(await call.read(wire.NewWebhook))
    return json_reply(_made(await register_for(call, wanted)), 201)


async def list_all_webhooks(call: Call) -> Reply:
    """Answer ``GET /admin/webhooks``."""
    asked = call.read_query(wire.WebhooksOfAccount)
    return json_reply(await list_of(call.services.store, asked))


async def add_webhook_of_account(call: Call) -> Reply:
    """Answer ``POST /admin/webhooks``; with the secret, which is not shown again."""
    wanted = await call.read(wire.NewWebhookOfAccount)
    made = await add_to(call.services.store, terms_of(call), wanted, by=call)
    return json_reply(made, 201)


async def get_webhook(call: Call) -> Reply:
    """Answer ``GET …/webhooks/{webhook_id}``."""
    return json_reply(_told(await _of_path(call)))


async def change_webhook(call: Call) -> Reply:
    """Answer ``PATCH …/webhooks/{webhook_id}``."""
    wanted = await call.read(wire.WebhookChange)
    if wanted.url is not UNSET or wanted.events is not UNSET:
        await check_may_turn(call, await _of_path(call))
    return json_reply(await _reached(call).change(_id(call), terms_of(call), wanted))


async def remove_webhook(call: Call) -> Reply:
    """Answer ``DELETE …/webhooks/{webhook_id}``: what it was."""
    return json_reply(await _reached(call).remove(_id(call)))


async def rotate_secret(call: Call) -> Reply:
    """Answer ``POST …/webhooks/{webhook_id}/rotate``, with the new secret."""
    wanted = await call.read(wire.SecretRotation)
    await check_may_turn(call, await _of_path(call))
    return json_reply(await _reached(call).rotate(_id(call), wanted))


async def ping_webhook(call: Call) -> Reply:
    """Answer ``POST …/webhooks/{webhook_id}/ping``."""
    return json_reply(await _reached(call).ping(_id(call)))


async def replay_events(call: Call) -> Reply:
    """Answer ``POST …/webhooks/{webhook_id}/replay``."""
    wanted = await call.read(wire.Replay)
    return json_reply(await _reached(call).replay(_id(call), wanted))


async def list_deliveries(call: Call) -> Reply:
    """Answer ``GET …/webhooks/{webhook_id}/deliveries``."""
    asked = call.read_query(wire.DeliveryPage)
    return json_reply(await _reached(call).deliveries(_id(call), asked))


def _id(call: Call) -> str:
    return call.parts["webhook_id"]


async def _of_path(call: Call) -> kept.Webhook:
    return await common.webhook_within(call.services.store, reach_of(call.key), _id(call))


def _reached(call: Call) -> Reached:
    return Reached(call.services.store, reach_of(call.key), call)


async def list_of(store: Store, asked: wire.WebhooksOfAccount) -> wire.WebhookList:
    """Describe an account's webhooks, or all. Raises `Refusal`."""
    if asked.account_id is not None and await store.find_account(asked.account_id) is None:
        raise not_found("account")
    found = await common.webhooks_within(store, Reach(account_id=asked.account_id))
    return wire.WebhookList([_told(one) for one in found])


async def add_to(
    store: Store, terms: Terms, wanted: wire.NewWebhookOfAccount, *, by: Call | str
) -> wire.Webhook:
    """Have an account's events told. Raises `Refusal`."""
    account = await account_meant(store, wanted.account_id)
    return _made(await common.register(store, terms, _wanted(wanted), account, by=by))


class Reached(msgspec.Struct, frozen=True):
    """The webhooks that somebody reaches, each by its id; for another's there is a `Refusal`."""

    store: Store
    reach: Reach
    by: Call | str

    async def _one(self, id: str) -> kept.Webhook:
        return await common.webhook_within(self.store, self.reach, id)

    async def change(self, id: str, terms: Terms, wanted: wire.WebhookChange) -> wire.Webhook:
        """Have other events told, or elsewhere, or nothing for now."""
        webhook = await self._one(id)
        return _told(await common.change(self.store, terms, webhook, _change(wanted), by=self.by))

    async def remove(self, id: str) -> wire.Webhook:
        """Have nothing more told; what it was."""
        webhook = await self._one(id)
        await common.remove(self.store, webhook, by=self.by)
        return _told(webhook)

    async def rotate(self, id: str, wanted: wire.SecretRotation) -> wire.Webhook:
        """Sign with a new secret."""
        webhook = await self._one(id)
        return _made(await common.rotate(self.store, webhook, wanted.overlap_seconds, by=self.by))

    async def ping(self, id: str) -> wire.Pinged:
        """Try it."""
        return wire.Pinged(await common.ping(self.store, await self._one(id), by=self.by))

    async def replay(self, id: str, wanted: wire.Replay) -> wire.Replayed:
        """Send events again."""
        webhook, again = await self._one(id), _again(wanted)
        return wire.Replayed(await common.replay(self.store, webhook, again, by=self.by))

    async def deliveries(self, id: str, asked: wire.DeliveryPage) -> wire.DeliveryList:
        """What became of events."""
        webhook = await self._one(id)
        page, cursor = await common.deliveries(self.store, webhook, **msgspec.structs.asdict(asked))
        return wire.DeliveryList(
            deliveries=[_delivery(one) for one in page],
            has_more=cursor is not None,
            next_cursor=cursor,
        )


def _wanted(asked: wire.NewWebhook) -> Wanted:
    return Wanted(url=asked.url, events=asked.events, description=asked.description)


def _change(wanted: wire.WebhookChange) -> kept.WebhookChange:
    return kept.WebhookChange(
        url=wanted.url,
        events=UNSET if wanted.events is UNSET else tuple(wanted.events),
        description=wanted.description,
        active=wanted.active,
    )


def _again(wanted: wire.Replay) -> Again:
    """Which events are meant. Raises `Refusal` where they are named in two ways."""
    since, until = (
        None if moment is None else int(moment.timestamp() * 1000)
        for moment in (wanted.since, wanted.until)
    )
    if wanted.event_ids is not None and (wanted.states or since is not None or until is not None):
        raise invalid(
            "event_ids: events are meant by their ids, or by state and time", param="event_ids"
        )
    again = Again(events=wanted.event_ids, since=since, until=until)
    return replace(again, states=tuple(wanted.states)) if wanted.states else again


def _made(made: Registered) -> wire.Webhook:
    return _told(made.webhook, made.secret)


def _told(webhook: kept.Webhook, secret: Secret | None = None) -> wire.Webhook:
    return wire.Webhook(
        id=webhook.id,
        account_id=webhook.account_id,
        url=webhook.url,
        events=[*webhook.events],
        description=webhook.description,
        user=webhook.end_user,
        organization=webhook.organization,
        active=webhook.disabled_at is None,
        disabled_at=iso(webhook.disabled_at),
        disabled_because=webhook.disabled_because,
        created_at=iso(webhook.created_at),
        updated_at=iso(webhook.updated_at),
        last_triggered_at=iso(webhook.last_triggered_at),
        last_delivered_at=iso(webhook.last_delivered_at),
        failures=webhook.failures,
        secret=UNSET if secret is None else secret.reveal(),
    )


def _delivery(delivery: kept.Delivery) -> wire.Delivery:
    return wire.Delivery(
        event_id=delivery.event_id,
        type=delivery.type,
        conversation_id=delivery.conversation_id,
        state=delivery.state,
        created_at=iso(delivery.created_at),
        next_attempt_at=iso(delivery.next_at),
        attempts=[_attempt(one) for one in delivery.attempts],
    )


def _attempt(attempt: kept.Attempt) -> wire.Attempt:
    return wire.Attempt(
        number=attempt.number,
        started_at=iso(attempt.started_at),
        milliseconds=attempt.ended_at - attempt.started_at,
        status=attempt.status,
        problem=attempt.problem,
        response=attempt.response,
    )


_ONE = "/v1/webhooks/{webhook_id}"

_OF_ONE = (
    Route(
        method="GET",
        path=_ONE,
        owner="chatloom",
        summary="Read a webhook back",
        endpoint=get_webhook,
        scope="keys",
        answer=wire.Webhook,
        errors=("not_found",),
    ),
    Route(
        method="PATCH",
        path=_ONE,
        owner="chatloom",
        summary="Have other events told, or elsewhere; disable a webhook, or enable it",
        endpoint=change_webhook,
        scope="keys",
        request=wire.WebhookChange,
        answer=wire.Webhook,
        errors=("invalid", "not_found", "conflict"),
    ),
    Route(
        method="DELETE",
        path=_ONE,
        owner="chatloom",
        summary="Remove a webhook: it is told nothing more, at once",
        endpoint=remove_webhook,
        scope="keys",
        answer=wire.Webhook,
        errors=("not_found",),
    ),
    Route(
        method="POST",
        path=f"{_ONE}/rotate",
        owner="chatloom",
        summary="Sign with a new secret, shown here only; the old one signs a while longer, too",
        endpoint=rotate_secret,
        scope="keys",
        request=wire.SecretRotation,
        answer=wire.Webhook,
        errors=("invalid", "not_found", "conflict"),
    ),
    Route(
        method="POST",
        path=f"{_ONE}/ping",
        owner="chatloom",
        summary="Try a webhook: have it told `webhook.ping`",
        endpoint=ping_webhook,
        scope="keys",
        answer=wire.Pinged,
        errors=("not_found", "conflict"),
    ),
    Route(
        method="POST",
        path=f"{_ONE}/replay",
        owner="chatloom",
        summary="Send events again, under their ids: by default what failed or was missed",
        endpoint=replay_events,
        scope="keys",
        request=wire.Replay,
        answer=wire.Replayed,
        errors=("invalid", "not_found", "conflict"),
    ),
    Route(
        method="GET",
        path=f"{_ONE}/deliveries",
        owner="chatloom",
        summary="List what became of events, attempt by attempt, the newest first",
        endpoint=list_deliveries,
        scope="keys",
        query=wire.DeliveryPage,
        answer=wire.DeliveryList,
        errors=("invalid", "not_found"),
    ),
)


def _for_commands(route: Route) -> Route:
    """The same address for commands of the server's machine, which reach everybody's webhooks."""

    async def endpoint(call: Call) -> Reply | StreamedReply:
        return await route.endpoint(call)

    endpoint.__name__ = f"{route.endpoint.__name__}_of_any"
    return replace(
        route,
        path=route.path.replace("/v1/", "/admin/"),
        summary=f"{route.summary}; for commands of the server's machine alone",
        endpoint=endpoint,
        scope="control",
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/webhooks",
        owner="chatloom",
        summary="List where events are told, the newest first",
        endpoint=list_webhooks,
        scope="keys",
        answer=wire.WebhookList,
    ),
    Route(
        method="POST",
        path="/v1/webhooks",
        owner="chatloom",
        summary="Have events told at an address; the secret that signs them is shown here only",
        endpoint=add_webhook,
        scope="keys",
        request=wire.NewWebhook,
        answer=wire.Webhook,
        status=201,
        errors=("invalid", "not_found", "conflict", "unprocessable"),
        heeds_key=True,
    ),
    *_OF_ONE,
    Route(
        method="GET",
        path="/admin/webhooks",
        owner="chatloom",
        summary="List everybody's webhooks, or an account's; for commands of the server's machine"
        " alone",
        endpoint=list_all_webhooks,
        scope="control",
        query=wire.WebhooksOfAccount,
        answer=wire.WebhookList,
        errors=("invalid", "not_found"),
    ),
    Route(
        method="POST",
        path="/admin/webhooks",
        owner="chatloom",
        summary="Have an account's events told; for commands of the server's machine alone",
        endpoint=add_webhook_of_account,
        scope="control",
        request=wire.NewWebhookOfAccount,
        answer=wire.Webhook,
        status=201,
        errors=("invalid", "not_found", "conflict"),
    ),
    *map(_for_commands, _OF_ONE),
)
