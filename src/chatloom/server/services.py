"""What endpoints work with."""

from __future__ import annotations

import msgspec

from chatloom.server.chat.turns import Turns
from chatloom.server.identity import Identity
from chatloom.server.models.registry import Registry
from chatloom.server.settings import ServerSettings
from chatloom.server.store.contract import Store


class Services(msgspec.Struct, kw_only=True):
    """The parts of one server."""

    settings: ServerSettings
    store: Store
    identity: Identity
    registry: Registry
    turns: Turns
    dev: bool

    async def close(self) -> None:
        """Cancel what still runs, and close everything."""
        await self.turns.close(grace=0)
        await self.registry.close()
        await self.store.close()
