"""A database opened where it can be: at the server that has it open, else in the file itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

from chatloom.core.clients import BlockingClient
from chatloom.core.engine import Engine, Sync
from chatloom.core.secret import Secret
from chatloom.policies.authorize import Authorize
from chatloom.server.lock import DatabaseLock, Locked
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.transports.blocking import BlockingTransport

T = TypeVar("T")


@contextmanager
def opened(
    database: Path, remote: type[BlockingClient], local: Callable[[Path], T]
) -> Generator[T, None, None]:
    """Give a *remote* client of the running server; without one a *local*, that has the file.

    Both have the same methods. Raises `SettingsError` where nobody else may have the file.
    """
    lock = DatabaseLock(database)
    try:
        lock.acquire()
    except Locked as locked:
        if locked.holder is None or locked.holder.url is None:
            raise
        with remote(_engine(locked.holder.url, locked.holder.token)) as client:
            # Checkers compare protocols with descriptors, not with what these give.
            yield cast("T", client)
        return
    try:
        yield local(database)
    finally:
        lock.release()


def _engine(url: str, token: str) -> Engine[Sync]:
    # No proxy: what is sent here is for this machine alone.
    transport = BlockingTransport(url, environment={})
    return Engine(Sync, transport, [Authorize(Secret(token))])


def with_store(database: Path, act: Callable[[SQLiteStore], Awaitable[T]]) -> T:
    """Do something with the store in a file."""

    async def run() -> T:
        store = SQLiteStore(database)
        try:
            return await act(store)
        finally:
            await store.close()

    return asyncio.run(run())
