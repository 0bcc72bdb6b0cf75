"""Telling the audit log what known keys were refused, and not more often than anybody reads."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from chatloom.server.refusal import Kind, Refusal
from chatloom.server.store.administration import Administration, Deed
from chatloom.server.store.keys import Key

_log = logging.getLogger("chatloom.audit")

TOLD: frozenset[Kind] = frozenset({"forbidden"})
"""The refusals that are worth telling: what a key tried that it may not."""
AGAIN_AFTER = 60.0
"""Seconds in which one key's refusals of one kind at one address are told once."""
_REMEMBERED = 10_000


class Refusals:
    """Those of one server."""

    def __init__(self, store: Administration, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._now = now
        self._told: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._telling: set[asyncio.Task[None]] = set()

    def note(self, key: Key, address: str, refusal: Refusal) -> None:
        """Tell of a refusal at *address*, unless it was told lately; nobody waits for that."""
        if refusal.kind not in TOLD:
            return
        name, now = (key.id, address, refusal.code), self._now()
        if now - self._told.get(name, -AGAIN_AFTER) < AGAIN_AFTER:
            return
        self._told[name] = now
        self._told.move_to_end(name)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        deed = Deed(
            actor=key.id,
            action="refused",
            resource="route",
            resource_id=address,
            account_id=key.account_id,
            detail={"code": refusal.code},
        )
        telling = asyncio.create_task(self._tell(deed))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell(self, deed: Deed) -> None:
        try:
            await self._store.record(deed)
        except Exception as error:
            _log.warning("a refusal could not be put into the audit log: %s", error)

    async def close(self) -> None:
        """Wait for what is still being told."""
        await asyncio.gather(*self._telling)
