"""Every store there is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from chatloom.server.store.contract import Store
from chatloom.server.store.sqlite import SQLiteStore
from support.books import Books, books

OpenStore = Callable[[Path], Store]

STORES: dict[str, OpenStore] = {
    "sqlite": lambda folder: SQLiteStore(folder / "store.db"),
    "memory": lambda _: SQLiteStore(None),
}
"""A further backend joins the contract's tests here."""


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store = request.param(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def own(store: Store) -> Books:
    """An account of one's own."""
    return await books(store)


@pytest.fixture
async def foreign(store: Store) -> Books:
    """Somebody else's account."""
    return await books(store)
