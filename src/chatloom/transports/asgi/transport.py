"""An ASGI application as the outside world of a client in the same process.

Everything heavy, asyncio included, is imported with the first request.
"""

from __future__ import annotations

import time
import weakref
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from chatloom.core.errors import (
    ChatloomError,
    ConnectError,
    ConnectTimedOut,
    SettingsError,
    TimedOut,
)
from chatloom.core.http import Request, Response
from chatloom.transports.address import address_of
from chatloom.transports.arrivals import Arrivals
from chatloom.transports.asgi.application import Application, scope_of
from chatloom.transports.asgi.hosted import Hosted
from chatloom.transports.asgi.waiting import Blocked, Suspended, Waiting
from chatloom.transports.clock import Clock

if TYPE_CHECKING:
    from chatloom.transports.asgi.life import Life


class AsgiTransport(Clock):
    """Send requests to an application on a background event loop of this process.

    With *blocking* its methods never suspend; else they are awaited, in any
    number of event loops. *base_url* is what the application believes its
    address to be. A `Hosted` application is shared, and ends with its last guest.
    """

    def __init__(
        self, app: Application | Hosted, *, blocking: bool, base_url: str = "http://localhost"
    ) -> None:
        self._address = address_of(base_url)
        self._hosted = app if isinstance(app, Hosted) else Hosted(app)
        self._blocking = blocking
        self._arrivals = Arrivals()
        self._hosted.enter()
        self._leaving = weakref.finalize(self, self._hosted.leave)
        self._leaving.atexit = False  # then every life ends anyway

    async def send(self, request: Request) -> Response:
        if not self._leaving.alive:
            raise SettingsError("the client is closed")
        scope = scope_of(request, self._address)
        if request.deadline is not None and time.monotonic() >= request.deadline:
            raise _overdue(request)
        life, waiting = self._hosted.life(), self._waiting()
        if self._blocking and life.is_here:
            raise SettingsError("a blocking client cannot wait for the application it is part of")
        if not life.started.is_open:
            await _start(life, waiting, request)
        if life.failure is not None:
            raise _unstarted(request, life.failure)
        from chatloom.transports.asgi.arrival import Arrival
        from chatloom.transports.asgi.exchange import Exchange

        exchange = Exchange(request, waiting)
        life.begin(exchange, scope)
        response = await Arrival(request, exchange, waiting).head()
        if response.arriving is not None:
            response.arriving = self._arrivals.bind(request, response.arriving)
        return response

    async def sleep(self, seconds: float) -> None:
        if self._blocking:
            time.sleep(seconds)  # noqa: ASYNC251 - there is no loop to block
        else:
            from asyncio import sleep

            await sleep(seconds)

    def lock(self) -> AbstractAsyncContextManager[None]:
        if self._blocking:
            from chatloom.transports.blocking.transport import Turns as Blocking

            return Blocking()
        from chatloom.transports.aio.loops import Turns

        return Turns()

    async def close(self) -> None:
        """Leave the application; who leaves last waits until it has shut down."""
        self._arrivals.end()
        ending = self._leaving()
        if ending is not None and not ending.is_here:
            waiting = self._waiting()
            ending.ended.announce(waiting)
            while not ending.ended.is_open:
                await waiting.wait(None)
            ending.join()

    def _waiting(self) -> Waiting:
        return Blocked() if self._blocking else Suspended()


async def _start(life: Life, waiting: Waiting, request: Request) -> None:
    """Wait until the application has started."""
    begun_at, patience = time.monotonic(), request.timeouts.connect
    life.started.announce(waiting)
    while not life.started.is_open:
        now, limits = time.monotonic(), list[float]()
        if request.deadline is not None:
            limits.append(request.deadline - now)
            if limits[-1] <= 0:
                raise _overdue(request)
        if patience is not None:
            limits.append(begun_at + patience - now)
            if limits[-1] <= 0:
                what = f"the application did not start within {patience:g} s"
                raise ConnectTimedOut(f"{request} timed out: {what}")
        await waiting.wait(min(limits, default=None))


def _overdue(request: Request) -> TimedOut:
    from chatloom.transports.failures import OVERDUE, timed_out

    return timed_out(request, OVERDUE)


def _unstarted(request: Request, failure: BaseException) -> ChatloomError:
    if isinstance(failure, ChatloomError):
        return type(failure).like(failure)
    error = ConnectError(f"{request} found no application: it could not start: {failure}")
    error.__cause__ = failure
    return error
