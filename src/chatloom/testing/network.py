"""Tests that cannot reach the network by mistake.

Python tells its audit hooks (PEP 578) of every connection and look-up before
it is made, whoever asks for it, with two exceptions: a socket that is given a
name has looked it up by then, and uvloop does all by itself. Those two are
asked before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from socket import socket


class NetworkForbidden(BaseException):
    """Something tried to reach the network, where no test should.

    It is no `Exception`, so that nobody takes it for bad luck and tries again.
    """


@contextmanager
def forbid_network(*, allow_loopback: bool = False) -> Generator[None]:
    """Have every attempt to connect, or to look a name up, raise `NetworkForbidden` at once.

    That holds for the whole process, all of its threads and event loops, until
    the block ends; not for the servers of `chatloom.testing` in this process,
    nor for other processes. With *allow_loopback* this machine may be reached.
    """
    _listen()
    with ExitStack() as watching:
        if not _rules:
            _watch_sockets(watching)
            _watch_uvloop(watching)
            _watch_proactor(watching)
        _rules.append(allow_loopback)
        watching.callback(_rules.remove, allow_loopback)
        yield


def allow(host: str, port: int) -> None:
    """Allow connections to a server of our own."""
    _own.add((host, port))


def forget(host: str, port: int) -> None:
    """Forget a server of our own, that has ended."""
    _own.discard((host, port))


_rules: list[bool] = []
"""Of each block that holds now, whether it allows loopback; the innermost decides."""
_own: set[tuple[str, int]] = set()
_listening = False


def _listen() -> None:
    """Hear of what Python is about to do; from then on, as a hook cannot be taken back."""
    global _listening
    if not _listening:
        _listening = True
        sys.addaudithook(_heed)


def _heed(event: str, args: tuple[object, ...]) -> None:
    if not _rules or not event.startswith("socket."):
        return
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        if not _is_pair():
            with _closing_where_forbidden(args[0]):
                _check_address(args[1])
    elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}:
        _check_name(args[0])


@contextmanager
def _closing_where_forbidden(sock: object) -> Generator[None]:
    """Close what is of no use any more: most callers do so after an `OSError` only."""
    try:
        yield
    except NetworkForbidden:
        cast("socket", sock).close()
        raise


def _is_pair() -> bool:
    """Whether Windows only connects a process with itself, as event loops need it."""
    return "socketpair" in sys._getframe(2).f_code.co_name  # pyright: ignore[reportPrivateUsage]


def _check_address(address: object) -> None:
    if address is None:  # sent to whom the socket was connected with before
        return
    if isinstance(address, str | bytes):
        if not _rules[-1]:
            raise NetworkForbidden(_told(f"connecting to {address!r}"))
        return
    host, port = cast("tuple[object, object]", address)[:2]
    if (host, port) in _own or (_rules[-1] and _is_loopback(str(host))):
        return
    raise NetworkForbidden(_told(f"connecting to {host}:{port}"))


def _check_name(name: object) -> None:
    host = name.decode("latin-1") if isinstance(name, bytes) else str(name or "localhost")
    # Nobody has to be asked about these.
    if not (_is_loopback(host) or _is_numeric(host)):
        raise NetworkForbidden(_told(f"looking up {host}"))


def _told(what: str) -> str:
    return f"{what} is forbidden in this test (chatloom.testing.forbid_network)"


def _is_numeric(host: str) -> bool:
    return _address(host) is not None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    from ipaddress import ip_address  # pytest should not load it in every run

    try:
        return ip_address(host)
    except ValueError:
        return None


Connect = Callable[..., Coroutine[object, object, object]]


def _watch_sockets(watching: ExitStack) -> None:
    """Look at addresses before a socket looks up the name in them."""
    import socket

    for name in ("connect", "connect_ex", "sendto"):
        # Inherited from the C type; what is set on top of that can be taken away again.
        setattr(socket.socket, name, _asked_before(getattr(socket.socket, name)))
        watching.callback(delattr, socket.socket, name)


def _asked_before(connect: Callable[..., object]) -> Callable[..., object]:
    def asked(sock: object, *args: object) -> object:
        address = args[-1]
        if isinstance(address, tuple):
            with _closing_where_forbidden(sock):
                _check_name(cast("tuple[object, ...]", address)[0])
        return connect(sock, *args)

    return asked


def _watch_uvloop(watching: ExitStack) -> None:
    """Look at the addresses that uvloop is given; libuv would not tell Python of them."""
    uvloop = sys.modules.get("uvloop")
    if uvloop is None:
        return
    for name in ("create_connection", "getaddrinfo", "create_unix_connection"):
        setattr(uvloop.Loop, name, _watched(name, getattr(uvloop.Loop, name)))
        watching.callback(delattr, uvloop.Loop, name)


if sys.platform == "win32":

    def _watch_proactor(watching: ExitStack) -> None:
        """Look at the addresses that Windows' event loop connects to by a call of its own."""
        from asyncio.windows_events import IocpProactor

        connect: Callable[..., object] = IocpProactor.connect

        def asked(proactor: IocpProactor, sock: object, address: object) -> object:
            _check_address(address)
            return connect(proactor, sock, address)

        for name in ("connect",):
            setattr(IocpProactor, name, asked)
            watching.callback(setattr, IocpProactor, name, connect)

else:

    def _watch_proactor(watching: ExitStack) -> None:
        """Do nothing: Python is told of what other event loops connect to."""


def _watched(name: str, connect: Connect) -> Connect:
    async def watched(loop: object, *args: object, **kwargs: object) -> object:
        _check_call(name, args, kwargs)
        return await connect(loop, *args, **kwargs)

    return watched


def _check_call(name: str, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    own = args if name == "getaddrinfo" else args[1:]  # behind the protocol's factory
    first, second = (*own, None, None)[:2]
    if name == "create_unix_connection":
        path = kwargs.get("path", first)
        _check_address(None if path is None else str(path))
        return
    host, port = kwargs.get("host", first), kwargs.get("port", second)
    if host is not None:
        _check_name(host)
        if name == "create_connection":
            _check_address((host, port))
