"""What an endpoint is given, and what it gives back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope

from chatloom.core.http import JSON
from chatloom.server.refusal import Refusal, invalid

if TYPE_CHECKING:
    from chatloom.server.chat.telling import Reader, Telling
    from chatloom.server.identity.limits import Standing
    from chatloom.server.routes import Route
    from chatloom.server.services import Services
    from chatloom.server.store.keys import Key

T = TypeVar("T")

DEEPEST = 64
"""Levels of nesting that JSON from outside may have."""
MOST_NODES = 200_000
"""Lists and objects that JSON from outside may hold; decoding them stops everything else."""


_DRAINED = 64 * 1024 * 1024
"""Bytes past the limit that are read and dropped: who still sends does not hear an answer."""


_SLOWEST_PIECE = 60.0
"""Seconds between two pieces of a body."""


class Departure:
    """Tells when the client of a connection leaves; the server's connection puts it in scope."""

    def __init__(self) -> None:
        self.has_faded = False
        self.has_left = False
        self._reader: Reader | None = None

    def concerns(self, reader: Reader | None) -> None:
        """Tell *reader* from now on, and what has happened already."""
        self._reader = reader
        if reader is not None and self.has_faded:
            reader.fade()
        if reader is not None and self.has_left:
            reader.leave()

    def fade(self) -> None:
        """Take note that the client sends no more."""
        self.has_faded = True
        if self._reader is not None:
            self._reader.fade()

    def leave(self) -> None:
        """Take note that the connection is lost."""
        self.has_left = True
        if self._reader is not None:
            self._reader.leave()


DEPARTURE = "chatloom.departure"


class Call:
    """One request on its way to an endpoint; on that way it learns its route, then its key."""

    route: Route
    parts: Mapping[str, str]
    """What stands in the ``{name}`` places of the route's path."""
    key: Key
    request_id: str = ""
    """What it is called in its answer: as its caller does, else a name of ours."""
    standing: Standing | None = None
    """How often its key may still ask, where that is limited."""
    honoured_key: str | None = None
    """Its idempotency key, where it is one and the route heeds it."""

    def __init__(
        self, services: Services, scope: Scope, receive: Receive, headers: Mapping[str, str]
    ) -> None:
        self.services = services
        self.scope = scope
        self.headers = headers
        self._receive = receive
        self._body: bytes | None = None
        self._reader: Reader | None = None
        self._watching: asyncio.Task[None] | None = None

    def reader(self, turn: Telling, after: int = 0, *, silence: float | None = None) -> Reader:
        """Read *turn* until the client leaves, or the answer is over."""
        reader = self._reader = turn.read(after, silence=silence)
        departure = cast("Departure | None", self.scope.get(DEPARTURE))
        if departure is None:
            self._watching = asyncio.create_task(self._watch(reader))
        else:
            departure.concerns(reader)
        return reader

    async def _watch(self, reader: Reader) -> None:
        """Find out what other servers' connections do not tell by themselves."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        reader.leave()

    def over(self) -> None:
        """Take note that the answer is over, whichever way."""
        if self._reader is None:
            return
        if self._watching is not None:
            self._watching.cancel()
        else:
            cast("Departure", self.scope[DEPARTURE]).concerns(None)
        self._reader.leave()

    @property
    def address(self) -> str | None:
        """Where it comes from, as far as the connection tells; nothing told in it counts."""
        client = self.scope.get("client")
        return str(client[0]) if client else None

    @property
    def query(self) -> QueryParams:
        """The query string."""
        return QueryParams(self.scope["query_string"])

    def read_query(self, kind: type[T]) -> T:
        """Read the query string as *kind*. Raises `Refusal`."""
        return convert(dict(self.query), kind, strict=False)

    async def peek(self) -> bytes:
        """Read the body, and leave it to be read. Raises `Refusal` as `body` does."""
        self._body = await self.body()
        return self._body

    async def body(self) -> bytes:
        """Read the body. Raises `Refusal` past the limit, and for a packed one."""
        if (peeked := self._body) is not None:
            self._body = None  # or it would be kept for as long as the answer takes
            return peeked
        if self.headers.get("content-encoding", "identity") != "identity":
            raise Refusal(
                "unsupported_media", "send the body as it is, not packed", code="packed_body"
            )
        limit = self.services.settings.max_body_bytes
        announced = self.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > limit + _DRAINED:
            raise _too_large(limit)
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            body = await self._rest(body, limit)
        if len(body) > limit:
            raise _too_large(limit)
        return body

    async def _rest(self, first: bytes, limit: int) -> bytes:
        pieces, size, more = [first], len(first), True
        while more:
            try:
                async with asyncio.timeout(_SLOWEST_PIECE):
                    message = await self._receive()
            except TimeoutError:
                raise invalid("the body did not arrive in time", code="body_timeout") from None
            if message["type"] == "http.disconnect":
                raise invalid("the connection was closed before the body was whole")
            piece = message.get("body", b"")
            size += len(piece)
            if size <= limit:
                pieces.append(piece)
            elif size > limit + _DRAINED:
                break
            more = message.get("more_body", False)
        if size > limit:
            raise _too_large(limit)
        return b"".join(pieces)

    async def json(self) -> JSON:
        """Read the body as JSON. Raises `Refusal` for what is none, or too deep."""
        return read_json(await self.body())

    async def read(self, kind: type[T]) -> T:
        """Read the body as *kind*; an empty one counts as ``{}``. Raises `Refusal`."""
        body = await self.body()
        return convert(read_json(body) if body.strip() else {}, kind)


def read_json(body: bytes) -> JSON:
    """Decode JSON from outside. Raises `Refusal` for what is none, or too deep."""
    if not body.strip():
        raise invalid("the body is empty, and should be JSON", code="invalid_json")
    if body.count(b"[") + body.count(b"{") > MOST_NODES:
        raise invalid(f"the JSON holds more than {MOST_NODES} lists and objects", code="too_many")
    if _is_deep(body):
        raise invalid(f"the JSON is nested deeper than {DEEPEST} levels", code="too_deep")
    try:
        decoded: JSON = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"the body is not valid JSON: {error}", code="invalid_json") from error
    return decoded


def convert(data: object, kind: type[T], within: str = "", *, strict: bool = True) -> T:
    """Check *data* against *kind*. Raises `Refusal` that names the place at fault.

    *within* is where in the body *data* stands; what is not *strict* may say numbers as text.
    """
    if not isinstance(data, dict):
        raise invalid("the body must be a JSON object", code="invalid_json")
    try:
        return msgspec.convert(data, kind, strict=strict)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        if message.startswith("Object missing required field"):
            place += "." + message.split("`")[1]
            message = "is required"
        param = (within + place.replace("`", "")).strip(".") or None
        raise invalid(f"{param}: {message}" if param else message, param=param) from error


def _is_deep(body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for bracket in _NO_BRACKETS.sub(b"", _TEXT.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            return True
    return False


_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS = re.compile(rb"[^][{}]+")


def _too_large(limit: int) -> Refusal:
    return Refusal("too_large", f"the body is larger than {limit} bytes", code="request_too_large")


class Reply(msgspec.Struct):
    """A whole answer."""

    body: bytes
    status: int = 200
    headers: list[tuple[bytes, bytes]] = []
    content_type: bytes = b"application/json"


EVENT_STREAM = b"text/event-stream; charset=utf-8"


class StreamedReply(msgspec.Struct):
    """An answer in pieces.

    The pieces may end with `BrokenOff`: then the connection is cut instead of
    ended, so that no client takes it for a whole answer.
    """

    pieces: AsyncIterator[bytes]
    headers: list[tuple[bytes, bytes]] = []
    content_type: bytes = EVENT_STREAM


class LastPiece(bytes):
    """The end of a streamed answer, sent together with the end of the body.

    A client that closes at the answer's own end then finds the body ended too,
    and can use the connection again.
    """


class BrokenOff(Exception):
    """The answer failed; what was to be said about it has been sent."""


def json_reply(value: object, status: int = 200) -> Reply:
    """Answer *value* as JSON."""
    return Reply(msgspec.json.encode(value), status)
