"""All who bring events to webhooks: one for each that something waits for.

A courier is sent for by whoever commits an event, and comes by itself a minute later where that
went unheard.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from chatloom.server.egress import Egress, EgressSettings
from chatloom.server.store.contract import Store
from chatloom.server.webhooks.courier import Courier, Means
from chatloom.server.webhooks.settings import WebhookSettings
from chatloom.server.webhooks.slots import Slots

_log = logging.getLogger("chatloom.webhooks")

LOOK_UPS = 512
"""Names that are looked up at the same time. A silent name server keeps a thread some three times
as long as the attempt that asked it, and there may be a hundred of these."""
_ACCOUNT_SHARE, _SHARE_OF_ALL = 4, 32
"""How many webhooks may keep as busy as one may be, of an account and in all."""
_LOOK_EVERY = 60.0
_UNBOUND = 10_000


class Couriers:
    """Bring events to all webhooks of one server. For one event loop."""

    def __init__(
        self, store: Store, egress: Egress, settings: WebhookSettings, *, dev: bool
    ) -> None:
        slots = Slots(_SHARE_OF_ALL * settings.at_once, _ACCOUNT_SHARE * settings.at_once)
        self._store = store
        self._means = Means(store, egress, slots, settings, dev)
        self._couriers: dict[str, tuple[Courier, asyncio.Task[None]]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Bring what waits, and what there will be."""
        loop = asyncio.get_running_loop()

        def wake(ids: Iterable[str]) -> None:
            with suppress(RuntimeError):  # the loop has ended: what waits, waits for the next start
                loop.call_soon_threadsafe(self._send_for, ids)

        self._store.wake_by(wake)
        self._looking = asyncio.create_task(self._look())

    @property
    def are_out(self) -> bool:
        """Whether any webhook has events that wait."""
        return bool(self._couriers)

    async def close(self, grace: float) -> None:
        """Send nothing more; give what is on its way *grace* seconds to arrive.

        What did not will be sent again by whoever starts next.
        """
        self._closed = True
        self._store.wake_by(None)
        couriers = [*self._couriers.values()]
        tasks = [task for _, task in couriers]
        if self._looking is not None:
            tasks.append(self._looking)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*(courier.leave(grace) for courier, _ in couriers))
        await asyncio.gather(*tasks, return_exceptions=True)
        self._couriers.clear()
        self._means.egress.close()

    async def _look(self) -> None:
        """Send for couriers wherever something waits, every now and then."""
        while True:
            try:
                self._send_for(await self._store.webhooks_waited_for())
            except Exception:
                _log.exception("it could not be found out which webhooks something waits for")
            await asyncio.sleep(_LOOK_EVERY)

    def _send_for(self, ids: Iterable[str]) -> None:
        if self._closed:
            return
        for id in ids:
            if id in self._couriers:
                self._couriers[id][0].wake()
                continue
            courier = Courier(id, self._means)
            over = partial(self._couriers.pop, id)
            self._couriers[id] = courier, asyncio.create_task(courier.run(over))


def way_out(settings: EgressSettings, *, dev: bool) -> Egress:
    """The guard for webhooks: as all others', but whose turn it is is not its business."""
    unbound = replace(settings, most_at_once=_UNBOUND, most_per_host=_UNBOUND)
    return Egress(unbound, dev=dev, look_ups=LOOK_UPS)
