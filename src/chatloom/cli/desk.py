"""Where keys, money and people are seen to: at the server that has the file open, else there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol, TypeVar

from msgspec.structs import replace

from chatloom.cli.opened import opened, with_store
from chatloom.core.clients import BlockingClient
from chatloom.core.errors import ChatloomError
from chatloom.core.http import Timeouts, path
from chatloom.core.operations import operation, typed
from chatloom.server.identity.keys import Identity
from chatloom.server.identity.people import People
from chatloom.server.identity.tiers import Tiers
from chatloom.server.protocols.chatloom.accounts import change_tier, tell_accounts
from chatloom.server.protocols.chatloom.archives import import_archive
from chatloom.server.protocols.chatloom.budgets import list_budgets, remove_budget, set_budget
from chatloom.server.protocols.chatloom.keys import make_key, tell_key, tell_keys
from chatloom.server.protocols.chatloom.people import alter_person, make_person, tell_people
from chatloom.server.protocols.deeds import CLI, deed
from chatloom.server.settings import ServerSettings
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.wire import chatloom as wire
from chatloom.wire.people import NewPerson, Person, PersonChange, PersonList

T = TypeVar("T")

_PART = 512 * 1024
"""Bytes of a file that are sent at once."""


class Desk(Protocol):
    """What can be done with keys, money and people. Raises `ChatloomError` or `Refusal`."""

    def list(self) -> wire.KeyList: ...
    def create(self, wanted: wire.NewKey) -> wire.Key: ...
    def rotate(self, id: str, rotation: wire.Rotation) -> wire.Key: ...
    def revoke(self, id: str) -> wire.Key: ...
    def budgets(self) -> wire.BudgetList: ...
    def set_budget(self, wanted: wire.NewBudget) -> wire.Budget: ...
    def remove_budget(self, named: wire.BudgetName) -> wire.Budget: ...
    def accounts(self, settings: ServerSettings) -> wire.AccountList: ...
    def set_tier(self, id: str, tier: str | None, settings: ServerSettings) -> wire.Account: ...
    def people(self) -> PersonList: ...
    def add_person(self, wanted: NewPerson) -> Person: ...
    def change_person(self, id: str, wanted: PersonChange) -> Person: ...
    def import_archive(self, file: IO[bytes], wanted: wire.NewImport) -> wire.Imported: ...


@contextmanager
def desk(database: Path) -> Generator[Desk, None, None]:
    """Open the desk of *database*."""
    with opened(database, _Remote, _Local) as there:
        yield there


class _Remote(BlockingClient):
    """The desk of a running server."""

    @operation
    async def list(self) -> wire.KeyList:
        """List every key."""
        return await self._get("/admin/keys", typed(wire.KeyList))

    @operation
    async def create(self, wanted: wire.NewKey) -> wire.Key:
        """Make a key."""
        return await self._post("/admin/keys", wanted, typed(wire.Key))

    @operation
    async def rotate(self, id: str, rotation: wire.Rotation) -> wire.Key:
        """Give a key a new secret."""
        return await self._post(path("/admin/keys/{id}/rotate", id=id), rotation, typed(wire.Key))

    @operation
    async def revoke(self, id: str) -> wire.Key:
        """Revoke a key."""
        request = self._engine.request("DELETE", path("/admin/keys/{id}", id=id))
        return await self._send(request, typed(wire.Key))

    @operation
    async def budgets(self) -> wire.BudgetList:
        """List every budget."""
        return await self._get("/admin/budgets", typed(wire.BudgetList))

    @operation
    async def set_budget(self, wanted: wire.NewBudget) -> wire.Budget:
        """Limit what may be spent."""
        body = self._engine.encode(wanted)
        request = self._engine.request("PUT", "/admin/budgets", (), body)
        return await self._send(request, typed(wire.Budget))

    @operation
    async def remove_budget(self, named: wire.BudgetName) -> wire.Budget:
        """Lift a limit."""
        query = (("concern", named.concern), ("subject", named.subject))
        request = self._engine.request("DELETE", "/admin/budgets", query)
        return await self._send(request, typed(wire.Budget))

    @operation
    async def accounts(self, settings: ServerSettings) -> wire.AccountList:
        """List every account; the server has its own *settings*."""
        return await self._get("/admin/accounts", typed(wire.AccountList))

    @operation
    async def set_tier(self, id: str, tier: str | None, settings: ServerSettings) -> wire.Account:
        """Put an account into a tier; the server has its own *settings*."""
        body = self._engine.encode(wire.AccountChange(tier=tier))
        address = path("/admin/accounts/{id}", id=id)
        request = self._engine.request("PATCH", address, (), body)
        return await self._send(request, typed(wire.Account))

    @operation
    async def people(self) -> PersonList:
        """List everybody who logs in."""
        return await self._get("/admin/people", typed(PersonList))

    @operation
    async def add_person(self, wanted: NewPerson) -> Person:
        """Make somebody an account."""
        return await self._post("/admin/people", wanted, typed(Person))

    @operation
    async def change_person(self, id: str, wanted: PersonChange) -> Person:
        """Give somebody another password, or disable them."""
        body = self._engine.encode(wanted)
        request = self._engine.request("PATCH", path("/admin/people/{id}", id=id), (), body)
        return await self._send(request, typed(Person))

    @operation
    async def import_archive(self, file: IO[bytes], wanted: wire.NewImport) -> wire.Imported:
        """Send a file, part by part, and have it imported."""
        upload = await self._post("/admin/archives", {}, typed(wire.Upload))
        where = path("/admin/archives/{id}", id=upload.id)
        try:
            file.seek(0)
            sent = 0
            while part := file.read(_PART):
                place = (("offset", str(sent)),)
                request = self._engine.request("PUT", where, place, part)
                sent = (await self._send(request, typed(wire.Upload))).bytes
        except BaseException:
            with suppress(ChatloomError):
                await self._send(self._engine.request("DELETE", where), typed(wire.Upload))
            raise
        patient = replace(
            self._engine.request("POST", where, (), self._engine.encode(wanted)),
            timeouts=Timeouts(connect=10, idle=None),
        )
        return await self._send(patient, typed(wire.Imported))


class _Local:
    """The desk of a file that no server has open."""

    def __init__(self, database: Path) -> None:
        self._database = database

    def _with(self, act: Callable[[SQLiteStore, Identity], Awaitable[T]]) -> T:
        return with_store(self._database, lambda store: act(store, Identity(store, dev=False)))

    def list(self) -> wire.KeyList:
        return self._with(lambda store, _: tell_keys(store))

    def create(self, wanted: wire.NewKey) -> wire.Key:
        return self._with(lambda store, identity: make_key(store, identity, wanted, by=CLI))

    def rotate(self, id: str, rotation: wire.Rotation) -> wire.Key:
        async def act(store: SQLiteStore, identity: Identity) -> wire.Key:
            overlap = rotation.overlap_seconds
            done = deed(CLI, "key.rotated", id, overlap_seconds=overlap)
            key, secret = await identity.rotate(id, done, overlap=overlap)
            return await tell_key(store, key, secret)

        return self._with(act)

    def revoke(self, id: str) -> wire.Key:
        async def act(store: SQLiteStore, identity: Identity) -> wire.Key:
            return await tell_key(store, await identity.revoke(id, deed(CLI, "key.revoked", id)))

        return self._with(act)

    def budgets(self) -> wire.BudgetList:
        return self._with(lambda store, _: list_budgets(store))

    def set_budget(self, wanted: wire.NewBudget) -> wire.Budget:
        return self._with(lambda store, _: set_budget(store, wanted, by=CLI))

    def remove_budget(self, named: wire.BudgetName) -> wire.Budget:
        return self._with(lambda store, _: remove_budget(store, named, by=CLI))

    def accounts(self, settings: ServerSettings) -> wire.AccountList:
        return self._with(lambda store, _: tell_accounts(store, Tiers(settings)))

    def people(self) -> PersonList:
        return self._with(lambda store, _: tell_people(store))

    def add_person(self, wanted: NewPerson) -> Person:
        return self._with_people(lambda people: make_person(people, wanted, by=CLI))

    def change_person(self, id: str, wanted: PersonChange) -> Person:
        return self._with_people(lambda people: alter_person(people, id, wanted, by=CLI))

    def _with_people(self, act: Callable[[People], Awaitable[T]]) -> T:
        async def acted(store: SQLiteStore, identity: Identity) -> T:
            people = People(store, identity, dev=False, is_open=False)
            try:
                return await act(people)
            finally:
                await people.close()

        return self._with(acted)

    def import_archive(self, file: IO[bytes], wanted: wire.NewImport) -> wire.Imported:
        return self._with(lambda store, _: import_archive(store, file, wanted, by=CLI))

    def set_tier(self, id: str, tier: str | None, settings: ServerSettings) -> wire.Account:
        change = wire.AccountChange(tier=tier)
        return self._with(lambda store, _: change_tier(store, Tiers(settings), id, change, by=CLI))
