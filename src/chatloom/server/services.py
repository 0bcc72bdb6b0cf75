"""What endpoints work with."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from chatloom.server.archive.uploads import Uploads
from chatloom.server.chat.turns import Turns
from chatloom.server.egress import Egress
from chatloom.server.identity.keys import Identity
from chatloom.server.identity.limits import Limits
from chatloom.server.identity.people import People
from chatloom.server.identity.refusals import Refusals
from chatloom.server.identity.tiers import Tiers
from chatloom.server.ids import milliseconds
from chatloom.server.knowledge.library import Knowledge
from chatloom.server.models.registry import Registry
from chatloom.server.research.service import Research
from chatloom.server.settings import ServerSettings
from chatloom.server.store.contract import Store
from chatloom.server.webhooks.couriers import Couriers
from chatloom.server.workflows import Workflows

_log = logging.getLogger("chatloom.server")

_DAY = 86_400_000
"""Milliseconds."""


class Services(msgspec.Struct, kw_only=True):
    """The parts of one server."""

    settings: ServerSettings
    store: Store
    identity: Identity
    people: People
    registry: Registry
    turns: Turns
    knowledge: Knowledge
    egress: Egress
    research: Research
    couriers: Couriers
    tiers: Tiers
    workflows: Workflows
    limits: Limits
    refusals: Refusals
    uploads: Uploads
    dev: bool

    async def tidy(self) -> None:
        """Forget what need not be kept any longer, every hour."""
        kept = int(self.settings.webhooks.keep_days * _DAY)
        while True:
            try:
                await self.store.forget_replays(milliseconds())
                await self.store.forget_refresh_tokens(milliseconds())
                await self.store.forget_expired_memories(milliseconds())
                await self.store.forget_drafts(milliseconds())
                await self.store.forget_events(milliseconds() - kept)
                await self.store.purge_words()
            except Exception:
                _log.exception("what need not be kept could not be forgotten")
            await asyncio.sleep(3600)

    async def close(self) -> None:
        """Cancel what still runs, and close everything."""
        await self.turns.close(grace=0)
        await self.couriers.close(grace=0)
        self.knowledge.close()
        self.research.close()
        self.egress.close()
        await self.people.close()
        await self.refusals.close()
        await self.registry.close()
        self.uploads.close()
        await self.store.close()
