"""Webhooks as they are registered and looked after, in the words of whichever protocol.

One belongs to the account of the key that makes it, and to the end user or organization that key
belongs to: it is told what that key could find out, and keys of others do not see it.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from chatloom.core.http import JSON
from chatloom.core.secret import Secret
from chatloom.server.call import Call
from chatloom.server.events.kinds import ping_of
from chatloom.server.identity.keys import is_control
from chatloom.server.identity.powers import require
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.protocols.cursors import Number, cursor_of, read_cursor, wrong_cursor
from chatloom.server.protocols.deeds import deed
from chatloom.server.protocols.repeats import refusing_reuse, repeatable_making
from chatloom.server.refusal import Refusal, not_found
from chatloom.server.store.administration import Deed
from chatloom.server.store.contract import Store
from chatloom.server.store.keys import Key
from chatloom.server.store.trees import Repeatable
from chatloom.server.store.webhooks import (
    MOST_SECRETS,
    Delivery,
    DeliveryState,
    TooManySecrets,
    TooManyWebhooks,
    Webhook,
    WebhookChange,
)
from chatloom.server.webhooks.secrets import mint_secret
from chatloom.server.webhooks.terms import Terms, check_events, host_of


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook as somebody wants it."""

    url: str
    events: list[str]
    description: str


class Registered(msgspec.Struct, frozen=True):
    """A webhook just made, and what signs its events; `None` where that is not shown again."""

    webhook: Webhook
    secret: Secret | None


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Whose webhooks somebody sees; `None` is for those of all."""

    account_id: str | None = None
    end_user: str | None = None
    organization: str | None = None

    def covers(self, webhook: Webhook) -> bool:
        """Whether *webhook* is among them."""
        return (
            self.account_id in {None, webhook.account_id}
            and self.end_user in {None, webhook.end_user}
            and self.organization in {None, webhook.organization}
        )


EVERYTHING = Reach()
"""What commands of the server's own machine reach."""


def reach_of(key: Key) -> Reach:
    """What is within a key's reach."""
    if is_control(key):
        return EVERYTHING
    return Reach(account_id=key.account_id, end_user=key.owner, organization=key.organization)


def terms_of(call: Call) -> Terms:
    """On which terms webhooks are made where *call* arrived."""
    services = call.services
    return Terms.of(services.settings, services.egress, dev=services.dev)


async def webhooks_within(store: Store, reach: Reach) -> list[Webhook]:
    """Those within *reach*, newest first."""
    return [one for one in await store.webhooks(reach.account_id) if reach.covers(one)]


async def webhook_within(store: Store, reach: Reach, id: str) -> Webhook:
    """The one of this id. Raises `Refusal` for none, and for one beyond *reach* alike."""
    found = await store.webhook(id)
    if found is None or not reach.covers(found):
        raise not_found("webhook")
    return found


async def register_for(call: Call, wanted: Wanted) -> Registered:
    """Make a webhook of the key that asks, once for each idempotency key. Raises `Refusal`."""
    key, store, terms = call.key, call.services.store, terms_of(call)
    by = repeatable_making(call, wanted)
    new = _new(terms, wanted, reach_of(key), key_id=key.id)
    await _check_may_be_told(call)
    with refusing_reuse():
        made = await _store(store, terms, new, by=call, repeat=by)
    return made if made.secret is not None else await _shown_again(call, made.webhook)


async def register(
    store: Store, terms: Terms, wanted: Wanted, account_id: str, *, by: Call | str
) -> Registered:
    """Make a webhook of a whole account. Raises `Refusal`."""
    new = _new(terms, wanted, Reach(account_id=account_id), key_id=None)
    return await _store(store, terms, new, by=by)


def _new(terms: Terms, wanted: Wanted, whose: Reach, *, key_id: str | None) -> Webhook:
    assert whose.account_id is not None
    now = milliseconds()
    return Webhook(
        id=new_id(),
        account_id=whose.account_id,
        end_user=whose.end_user,
        organization=whose.organization,
        key_id=key_id,
        url=terms.address(wanted.url),
        events=check_events(wanted.events),
        description=wanted.description,
        created_at=now,
        updated_at=now,
    )


async def _store(
    store: Store, terms: Terms, new: Webhook, *, by: Call | str, repeat: Repeatable | None = None
) -> Registered:
    """Keep *new*, unless the same request made one before: then that, without its secret."""
    secret = mint_secret(new.id, new.created_at)
    done = _deed(by, "created", new, host=host_of(new.url), events=[*new.events])
    try:
        id = await store.add_webhook(new, secret, most=terms.most, deed=done, by=repeat)
    except TooManyWebhooks:
        raise Refusal(
            "conflict",
            f"an account has {terms.most} webhooks at most; remove one that is not needed",
            code="too_many_webhooks",
            repeatable=False,
        ) from None
    if id == new.id:
        return Registered(new, secret.value)
    return Registered(await webhook_within(store, Reach(account_id=new.account_id), id), None)


async def _shown_again(call: Call, webhook: Webhook) -> Registered:
    """What a repeated request is told: the secret, too, where the same key asks.

    Else an answer that was lost would leave a webhook that nobody can use. One that was rotated
    since is not shown: whoever did that has the newer one.
    """
    secrets = await call.services.store.webhook_secrets(webhook.id, milliseconds())
    is_first = len(secrets) == 1 and secrets[0].created_at == webhook.created_at
    shown = secrets[0].value if is_first and webhook.key_id == call.key.id else None
    return Registered(webhook, shown)


async def _check_may_be_told(call: Call) -> None:
    """Refuse keys that may not read what webhooks are told, and those that end with a login."""
    key = call.key
    require(key, "chat")
    if key.ancestors and await call.services.store.is_session(key.ancestors[-1]):
        raise Refusal(
            "forbidden",
            "a webhook ends with the API key that makes it, and this one ends with a login: who"
            " runs this server makes a lasting one, by `chatloom keys create NAME --account"
            f" {key.account_id}`",
            code="passing_api_key",
        )


async def check_may_turn(call: Call, webhook: Webhook) -> None:
    """Refuse keys that the webhook would outlive to say where and what it is told, or to sign."""
    if is_control(call.key):
        return
    require(call.key, "chat")
    own = webhook.key_id and await call.services.store.key(webhook.key_id)
    if not own or call.key.id not in {own.id, *own.ancestors}:
        raise Refusal(
            "forbidden",
            "only the API key that this webhook was made with, and those above it, say where and"
            " what it is told, and rotate its secret: it does not end with another; make your own",
            code="webhook_of_other_key",
        )


async def change(
    store: Store, terms: Terms, webhook: Webhook, wanted: WebhookChange, *, by: Call | str
) -> Webhook:
    """Change a webhook. Raises `Refusal`."""
    wanted = _checked(webhook, wanted, terms)
    if wanted == WebhookChange():
        return webhook
    done = _deed(by, "changed", webhook, **_publicly(wanted))
    changed = await store.change_webhook(webhook.id, wanted, now=milliseconds(), deed=done)
    if changed is None:
        raise not_found("webhook")
    return changed


def _checked(webhook: Webhook, wanted: WebhookChange, terms: Terms) -> WebhookChange:
    """What of a change is one, as it is kept. Raises `Refusal`."""
    if wanted.url is not UNSET:
        wanted = replace(wanted, url=terms.address(wanted.url))
    if wanted.events is not UNSET:
        wanted = replace(wanted, events=check_events(wanted.events))
    if wanted.active is (webhook.disabled_at is None):
        wanted = replace(wanted, active=UNSET)
    if wanted.active is True:
        _check_may_be_active(webhook)
    return wanted


def _publicly(change: WebhookChange) -> dict[str, JSON]:
    """What may be told of a change to others than the webhook's owner."""
    told: dict[str, JSON] = {}
    if change.url is not UNSET:
        told["host"] = host_of(change.url)
    if change.events is not UNSET:
        told["events"] = [*change.events]
    if change.description is not UNSET:
        told["description"] = change.description
    if change.active is not UNSET:
        told["active"] = change.active
    return told


def _check_may_be_active(webhook: Webhook) -> None:
    """Refuse to enable what was disabled with its key: it would be told by nobody's right."""
    if webhook.disabled_because == "key":
        raise Refusal(
            "conflict",
            "the API key that this webhook was made with works no more; make another webhook",
            code="webhook_without_key",
            repeatable=False,
        )


async def remove(store: Store, webhook: Webhook, *, by: Call | str) -> None:
    """Have nothing more told there. Raises `Refusal` where that was done this very moment."""
    done = _deed(by, "removed", webhook, host=host_of(webhook.url))
    if not await store.remove_webhook(webhook.id, now=milliseconds(), deed=done):
        raise not_found("webhook")


async def rotate(
    store: Store, webhook: Webhook, overlap_seconds: float, *, by: Call | str
) -> Registered:
    """Sign with a new secret; the old one signs for a while, too. Raises `Refusal`."""
    now = milliseconds()
    secret = mint_secret(webhook.id, now)
    done = _deed(by, "rotated", webhook, overlap_seconds=overlap_seconds)
    old_expire_at = now + int(overlap_seconds * 1000)
    try:
        await store.rotate_webhook(secret, old_expire_at=old_expire_at, deed=done)
    except TooManySecrets:
        raise Refusal(
            "conflict",
            f"{MOST_SECRETS} secrets sign for this webhook at the moment, as many as may;"
            " overlap_seconds 0 ends them",
            code="too_many_secrets",
            repeatable=False,
        ) from None
    return Registered(webhook, secret.value)


async def ping(store: Store, webhook: Webhook, *, by: Call | str) -> str:
    """Have a webhook told that it is reached; the event's id. Raises `Refusal`."""
    _check_is_told(webhook)
    event = ping_of(webhook.account_id, webhook.id, milliseconds())
    await store.tell_webhook(webhook.id, event, _deed(by, "pinged", webhook, event_id=event.id))
    return event.id


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """Which events to send again: those named, else those in some states, of some time."""

    events: list[str] | None = None
    states: tuple[DeliveryState, ...] = ("failed", "missed")
    since: int | None = None
    until: int | None = None


async def replay(store: Store, webhook: Webhook, again: Again, *, by: Call | str) -> int:
    """Send events again; how many there are. Raises `Refusal`."""
    _check_is_told(webhook)
    return await store.replay_events(
        webhook.id,
        events=again.events,
        states=again.states,
        since=again.since,
        until=again.until,
        now=milliseconds(),
        deed=_deed(by, "replayed", webhook),
    )


class Behind(msgspec.Struct, array_like=True):
    """Where a list of deliveries goes on."""

    webhook_id: str
    number: Number


async def deliveries(
    store: Store,
    webhook: Webhook,
    *,
    state: DeliveryState | None,
    event_id: str | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[Delivery], str | None]:
    """A page of what became of events, and the cursor of the next. Raises `Refusal`."""
    place = None if cursor is None else read_cursor(cursor, Behind)
    if place is not None and place.webhook_id != webhook.id:
        raise wrong_cursor()
    found = await store.deliveries(
        webhook.id,
        state=state,
        event_id=event_id,
        before=None if place is None else place.number,
        limit=limit + 1,
    )
    page = found[:limit]
    goes_on = len(found) > limit
    return page, cursor_of(Behind(webhook.id, page[-1].number)) if goes_on else None


def _check_is_told(webhook: Webhook) -> None:
    """Refuse to send anything where nothing is sent."""
    if webhook.disabled_at is not None:
        raise Refusal(
            "conflict",
            "this webhook is disabled, so nothing is sent there; make it active first",
            code="webhook_disabled",
            repeatable=False,
        )


def _deed(by: Call | str, done: str, webhook: Webhook, **detail: JSON) -> Deed:
    told = deed(by, f"webhook.{done}", webhook.id, **detail)
    return replace(told, account_id=webhook.account_id)
