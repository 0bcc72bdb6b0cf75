"""What is known of the two libraries without importing either.

httpx and httpx2 are one library twice. A client in hand means that its own
library is loaded, so that its errors are found where its class comes from.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from typing import Protocol, cast

from chatloom.core.errors import SettingsError

_LIBRARIES = frozenset({"httpx", "httpx2"})


class HttpxClient(Protocol):
    """An `httpx.Client`, `httpx.AsyncClient`, `httpx2.Client` or `httpx2.AsyncClient`."""

    @property
    def is_closed(self) -> bool: ...


class Library(Protocol):
    """What a client's module calls the things that go wrong."""

    RequestError: type[Exception]
    TimeoutException: type[Exception]
    ConnectTimeout: type[Exception]
    PoolTimeout: type[Exception]
    ConnectError: type[Exception]
    ProxyError: type[Exception]
    ProtocolError: type[Exception]
    InvalidURL: type[Exception]


class Outgoing(Protocol):
    """A request, as a client has built it."""


class Headers(Protocol):
    def multi_items(self) -> Iterable[tuple[str, str]]: ...


class Answer(Protocol):
    """What both kinds of answer have."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def http_version(self) -> str: ...
    @property
    def extensions(self) -> Mapping[str, object]: ...
    @property
    def is_stream_consumed(self) -> bool: ...
    @property
    def content(self) -> bytes: ...


class BlockingAnswer(Answer, Protocol):
    def iter_raw(self) -> Generator[bytes]: ...
    def close(self) -> None: ...


class AsyncAnswer(Answer, Protocol):
    def aiter_raw(self) -> AsyncGenerator[bytes]: ...
    async def aclose(self) -> None: ...


class Client(HttpxClient, Protocol):
    """What both kinds of client have."""

    @property
    def params(self) -> Mapping[str, str]: ...

    def build_request(
        self,
        method: str,
        url: str,
        *,
        content: bytes,
        params: Sequence[tuple[str, str]] | None,
        headers: Sequence[tuple[str, str]],
        extensions: Mapping[str, object],
    ) -> Outgoing: ...


class BlockingClient(Client, Protocol):
    def send(
        self, request: Outgoing, *, stream: bool, follow_redirects: bool
    ) -> BlockingAnswer: ...


class AsyncClient(Client, Protocol):
    async def send(
        self, request: Outgoing, *, stream: bool, follow_redirects: bool
    ) -> AsyncAnswer: ...


def checked(client: HttpxClient, *, blocking: bool) -> Library:
    """Make sure that *client* can serve a client of our own, and give its library.

    Raises `SettingsError`.
    """
    library, kind = _origin(client)
    wanted = "Client" if blocking else "AsyncClient"
    if kind != wanted:
        ours = "a blocking" if blocking else "an async"
        raise SettingsError(f"{ours} client needs an {library}.{wanted}, not an {library}.{kind}")
    if client.is_closed:
        raise SettingsError(f"the {library}.{kind} handed in is closed")
    return cast("Library", sys.modules[library])


def _origin(client: object) -> tuple[str, str]:
    """Name the library that *client* comes from, and what it is there."""
    for ancestor in type(client).__mro__:
        library = ancestor.__module__.partition(".")[0]
        if library in _LIBRARIES and ancestor.__name__ in {"Client", "AsyncClient"}:
            return library, ancestor.__name__
    raise SettingsError(
        "the HTTP client handed in must be a Client or AsyncClient of httpx or httpx2,"
        f" not {type(client).__name__!r}"
    )
