"""How a connection comes about: name, socket, proxy, TLS, all within one time limit."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import TypeAlias

from chatloom.core.http import Request
from chatloom.transports.address import Address
from chatloom.transports.blocking.connection import Connection
from chatloom.transports.failures import (
    OVERDUE,
    Garbled,
    no_connection_in_time,
    timed_out,
    unreachable,
    unresolved,
)
from chatloom.transports.proxies import Proxy, tunnel_request

_Found: TypeAlias = "tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]"


def open_connection(
    request: Request, address: Address, proxy: Proxy | None, context: ssl.SSLContext | None
) -> Connection:
    """Connect to *address*, by way of *proxy*, with TLS where there is a *context*.

    Raises `ConnectError` or `TimedOut`.
    """
    patience = Patience(request)
    place: Address | Proxy = proxy or address
    try:
        connection = Connection(_reach(place.host, place.port, patience))
        try:
            connection.begin(None, patience.until)
            if context is not None:
                if proxy is not None:
                    _tunnel(connection, address, proxy)
                    place = address
                connection.encrypt(context, address.host)
            return connection
        except BaseException:
            connection.close()
            raise
    except TimeoutError as error:
        if patience.is_overdue():
            raise timed_out(request, OVERDUE) from error
        raise no_connection_in_time(request, place) from error
    except (OSError, Garbled) as error:
        raise unreachable(request, place, error) from error


class Patience:
    """The time there is to connect."""

    def __init__(self, request: Request) -> None:
        now = time.monotonic()
        connect = request.timeouts.connect
        ends = [request.deadline] if request.deadline is not None else []
        self._deadline = request.deadline
        self.until = min([*ends, now + connect] if connect is not None else ends, default=None)

    def left(self, share: int = 1) -> float | None:
        """How many seconds are left for one of *share* attempts."""
        if self.until is None:
            return None
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left / share

    def is_overdue(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline


def _reach(host: str, port: int, patience: Patience) -> socket.socket:
    """Try the addresses of *host* in turn, so that each gets its share of the time."""
    found = _look_up(host, port, patience)
    failure: OSError = OSError("the name has no address")
    for tried, (family, where) in enumerate(found):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(patience.left(len(found) - tried))
            sock.connect(where)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return sock
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
    raise failure


def _look_up(host: str, port: int, patience: Patience) -> Sequence[_Found]:
    """Resolve *host* in a thread of its own: the system's call cannot be given a limit."""
    answers: SimpleQueue[Sequence[_Found] | BaseException] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_resolved(host, port))
        except BaseException as error:  # or nobody would hear of it
            answers.put(error)

    threading.Thread(target=ask, name="chatloom-lookup", daemon=True).start()
    try:
        answer = answers.get(timeout=patience.left())
    except Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise unresolved(answer)
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _resolved(host: str, port: int) -> Sequence[_Found]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, where) for family, _, _, _, where in found]


def _tunnel(connection: Connection, address: Address, proxy: Proxy) -> None:
    """Ask *proxy* to pass bytes on to *address* (RFC 9110, 9.3.6)."""
    connection.send(tunnel_request(address, proxy))
    status = connection.head("CONNECT").status
    if status != 200:
        raise Garbled(f"it refused to pass the connection on ({status})")
