"""One life of an application: its event loop, from startup to shutdown."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import weakref
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import Context
from typing import TypeVar

from chatloom.core.errors import ChatloomError, SettingsError
from chatloom.core.inline import run_inline
from chatloom.transports.asgi.application import VERSIONS, Application, Message, Scope
from chatloom.transports.asgi.exchange import Exchange
from chatloom.transports.asgi.waiting import Blocked, Latch
from chatloom.transports.failures import CLIENT_CLOSED

T = TypeVar("T")

CLOSING = 1.0
"""Seconds that requests have to end when the application is stopped."""
SLOWEST_END = 10.0
"""Seconds that an application's own shutdown may take."""

_log = logging.getLogger("chatloom.asgi")


class Life:
    """Runs an application in a daemon thread until it is ended.

    Keeps its *host* from being forgotten meanwhile. What *app* raises of
    `ChatloomError` while it starts is `failure`. It begins once the life *before*
    it is over.
    """

    def __init__(self, host: object, app: Application, before: Life | None = None) -> None:
        self._host: object | None = host
        self._app = app
        self._before = before
        self._loop = asyncio.new_event_loop()
        self._lifespan = Lifespan(app)
        self._stopping = asyncio.Event()
        self._exchanges: dict[asyncio.Task[None], Exchange] = {}
        self._living: asyncio.Task[None] | None = None
        self.started = Latch()
        """Opens too where it could not start; then there is a `failure`."""
        self.ended = Latch()
        self.ending = False
        self.failure: BaseException | None = None
        # A program may end with its client left open, and a thread must not keep it.
        self._thread = threading.Thread(target=self._run, name="chatloom-asgi", daemon=True)
        self.owner = os.getpid()
        _alive.add(self)
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether the caller is on this life's own thread."""
        return threading.current_thread() is self._thread

    def begin(self, exchange: Exchange, scope: Scope) -> None:
        """Have a request answered; from any thread."""
        try:
            # A request does not see its client's context, as it would not from elsewhere.
            self._loop.call_soon_threadsafe(self._admit, exchange, scope, context=Context())
        except RuntimeError:
            exchange.end("the application has ended")

    def do(self, work: Coroutine[object, object, T]) -> T:
        """Do *work* once the application has started, and block until it is done."""
        waiting = Blocked()
        self.started.announce(waiting)
        while not self.started.is_open:
            run_inline(waiting.wait(None))
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def end(self) -> None:
        """Shut down, without waiting for it; from any thread, also a finaliser's."""
        self.ending = True
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._stop)

    def join(self, seconds: float | None = None) -> None:
        """Wait until its thread is gone."""
        self._thread.join(seconds)

    def _stop(self) -> None:
        self._stopping.set()
        if self._living is not None and not self.started.is_open:
            self._living.cancel()

    def _admit(self, exchange: Exchange, scope: Scope) -> None:
        if self._stopping.is_set():
            exchange.end("the application has ended")
            return
        scope["state"] = dict(self._lifespan.state)
        task = self._loop.create_task(exchange.run(self._app, scope))
        self._exchanges[task] = exchange
        task.add_done_callback(self._exchanges.pop)

    def _run(self) -> None:
        if self._before is not None:
            self._before.join()
            self._before = None
        try:
            self._living = self._loop.create_task(self._live())
            self._loop.run_until_complete(self._living)
            self._loop.run_until_complete(self._tidy())
        finally:
            self._loop.close()
            self._host = None
            self.ending = True
            _alive.discard(self)
            self.started.open()
            self.ended.open()

    async def _live(self) -> None:
        try:
            await self._lifespan.begin()
        except asyncio.CancelledError:
            self.failure = SettingsError("the client is closed")
        except Exception as error:
            self.failure = error
        if self.failure is not None:
            self.ending = True
            return
        self.started.open()
        await self._stopping.wait()
        await self._see_off()
        await self._lifespan.end()

    async def _see_off(self) -> None:
        """Let the requests know that nobody listens, and wait for them, up to a point."""
        for exchange in self._exchanges.values():
            exchange.leave()
            exchange.end(CLIENT_CLOSED)
        if self._exchanges:
            await asyncio.wait(list(self._exchanges), timeout=CLOSING)

    async def _tidy(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=CLOSING)
        await self._loop.shutdown_asyncgens()
        # A thread would have to end the executor, and a program that ends begins none.
        if not _leaving:
            await self._loop.shutdown_default_executor()


class Lifespan:
    """What an application is told of its own beginning and end."""

    def __init__(self, app: Application) -> None:
        self.state: dict[str, object] = {}
        self._app = app
        self._told = asyncio.Queue[Message]()
        self._heard: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Start the application. Raises `StartFailed`, or the `ChatloomError` it raised itself."""
        self._heard = asyncio.get_running_loop().create_future()
        self._told.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.create_task(self._run(self._heard))
        await self._heard

    async def end(self) -> None:
        """Let the application shut down."""
        if self._task is None or self._task.done():
            return
        self._told.put_nowait({"type": "lifespan.shutdown"})
        await asyncio.wait([self._task], timeout=SLOWEST_END)

    async def _run(self, started: asyncio.Future[None]) -> None:
        scope: Scope = {"type": "lifespan", "asgi": VERSIONS, "state": self.state}
        try:
            await self._app(scope, self._told.get, self._hear)
        except ChatloomError as error:
            if not started.done():
                started.set_exception(error)
        except Exception as error:
            # One that does not know lifespans says so by failing (ASGI, "Lifespan Protocol").
            if started.done() and started.exception() is None:
                _log.error("an application failed while it shut down", exc_info=error)
        if not started.done():
            started.set_result(None)

    async def _hear(self, message: Message) -> None:
        started, kind = self._heard, message["type"]
        assert started is not None
        if kind == "lifespan.startup.complete" and not started.done():
            started.set_result(None)
        elif kind == "lifespan.startup.failed" and not started.done():
            started.set_exception(StartFailed(_last_line(message.get("message"))))
        elif kind == "lifespan.shutdown.failed":
            _log.error("an application could not shut down: %s", message.get("message"))


class StartFailed(Exception):
    """The application said that it cannot start."""


def _last_line(told: object) -> str:
    """What a traceback, as frameworks tell it, comes down to."""
    return (str(told or "").strip().splitlines() or ["it did not say why"])[-1]


_alive: weakref.WeakSet[Life] = weakref.WeakSet()
_leaving = False


def _leave() -> None:
    """End what still runs, before the interpreter takes its threads away from within it."""
    global _leaving
    _leaving = True
    lives = [life for life in _alive if life.owner == os.getpid()]
    for life in lives:
        life.end()
    for life in lives:
        life.join(SLOWEST_END)


atexit.register(_leave)
