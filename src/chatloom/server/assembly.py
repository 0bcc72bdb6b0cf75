"""Putting the server's parts together, whatever way it is reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chatloom.core.secret import Secret
from chatloom.server.archive.uploads import Uploads
from chatloom.server.chat.turns import Turns
from chatloom.server.egress import Egress
from chatloom.server.identity.keys import Identity
from chatloom.server.identity.limits import Limits
from chatloom.server.identity.people import People
from chatloom.server.identity.refusals import Refusals
from chatloom.server.identity.tiers import Tiers
from chatloom.server.knowledge.library import Knowledge
from chatloom.server.models.registry import Registry
from chatloom.server.research.service import Engines, Research
from chatloom.server.services import Services
from chatloom.server.settings import ServerSettings
from chatloom.server.store.contract import Store
from chatloom.server.webhooks.couriers import Couriers, way_out
from chatloom.server.workflows import Workflows


def assemble(
    open_store: Callable[[], Store],
    registry: Registry,
    settings: ServerSettings,
    *,
    dev: bool,
    control: Secret | None = None,
    environ: Mapping[str, str] | None = None,
) -> Services:
    """Make one server; in *dev* it accepts any key. *environ* holds keys of search engines.

    The store is opened last. Raises `SettingsError` for settings that cannot be, and then has
    opened nothing.
    """
    tiers, workflows = Tiers(settings, dev=dev), Workflows(settings.workflows)
    egress = Egress(settings.egress, dev=dev)
    to_webhooks = way_out(settings.egress, dev=dev)
    engines = Engines(settings.research, settings.egress, environ or {})
    store = open_store()
    knowledge = Knowledge(store)
    identity = Identity(store, dev=dev, control=control)
    return Services(
        settings=settings,
        store=store,
        identity=identity,
        people=People(store, identity, dev=dev, is_open=settings.registration == "open"),
        registry=registry,
        turns=Turns(store, registry, settings.cancel_unread_after),
        knowledge=knowledge,
        egress=egress,
        research=Research(egress, engines, knowledge),
        couriers=Couriers(store, to_webhooks, settings.webhooks, dev=dev),
        tiers=tiers,
        workflows=workflows,
        limits=Limits(),
        refusals=Refusals(store),
        uploads=Uploads(),
        dev=dev,
    )


async def holds_real_keys(store: Store) -> bool:
    """Whether somebody made keys for it, so that not just any may be accepted."""
    return any(not key.dev for key in await store.keys())
