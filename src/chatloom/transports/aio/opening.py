"""How a connection comes about: name, socket, proxy, TLS, all within one time limit."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TypeAlias

from chatloom.core.http import Request
from chatloom.transports.address import Address
from chatloom.transports.aio.connection import Connection
from chatloom.transports.aio.limits import Limits
from chatloom.transports.failures import (
    Garbled,
    no_connection_in_time,
    unreachable,
    unresolved,
)
from chatloom.transports.proxies import Proxy, tunnel_request

_HEAD_START = 0.25
"""Seconds that an address has for itself before the next one is tried as well (RFC 8305)."""

_Attempt: TypeAlias = Callable[[], Coroutine[None, None, Connection]]


async def open_connection(
    request: Request,
    address: Address,
    proxy: Proxy | None,
    context: ssl.SSLContext | None,
    limits: Limits,
) -> Connection:
    """Connect to *address*, by way of *proxy*, with TLS where there is a *context*.

    Raises `ConnectError` or `TimedOut`.
    """
    place: Address | Proxy = proxy or address
    try:
        async with asyncio.timeout(request.timeouts.connect):
            if proxy is None or context is None:
                return await _reached(place.host, place.port, context, limits)
            connection = await _reached(proxy.host, proxy.port, None, limits)
            try:
                await _tunnel(connection, address, proxy)
                place = address
                await connection.encrypt(context, address.host)
            except BaseException:
                connection.close()
                raise
            return connection
    except TimeoutError as error:
        raise no_connection_in_time(request, place) from error
    except (OSError, Garbled) as error:
        raise unreachable(request, place, error) from error


async def _reached(
    host: str, port: int, context: ssl.SSLContext | None, limits: Limits
) -> Connection:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise unresolved(error) from error
    return await _first([partial(_attempt, one[4], context, host, limits) for one in found])


async def _attempt(
    where: tuple[str | int | bytes, ...],
    context: ssl.SSLContext | None,
    name: str,
    limits: Limits,
) -> Connection:
    loop = asyncio.get_running_loop()
    host, port = str(where[0]), int(where[1])
    if len(where) == 4 and where[3]:
        host = f"{host}%{int(where[3])}"
    connection = Connection(limits)
    transport, _ = await loop.create_connection(lambda: connection, host, port)
    opened: socket.socket | None = transport.get_extra_info("socket")
    if opened is not None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if context is not None:
        try:
            await connection.encrypt(context, name)
        except BaseException:
            connection.close()
            raise
    return connection


async def _first(attempts: Sequence[_Attempt]) -> Connection:
    """Begin one attempt after the other; the first that succeeds is it."""
    if len(attempts) == 1:
        return await attempts[0]()
    failure: BaseException = OSError("the name has no address")
    left, running = list(reversed(attempts)), set[asyncio.Task[Connection]]()
    try:
        while left or running:
            if left:
                running.add(asyncio.create_task(left.pop()()))
            done, _ = await asyncio.wait(
                running,
                timeout=_HEAD_START if left else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                running.discard(task)
                error = task.exception()
                if error is None:
                    return task.result()
                failure = error
    finally:
        for task in running:
            task.add_done_callback(_give_up)
            task.cancel()
    raise failure


def _give_up(late: asyncio.Task[Connection]) -> None:
    if not late.cancelled() and late.exception() is None:
        late.result().close()


async def _tunnel(connection: Connection, address: Address, proxy: Proxy) -> None:
    """Ask *proxy* to pass bytes on to *address* (RFC 9110, 9.3.6)."""
    connection.send(tunnel_request(address, proxy))
    status = (await connection.head("CONNECT", None)).status
    if status != 200:
        raise Garbled(f"it refused to pass the connection on ({status})")
