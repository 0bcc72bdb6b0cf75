"""Tests that cannot reach the network by mistake.

Python tells its audit hooks (PEP 578) of every connection and look-up before
it is made, whoever asks for it, with two exceptions: a socket that is given a
name has looked it up by then, and uvloop does all by itself. Those two are
asked before. And anyio connects in a task group, which wraps what is raised in it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from socket import socket
    from types import ModuleType


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
            _unwrap_from_anyio(watching)
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
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        _check_name(args[0])
    elif event == "socket.gethostbyaddr":
        _check_reversed(args[0])
    elif event == "socket.getnameinfo":
        _check_reversed(cast("tuple[object, ...]", args[0])[0])


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
    host = _text(name)
    # Nobody has to be asked about these.
    if not (_is_loopback(host) or _is_numeric(host)):
        raise NetworkForbidden(_told(f"looking up {host}"))


def _check_reversed(address: object) -> None:
    """Look at an address whose name is wanted, which somebody has to be asked for."""
    host = _text(address)
    if not (_rules[-1] and _is_loopback(host)):
        raise NetworkForbidden(_told(f"looking up the name of {host}"))


def _text(host: object) -> str:
    return host.decode("latin-1") if isinstance(host, bytes) else str(host or "localhost")


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


def _installed(name: str) -> ModuleType | None:
    """Import what could later be imported unnoticed."""
    try:
        return import_module(name)
    except ImportError:
        return None


_OF_UVLOOP = (
    "create_connection",
    "create_datagram_endpoint",
    "create_unix_connection",
    "getaddrinfo",
    "getnameinfo",
)


def _watch_uvloop(watching: ExitStack) -> None:
    """Look at the addresses that uvloop is given; libuv would not tell Python of them."""
    uvloop = _installed("uvloop")
    if uvloop is None:
        return
    for name in _OF_UVLOOP:
        setattr(uvloop.Loop, name, _watched(name, getattr(uvloop.Loop, name)))
        watching.callback(delattr, uvloop.Loop, name)


def _unwrap_from_anyio(watching: ExitStack) -> None:
    """Have anyio, and so httpx, raise the error itself."""
    anyio = _installed("anyio")
    if anyio is None:
        return
    connect: Connect = anyio.connect_tcp

    async def unwrapped(*args: object, **kwargs: object) -> object:
        try:
            return await connect(*args, **kwargs)
        except BaseExceptionGroup as group:
            raise _forbidden_in(group) or group from None

    for name in ("connect_tcp",):
        setattr(anyio, name, unwrapped)
        watching.callback(setattr, anyio, name, connect)


def _forbidden_in(error: BaseException) -> BaseException | None:
    if not isinstance(error, BaseExceptionGroup):
        return error if isinstance(error, NetworkForbidden) else None
    inner = cast("BaseExceptionGroup[BaseException]", error).exceptions
    return next(filter(None, map(_forbidden_in, inner)), None)


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
    own = args if name.startswith("get") else args[1:]  # behind the protocol's factory
    first, second = (*own, None, None)[:2]
    if name == "create_unix_connection":
        path = kwargs.get("path", first)
        _check_address(None if path is None else str(path))
    elif name == "create_datagram_endpoint":
        _check_target(cast("tuple[object, ...] | None", kwargs.get("remote_addr", second)))
    elif name == "getnameinfo":
        _check_reversed(cast("tuple[object, ...]", kwargs.get("sockaddr", first))[0])
    elif name == "create_connection":
        host, port = kwargs.get("host", first), kwargs.get("port", second)
        _check_target(None if host is None else (host, port))
    else:
        _check_name(kwargs.get("host", first))


def _check_target(address: tuple[object, ...] | None) -> None:
    if address is not None:
        _check_name(address[0])
        _check_address(address)
