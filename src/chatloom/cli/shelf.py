"""Where knowledge is kept: at the server that has the database open, else in the file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from msgspec.structs import asdict, replace

from chatloom.cli.opened import opened, with_store
from chatloom.core.clients import BlockingClient
from chatloom.core.http import Timeouts
from chatloom.core.operations import operation, typed
from chatloom.server.knowledge.library import Knowledge
from chatloom.server.protocols.chatloom.knowledge import add_to, list_of, remove_from, search_in
from chatloom.server.protocols.deeds import CLI
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.wire import infinity as wire
from chatloom.wire.knowledge import AccountQuery, EntriesOfAccount, EntryOfAccount

T = TypeVar("T")

_AT = "/admin/knowledge"


class Shelf(Protocol):
    """What can be done with an account's knowledge. Raises `ChatloomError` or `Refusal`."""

    def add(self, account: AccountQuery, wanted: wire.NewEntry) -> wire.HoldingEntry: ...
    def page(self, asked: EntriesOfAccount) -> wire.Entries: ...
    def remove(self, named: EntryOfAccount) -> wire.HoldingEntry: ...
    def search(self, account: AccountQuery, asked: wire.KnowledgeQuery) -> wire.Results: ...


@contextmanager
def shelf(database: Path) -> Generator[Shelf, None, None]:
    """Open the shelf of *database*."""
    with opened(database, _Remote, _Local) as there:
        yield there


class _Remote(BlockingClient):
    """The shelf of a running server."""

    @operation
    async def add(self, account: AccountQuery, wanted: wire.NewEntry) -> wire.HoldingEntry:
        """Let an account know something more; reading it may take its time."""
        body = self._engine.encode(wanted)
        request = self._engine.request("POST", _AT, _query(account), body)
        patient = replace(request, timeouts=Timeouts(connect=10, idle=None))
        return await self._send(patient, typed(wire.HoldingEntry))

    @operation
    async def page(self, asked: EntriesOfAccount) -> wire.Entries:
        """List what an account knows."""
        request = self._engine.request("GET", _AT, _query(asked))
        return await self._send(request, typed(wire.Entries))

    @operation
    async def remove(self, named: EntryOfAccount) -> wire.HoldingEntry:
        """Let an account forget something."""
        request = self._engine.request("DELETE", _AT, _query(named))
        return await self._send(request, typed(wire.HoldingEntry))

    @operation
    async def search(self, account: AccountQuery, asked: wire.KnowledgeQuery) -> wire.Results:
        """Find something of what an account knows."""
        body = self._engine.encode(asked)
        request = self._engine.request("POST", f"{_AT}/search", _query(account), body)
        return await self._send(request, typed(wire.Results))


def _query(asked: AccountQuery) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in asdict(asked).items() if value is not None)


class _Local:
    """The shelf of a file that no server has open."""

    def __init__(self, database: Path) -> None:
        self._database = database

    def _with(self, act: Callable[[SQLiteStore, Knowledge], Awaitable[T]]) -> T:
        async def with_knowledge(store: SQLiteStore) -> T:
            knowledge = Knowledge(store)
            try:
                return await act(store, knowledge)
            finally:
                knowledge.close()

        return with_store(self._database, with_knowledge)

    def add(self, account: AccountQuery, wanted: wire.NewEntry) -> wire.HoldingEntry:
        return self._with(
            lambda store, knowledge: add_to(store, knowledge, account.account_id, wanted, by=CLI)
        )

    def page(self, asked: EntriesOfAccount) -> wire.Entries:
        return self._with(lambda store, _: list_of(store, asked))

    def remove(self, named: EntryOfAccount) -> wire.HoldingEntry:
        return self._with(lambda store, _: remove_from(store, named, by=CLI))

    def search(self, account: AccountQuery, asked: wire.KnowledgeQuery) -> wire.Results:
        return self._with(
            lambda store, knowledge: search_in(store, knowledge, account.account_id, asked)
        )
