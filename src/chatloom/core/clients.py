"""What every client can do beside its operations."""

from __future__ import annotations

from typing import Self, Unpack

from chatloom.core.engine import Async, Mode, Sync
from chatloom.core.inline import run_inline
from chatloom.core.manner import CallOptions
from chatloom.core.operations import Resource
from chatloom.core.spelling import spelled_out


class Client(Resource[Mode]):
    """What both kinds of client share."""

    @spelled_out(CallOptions)
    def with_options(self, **options: Unpack[CallOptions]) -> Self:
        """Make a client that asks in another manner, over the same connections.

        *timeout* and *total_timeout* are in seconds; *extra_headers*,
        *extra_query* and *extra_body* go with every request of the new client.
        Closing either of the two closes both. Raises `chatloom.SettingsError`.
        """
        manner = self._engine.manner.changed(options)
        return self._through(self._engine.in_manner(manner))

    @property
    def timeout(self) -> float | None:
        """Seconds to wait for a connection, and for each read; `None` waits for ever."""
        return self._engine.manner.timeouts.idle


class BlockingClient(Client[Sync]):
    """Closes like a file."""

    def close(self) -> None:
        """Give back every connection."""
        run_inline(self._engine.outside.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AwaitingClient(Client[Async]):
    """Closes like an async file."""

    async def close(self) -> None:
        """Give back every connection."""
        await self._engine.outside.close()

    async def aclose(self) -> None:
        """Give back every connection; the same as `close`."""
        await self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
