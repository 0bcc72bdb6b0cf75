"""What a provider offers, asked for now and then."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

from chatloom.server.models.driver import Driver, ModelInfo, ProviderError

FRESH = 300.0
"""Seconds a list is used before it is asked for again."""
DISCOURAGED = 30.0
"""Seconds before a provider that did not answer is asked again."""
PATIENCE = 3.0
"""Seconds a provider may take."""

_log = logging.getLogger("chatloom.models")


class Catalogue:
    """Remembers the models of one provider."""

    def __init__(self, name: str, driver: Driver) -> None:
        self.last: Sequence[ModelInfo] = ()
        """The latest list; of no use for long, but never an error."""
        self._by_id: Mapping[str, ModelInfo] = {}
        self._name = name
        self._driver = driver
        self._stale_at = 0.0
        self._asking = asyncio.Lock()

    def known(self, model: str) -> ModelInfo | None:
        """What the latest list says of *model*."""
        return self._by_id.get(model)

    async def models(self) -> Sequence[ModelInfo]:
        """List the models, from memory where that is fresh."""
        async with self._asking:
            if time.monotonic() >= self._stale_at:
                await self._ask()
        return self.last

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                self.last = await self._driver.models()
            self._by_id = {info.id: info for info in self.last}
            self._stale_at = time.monotonic() + FRESH
        except (ProviderError, TimeoutError) as error:
            reason = str(error) or f"no answer in {PATIENCE:g} seconds"
            _log.warning("the models of %s cannot be listed: %s", self._name, reason)
            self._stale_at = time.monotonic() + DISCOURAGED
