"""Webhooks without a server around them: a store, couriers, and events to bring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chatloom.server.egress import Egress, EgressSettings
from chatloom.server.events.kinds import Event
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.protocols.deeds import deed
from chatloom.server.store.contract import Store
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.webhooks import Delivery, Webhook
from chatloom.server.webhooks.couriers import Couriers, way_out
from chatloom.server.webhooks.secrets import mint_secret
from chatloom.server.webhooks.settings import WebhookSettings

PATIENCE = 60.0
"""Seconds until something that should happen is given up."""
SOON = WebhookSettings(schedule=(0.02,) * 20, timeout=30.0)
"""Settings for those who fail a few times."""
LATE = WebhookSettings(schedule=(3600.0,), timeout=30.0)
"""Settings by which nothing is sent twice within a test."""


def event_of(account_id: str, conversation_id: str | None = None, **data: str | int) -> Event:
    """Something to be told."""
    return Event(
        id=new_id(),
        account_id=account_id,
        type="chat.message",
        at=milliseconds(),
        data={**data},
        conversation_id=conversation_id,
    )


@dataclass
class Post:
    """One account, its webhooks, and who brings them events."""

    store: Store
    couriers: Couriers
    settings: WebhookSettings
    account_id: str

    async def webhook(
        self,
        url: str,
        *events: str,
        account_id: str | None = None,
        key_id: str | None = None,
    ) -> tuple[Webhook, str]:
        """Make a webhook, which wants all there is unless *events* are named; and its secret."""
        return await add_webhook(
            self.store, account_id or self.account_id, url, *events or ("*",), key_id=key_id
        )

    async def tell(
        self, webhook: Webhook, conversation_id: str | None = None, **data: str | int
    ) -> str:
        """Have a webhook told something; the event's id."""
        event = event_of(webhook.account_id, conversation_id, **data)
        await self.store.tell_webhook(webhook.id, event)
        return event.id

    async def log(self, webhook: Webhook) -> list[Delivery]:
        """What became of its events, oldest first."""
        return (await self.store.deliveries(webhook.id, limit=1000))[::-1]

    async def logged(self, webhook: Webhook, *states: str) -> list[Delivery]:
        """Its log, once its events are in these *states*."""
        return await self._log(webhook, lambda log: [one.state for one in log] == [*states])

    async def attempted(self, webhook: Webhook, count: int = 1) -> list[Delivery]:
        """Its log, once so many attempts are noted."""
        return await self._log(webhook, lambda log: sum(len(one.attempts) for one in log) >= count)

    async def _log(
        self, webhook: Webhook, suffices: Callable[[list[Delivery]], bool]
    ) -> list[Delivery]:
        async with asyncio.timeout(PATIENCE):
            while not suffices(log := await self.log(webhook)):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)
            return log

    async def idle(self) -> None:
        """Wait until nobody brings anything."""
        async with asyncio.timeout(PATIENCE):
            while self.couriers.are_out:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)

    async def now(self, webhook: Webhook) -> Webhook:
        """A webhook as it is by now."""
        found = await self.store.webhook(webhook.id)
        assert found is not None
        return found

    async def restart(self, *, dev: bool = True) -> None:
        """Stop whoever brings events, and have others go on; without *dev* on real keys only."""
        await self.couriers.close(0)
        egress = way_out(EgressSettings(), dev=True)
        self.couriers = Couriers(self.store, egress, self.settings, dev=dev)
        self.couriers.start()


async def add_account(store: Store) -> str:
    """Make an account, as ``--dev`` does."""
    account_id = new_id()
    await store.account(account_id, "post", dev=True, now=milliseconds())
    return account_id


async def add_webhook(
    store: Store, account_id: str, url: str, *events: str, key_id: str | None = None
) -> tuple[Webhook, str]:
    """Make a webhook, and its secret."""
    now = milliseconds()
    webhook = Webhook(
        id=new_id(),
        account_id=account_id,
        end_user=None,
        organization=None,
        key_id=key_id,
        url=url,
        events=events,
        created_at=now,
        updated_at=now,
    )
    secret = mint_secret(webhook.id, now)
    await store.add_webhook(webhook, secret, most=100, deed=deed("test", "webhook.created"))
    return webhook, secret.value.reveal()


@asynccontextmanager
async def a_post(
    folder: Path | None, settings: WebhookSettings = SOON, egress: Egress | None = None
) -> AsyncGenerator[Post]:
    """Open one with a database in *folder*, or in memory; loopback may be reached."""
    store = SQLiteStore(folder / "post.db" if folder else None)
    egress = egress or way_out(EgressSettings(), dev=True)
    couriers = Couriers(store, egress, settings, dev=True)
    post = Post(store, couriers, settings, await add_account(store))
    couriers.start()
    try:
        yield post
    finally:
        await post.couriers.close(0)
        await store.close()
