"""Requests to the server's application in this very process: all it does, and no network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from starlette.types import Message, Scope

from bench.processes import Failed
from chatloom.core.http import JSON
from chatloom.core.secret import Secret
from chatloom.server.app import App
from chatloom.server.assembly import assemble
from chatloom.server.identity.keys import Identity
from chatloom.server.identity.powers import NewKey
from chatloom.server.models.registry import Registry
from chatloom.server.protocols.deeds import deed
from chatloom.server.settings import ServerSettings
from chatloom.server.store.contract import Store
from chatloom.server.store.keys import Key
from chatloom.server.store.sqlite import SQLiteStore


class Within:
    """A server in this process, and a key to it."""

    def __init__(self, app: App, store: Store, key: Key, secret: Secret) -> None:
        self.store = store
        self.key = key
        self._app = app
        self._bearer = f"Bearer {secret.reveal()}".encode()

    async def ask(self, method: str, address: str, body: JSON = None) -> bytes:
        """Ask, and give the answer's body. Raises `Failed` for a refusal."""
        told = b"" if body is None else msgspec.json.encode(body)
        exchange = _Exchange(told)
        await self._app(self._scope(method, address, len(told)), exchange.receive, exchange.send)
        answer = b"".join(exchange.pieces)
        if exchange.status >= 300:
            raise Failed(f"{method} {address}: {exchange.status} {answer[:300]!r}")
        return answer

    def _scope(self, method: str, address: str, length: int) -> Scope:
        path, _, query = address.partition("?")
        return {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [
                (b"host", b"localhost"),
                (b"authorization", self._bearer),
                (b"content-type", b"application/json"),
                (b"content-length", str(length).encode()),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }


@asynccontextmanager
async def within(database: Path) -> AsyncGenerator[Within]:
    """Have a server with its database in a file, until it is left."""
    settings, store = ServerSettings(), SQLiteStore(database)
    registry = Registry(settings, {}, dev=False, use_providers=False)
    services = assemble(lambda: store, registry, settings, dev=False)
    try:
        wanted = NewKey(name="bench")
        key, secret = await Identity(store, dev=False).mint(wanted, deed("test", "key.created"))
        yield Within(App(services), store, key, secret)
    finally:
        await services.close()


class _Exchange:
    """One request, and what is answered."""

    def __init__(self, body: bytes) -> None:
        self.status = 0
        self.pieces: list[bytes] = []
        self._body: bytes | None = body

    async def receive(self) -> Message:
        if self._body is None:
            await asyncio.Event().wait()  # who asks here never leaves
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.pieces.append(message.get("body", b""))
