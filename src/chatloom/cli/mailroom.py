"""Where webhooks are looked after: at the server that has the database open, else in the file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

import msgspec

from chatloom.cli.opened import opened, with_store
from chatloom.core.clients import BlockingClient
from chatloom.core.http import path
from chatloom.core.operations import operation, typed
from chatloom.server.egress import Egress
from chatloom.server.protocols.chatloom.webhooks import Reached, add_to, list_of
from chatloom.server.protocols.deeds import CLI
from chatloom.server.protocols.webhooks import EVERYTHING
from chatloom.server.refusal import not_found
from chatloom.server.settings import ServerSettings
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.webhooks.terms import Terms
from chatloom.wire import webhooks as wire

T = TypeVar("T")

_AT = "/admin/webhooks"


class Mailroom(Protocol):
    """What can be done with webhooks. Raises `ChatloomError` or `Refusal`."""

    sends: ClassVar[bool]
    """Whether a server runs, which sends what waits."""

    def list(self, asked: wire.WebhooksOfAccount) -> wire.WebhookList: ...
    def add(self, wanted: wire.NewWebhookOfAccount, settings: ServerSettings) -> wire.Webhook: ...
    def change(
        self, id: str, wanted: wire.WebhookChange, settings: ServerSettings
    ) -> wire.Webhook: ...
    def remove(self, id: str) -> wire.Webhook: ...
    def rotate(self, id: str, wanted: wire.SecretRotation) -> wire.Webhook: ...
    def ping(self, id: str) -> wire.Pinged: ...
    def replay(self, id: str, wanted: wire.Replay) -> wire.Replayed: ...
    def deliveries(self, id: str, asked: wire.DeliveryPage) -> wire.DeliveryList: ...


@contextmanager
def mailroom(database: Path) -> Generator[Mailroom, None, None]:
    """Open the mailroom of *database*."""
    with opened(database, _Remote, _Local) as there:
        yield there


class _Remote(BlockingClient):
    """The mailroom of a running server, which has its own settings."""

    sends: ClassVar[bool] = True

    @operation
    async def list(self, asked: wire.WebhooksOfAccount) -> wire.WebhookList:
        """List webhooks."""
        request = self._engine.request("GET", _AT, _query(asked))
        return await self._send(request, typed(wire.WebhookList))

    @operation
    async def add(self, wanted: wire.NewWebhookOfAccount, settings: ServerSettings) -> wire.Webhook:
        """Have an account's events told."""
        return await self._post(_AT, wanted, typed(wire.Webhook))

    @operation
    async def change(
        self, id: str, wanted: wire.WebhookChange, settings: ServerSettings
    ) -> wire.Webhook:
        """Change a webhook."""
        body = self._engine.encode(wanted)
        request = self._engine.request("PATCH", _one(id), (), body)
        return await self._send(request, typed(wire.Webhook))

    @operation
    async def remove(self, id: str) -> wire.Webhook:
        """Have nothing more told there."""
        return await self._send(self._engine.request("DELETE", _one(id)), typed(wire.Webhook))

    @operation
    async def rotate(self, id: str, wanted: wire.SecretRotation) -> wire.Webhook:
        """Sign with a new secret."""
        return await self._post(_one(id, "/rotate"), wanted, typed(wire.Webhook))

    @operation
    async def ping(self, id: str) -> wire.Pinged:
        """Try a webhook."""
        return await self._post(_one(id, "/ping"), {}, typed(wire.Pinged))

    @operation
    async def replay(self, id: str, wanted: wire.Replay) -> wire.Replayed:
        """Send events again."""
        return await self._post(_one(id, "/replay"), wanted, typed(wire.Replayed))

    @operation
    async def deliveries(self, id: str, asked: wire.DeliveryPage) -> wire.DeliveryList:
        """List what became of events."""
        request = self._engine.request("GET", _one(id, "/deliveries"), _query(asked))
        return await self._send(request, typed(wire.DeliveryList))


def _one(id: str, below: str = "") -> str:
    try:
        return path(f"{_AT}/{{id}}{below}", id=id)
    except ValueError:  # it is none that an address could hold
        raise not_found("webhook") from None


def _query(asked: msgspec.Struct) -> tuple[tuple[str, str], ...]:
    told = msgspec.structs.asdict(asked).items()
    return tuple((name, str(value)) for name, value in told if value is not None)


class _Local:
    """The mailroom of a file that no server has open: what is to be sent waits for one."""

    sends: ClassVar[bool] = False

    def __init__(self, database: Path) -> None:
        self._database = database

    def _with(self, act: Callable[[Reached], Awaitable[T]]) -> T:
        return with_store(self._database, lambda store: act(Reached(store, EVERYTHING, CLI)))

    def _on_terms(
        self, settings: ServerSettings, act: Callable[[SQLiteStore, Terms], Awaitable[T]]
    ) -> T:
        async def with_terms(store: SQLiteStore) -> T:
            egress = Egress(settings.egress)
            try:
                return await act(store, Terms.of(settings, egress, dev=False))
            finally:
                egress.close()

        return with_store(self._database, with_terms)

    def list(self, asked: wire.WebhooksOfAccount) -> wire.WebhookList:
        return with_store(self._database, lambda store: list_of(store, asked))

    def add(self, wanted: wire.NewWebhookOfAccount, settings: ServerSettings) -> wire.Webhook:
        return self._on_terms(settings, lambda store, terms: add_to(store, terms, wanted, by=CLI))

    def change(self, id: str, wanted: wire.WebhookChange, settings: ServerSettings) -> wire.Webhook:
        return self._on_terms(
            settings,
            lambda store, terms: Reached(store, EVERYTHING, CLI).change(id, terms, wanted),
        )

    def remove(self, id: str) -> wire.Webhook:
        return self._with(lambda reached: reached.remove(id))

    def rotate(self, id: str, wanted: wire.SecretRotation) -> wire.Webhook:
        return self._with(lambda reached: reached.rotate(id, wanted))

    def ping(self, id: str) -> wire.Pinged:
        return self._with(lambda reached: reached.ping(id))

    def replay(self, id: str, wanted: wire.Replay) -> wire.Replayed:
        return self._with(lambda reached: reached.replay(id, wanted))

    def deliveries(self, id: str, asked: wire.DeliveryPage) -> wire.DeliveryList:
        return self._with(lambda reached: reached.deliveries(id, asked))
