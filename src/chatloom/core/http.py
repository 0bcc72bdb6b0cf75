"""The two values that cross the transport seam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from chatloom.core.errors import ChatloomError, TransportError

    JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"
    """Anything JSON can say."""
else:
    JSON = Any  # msgspec resolves annotations, and knows no recursive alias

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What `msgspec` raises for bytes that are not the JSON they should be."""


class Timeouts(msgspec.Struct, frozen=True):
    """How long to wait, in seconds; `None` waits for ever."""

    connect: float | None = 10.0
    """For a connection, its name lookup and its TLS handshake included."""
    idle: float | None = 600.0
    """For the next bytes, once connected."""


def _never() -> bool:
    return False


class Break(msgspec.Struct, frozen=True):
    """Why a streamed answer has to be gone on with over another connection."""

    cause: TransportError
    times: int = 1
    """The how manieth time in a row, without anything new in between."""
    is_over: Callable[[], bool] = _never
    """Says whether nobody waits for the rest any more."""


class Request(msgspec.Struct, frozen=True):
    """What to send. Resources build it; policies may replace it."""

    method: str
    path: str
    """Below the base address, with a leading slash, already quoted."""
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """Names in lower case."""
    body: bytes = b""
    streamed: bool = False
    """Whether the answer's body is wanted piece by piece."""
    timeouts: Timeouts = Timeouts()
    deadline: float | None = None
    """When the whole call must be over, retries included, by `Outside.now`."""
    max_retries: int | None = None
    """How often to repeat it at most; `None` leaves that to the client's habit."""
    repeatable: bool = False
    """Whether sending it twice does no more than sending it once, whatever its method says."""
    awaited_since: float | None = None
    """Since when, by `Outside.now`, somebody waits for what goes on without him.

    An outage of its server is waited for.
    """
    attempt: int = 1
    """The how manieth time it is sent."""
    resumes: Break | None = None
    """Set where it goes on with an answer that broke off, as part of the same call.

    Followers of the call's first response are told the pieces; any that are added
    to this one's are told just the end.
    """

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def __repr__(self) -> str:
        return f"<Request {self}>"  # the headers hold the key

    def with_header(self, name: str, value: str) -> Request:
        """Add a header; *name* in lower case."""
        return msgspec.structs.replace(self, headers=(*self.headers, (name, value)))

    def header(self, name: str) -> str | None:
        """The value of a header; *name* in lower case."""
        for known, value in self.headers:
            if known == name:
                return value
        return None

    @property
    def is_idempotent(self) -> bool:
        """Whether sending it twice does no more than sending it once (RFC 9110, 9.2.2)."""
        return self.repeatable or self.method in _IDEMPOTENT


_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


class Arriving(Protocol):
    """A body still on its way."""

    async def read(self) -> bytes:
        """Wait for the next bytes; ``b""`` at the end of a whole body.

        Raises `TransportError` when the body stops short of its announced end.
        """
        ...

    async def close(self) -> None:
        """Give the connection back: to the pool after the end, else to the system."""
        ...

    async def finish(self) -> None:
        """Give the connection back when the body has said all it had to say.

        Just its end may be missing; where that comes, the connection is used again.
        """
        ...

    def abandon(self) -> None:
        """Drop the connection at once, without waiting; for finalisers, from any thread."""
        ...


class Ending(msgspec.Struct, frozen=True):
    """How a streamed answer ended: whole, with an error, or, with neither, left by its reader."""

    complete: bool = False
    error: ChatloomError | None = None
    usage: JSON = None
    """The usage it told, in the server's words."""
    model: str | None = None
    """The model that answered, where the reading knows it."""
    finish_reason: str | None = None
    """Why the answer ended, in the server's word, where the reading knows it."""
    resumed: bool = False
    """It arrived over more than one connection."""


class Follower(Protocol):
    """Is told how a streamed answer fares; both are called on the reader's way, so be quick."""

    def piece(self, piece: object) -> None:
        """Take note of *piece*, which its reader is handed next."""
        ...

    def over(self, ending: Ending) -> None:
        """Take note of the end; called once."""
        ...


class Response(msgspec.Struct):
    """What came back. A streamed request leaves the body *arriving*."""

    status: int
    headers: Mapping[str, str] = {}
    """Names in lower case; repeated ones joined by ``", "``."""
    body: bytes = b""
    arriving: Arriving | None = None
    attempts: int = 1
    """How often the request was sent; 0 where a cache had the answer."""
    followers: tuple[Follower, ...] = ()
    """Who is told how a streamed answer fares; policies add themselves."""

    async def read(self) -> bytes:
        """Read the body to its end."""
        if self.arriving is not None:
            arriving, self.arriving = self.arriving, None
            pieces: list[bytes] = []
            try:
                while piece := await arriving.read():
                    pieces.append(piece)
            except BaseException:
                arriving.abandon()
                raise
            await arriving.close()
            self.body = b"".join(pieces)
        return self.body


def path(template: str, **parts: str) -> str:
    """Fill ``{name}`` places of *template*, each part quoted so that it stays one segment."""
    return template.format(**{name: _segment(value) for name, value in parts.items()})


def _segment(value: str) -> str:
    if value in {"", ".", ".."}:
        raise ValueError(f"{value!r} cannot be part of an address")
    from urllib.parse import quote  # which loads ipaddress, too

    return quote(value, safe="")
