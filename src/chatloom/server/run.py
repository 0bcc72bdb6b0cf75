"""Running the server: one process, one file, one port."""

from __future__ import annotations

import asyncio
import errno
import gc
import ipaddress
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec
import uvicorn

from chatloom.core.errors import SettingsError
from chatloom.core.secret import Secret
from chatloom.server.app import App
from chatloom.server.assembly import assemble, holds_real_keys
from chatloom.server.connection import LimitedProtocol
from chatloom.server.identity.powers import SCOPES, NewKey
from chatloom.server.lock import DatabaseLock, Holder
from chatloom.server.models.registry import Registry
from chatloom.server.protocols.deeds import CLI, deed
from chatloom.server.services import Services
from chatloom.server.settings import ServerSettings
from chatloom.server.store.sqlite import SQLiteStore

DEFAULT_PORT = 3284


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """How the server is to run."""

    database: Path
    settings: ServerSettings
    host: str = "127.0.0.1"
    port: int | None = None
    """`None` for the default one, or a free one near it where that is taken; 0 for any."""
    dev: bool = False
    use_providers: bool = True
    grace: float = 10.0
    """Seconds that running turns have to end when the server stops."""


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What to tell whoever started it."""

    url: str
    database: str
    dev: bool
    wanted_port: int | None
    """The port that was taken, where another one was chosen."""
    admin_key: Secret | None
    """Made when there is no administrator's key yet, and shown here only."""
    unused_providers: dict[str, str]
    """Configured ones that cannot be used, and what they lack."""


def serve(start: Start, environ: Mapping[str, str], announce: Callable[[Started], None]) -> None:
    """Serve until told to stop (Ctrl-C, SIGTERM).

    Raises `SettingsError` for what cannot be: a public address in ``--dev``, a
    taken port, a database in use.
    """
    if start.dev and not _is_loopback(start.host):
        raise SettingsError(f"--dev accepts any key, so it serves loopback only, not {start.host}")
    signal.signal(signal.SIGTERM, _leave)
    with DatabaseLock(start.database) as lock:
        token = Secret(secrets.token_urlsafe(32))
        services = _assemble(start, environ, control=token)
        try:
            _check_keys(start, services)
            listening, wanted = _listen(start.host, start.port)
        except SettingsError:
            asyncio.run(services.store.close())
            raise
        url = _url(listening)
        lock.tell(Holder(_numeric_url(listening), token.reveal(), os.getpid()))

        async def ready() -> None:
            announce(
                Started(
                    url=url,
                    database=str(start.database),
                    dev=start.dev,
                    wanted_port=wanted,
                    admin_key=None if start.dev else await _first_key(services),
                    unused_providers=services.registry.unused,
                )
            )

        _run(App(services), listening, ready, start.grace)


def _leave(*_: object) -> NoReturn:
    """End as asked; uvicorn repeats the signal once it has stopped, which else kills us here."""
    sys.exit(0)


def _assemble(start: Start, environ: Mapping[str, str], *, control: Secret) -> Services:
    registry = Registry(start.settings, environ, dev=start.dev, use_providers=start.use_providers)
    opening = partial(SQLiteStore, start.database)
    return assemble(
        opening, registry, start.settings, dev=start.dev, control=control, environ=environ
    )


def _check_keys(start: Start, services: Services) -> None:
    if start.dev and asyncio.run(holds_real_keys(services.store)):
        raise SettingsError(
            f"{start.database} holds real keys; --dev accepts any, and wants its own database"
        )


async def _first_key(services: Services) -> Secret | None:
    """An administrator's key, where there is none that works."""
    keys = await services.store.keys()
    if any("admin" in key.scopes and not key.dev and key.revoked_at is None for key in keys):
        return None
    first = NewKey(name="admin", scopes=SCOPES)
    _, secret = await services.identity.mint(first, deed(CLI, "key.created", name="admin"))
    return secret


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        ready: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._stop = stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            await self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Turns end, or are cancelled, while uvicorn waits for their readers.
        stopping = asyncio.ensure_future(self._stop())
        await super().shutdown(sockets)
        if self.force_exit:  # told twice: what still runs is settled at the next start
            stopping.cancel()
        await asyncio.wait([stopping])


def _run(
    app: App, listening: socket.socket, ready: Callable[[], Awaitable[None]], grace: float
) -> None:
    logging.getLogger("uvicorn.error").addFilter(is_not_about_broken_answers)
    config = uvicorn.Config(
        app,
        http=LimitedProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(grace) + 1,
    )
    stop = partial(app.stop, grace)
    _collect_less()
    _Server(config, ready, stop).run(sockets=[listening])


def _collect_less() -> None:
    """Spare the collector what lives as long as the process: it took some 7 % of a busy server."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


def is_not_about_broken_answers(record: logging.LogRecord) -> bool:
    """A failed stream is left without an end on purpose, and has been logged as a turn.

    So has one that was running when the server was told to stop, twice.
    """
    stopped = record.exc_info is not None and record.exc_info[0] is asyncio.CancelledError
    return not stopped and "without completing response" not in record.getMessage()


def _listen(host: str, port: int | None) -> tuple[socket.socket, int | None]:
    """A listening socket, and the port it would have had if that were not taken."""
    candidates = [port] if port is not None else range(DEFAULT_PORT, DEFAULT_PORT + 20)
    for candidate in candidates:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, candidate))
        except OSError as error:
            listening.close()
            if port is not None or error.errno != errno.EADDRINUSE:
                raise SettingsError(f"{host}:{port} cannot be served: {error.strerror}") from error
            continue
        listening.listen(2048)
        moved = port is None and candidate != DEFAULT_PORT
        return listening, DEFAULT_PORT if moved else None
    raise SettingsError(f"no free port from {DEFAULT_PORT} to {DEFAULT_PORT + 19} on {host}")


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    if host in {"127.0.0.1", "::1"}:
        host = "localhost" if host == "127.0.0.1" else "[::1]"
    elif ":" in host:
        host = f"[{host}]"
    return f"http://{host}:{port}"


def _numeric_url(listening: socket.socket) -> str:
    """The address by which this machine reaches itself; a name may mean somebody else."""
    host, port = str(listening.getsockname()[0]), int(listening.getsockname()[1])
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - replaced, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
