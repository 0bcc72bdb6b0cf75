"""How many events are on their way at a time, from one account and in all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Slots:
    """Turns to send, given in the order they were asked for. For one event loop.

    The account's comes first, so that those who wait for slow receivers of their own keep nobody
    else.
    """

    def __init__(self, in_all: int, per_account: int) -> None:
        self._all = asyncio.Semaphore(in_all)
        self._per_account = per_account
        self._accounts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """Of those who send or wait."""

    @asynccontextmanager
    async def slot(self, account_id: str) -> AsyncGenerator[None]:
        """Hold a turn of an account."""
        own = self._accounts.setdefault(account_id, asyncio.Semaphore(self._per_account))
        async with own, self._all:
            yield
