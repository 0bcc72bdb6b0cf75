"""Where a script is performed: an embedded server, and on demand its address on loopback."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from chatloom import embedded
from chatloom.core.settings import EMBEDDED
from chatloom.server.assembly import assemble
from chatloom.server.services import Services
from chatloom.server.settings import ServerSettings
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.testing import network
from chatloom.testing.performing import Hear, HungUp, Troupe, broken
from chatloom.testing.script import Script
from chatloom.transports.asgi.application import Message, Receive, Scope, Send

if TYPE_CHECKING:
    from uvicorn import Server


class Stage(embedded.Embedded):
    """An embedded server whose models perform a script."""

    grace = 0.0  # a test has seen what it wanted to see

    def __init__(self, script: Script, hear: Hear) -> None:
        super().__init__(None)
        self._script = script
        self._hear = hear
        self._address: str | None = None
        self._port = 0
        self._addressing = threading.Lock()
        self._listening: tuple[Server, asyncio.Task[None]] | None = None
        name = f"test-{secrets.token_hex(8)}"
        self.base_url = EMBEDDED + name
        self._hosted = embedded.share(name, self)
        self._hosted.enter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def spoil(message: Message) -> None:
            body = message.get("body")
            await send({**message, "body": broken(cast("bytes", body))} if body else message)

        # An answer without its end: whoever carries it loses the connection.
        with suppress(HungUp):
            await super().__call__(scope, receive, spoil)

    async def open(self) -> Services:
        registry = Troupe(self._script, self._hear)
        return assemble(lambda: SQLiteStore(None), registry, ServerSettings(), dev=True)

    @property
    def url(self) -> str:
        """Its address on loopback, where it listens from the first look on."""
        with self._addressing:
            if self._address is None:
                self._address = self._hosted.do(self._listen())
            return self._address

    def close(self) -> None:
        """End it, and wait for that."""
        ending = self._hosted.leave()
        if ending is not None:
            ending.join()

    async def stop(self) -> None:
        if self._listening is not None:
            serving, task = self._listening
            serving.should_exit = serving.force_exit = True
            await task
            network.forget("127.0.0.1", self._port)
        await super().stop()

    async def _listen(self) -> str:
        import uvicorn

        from chatloom.server.connection import LimitedProtocol
        from chatloom.server.run import is_not_about_broken_answers

        logging.getLogger("uvicorn.error").addFilter(is_not_about_broken_answers)
        listener = socket.create_server(("127.0.0.1", 0))
        self._port = int(listener.getsockname()[1])
        config = uvicorn.Config(
            self, http=LimitedProtocol, ws="none", lifespan="off", access_log=False, log_config=None
        )
        serving = uvicorn.Server(config)
        task = asyncio.create_task(serving.serve(sockets=[listener]))
        self._listening = serving, task
        while not (serving.started or task.done()):  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.005)
        network.allow("127.0.0.1", self._port)
        return f"http://127.0.0.1:{self._port}"
