"""Answer again what was answered before.

What is kept, and for whom:

- Whole answers with status 200, and no others: to plain GETs, and where asked
  for also to completions at temperature 0, streamed ones included.
- Per scope, that is per address and credential: one store may serve several
  clients, and this policy stands before the one that signs.
- GETs only until something in their scope may have changed (RFC 9111, 4.4, in
  spirit): their keys hold an *era*, and each request that is not harmless
  begins another. So an answer that was on its way meanwhile is kept under a
  key that nobody asks for again, and a client reads what it has written.

The server's ``Cache-Control`` is not asked: many say ``no-store`` to everything,
and whoever sets up a cache wants it to keep something.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Protocol, cast

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.http import JSON, UNREADABLE, Arriving, Ending, Request, Response
from chatloom.core.locks import Lock
from chatloom.core.outside import Outside, Policy
from chatloom.policies.in_turn import InTurn


class CacheStore(Protocol):
    """Keeps bytes under names until they expire; may forget any of them before.

    Names are 64 digits and letters from a to f. Moments are seconds since 1970;
    *expires* may be endless. Called from any thread, on the caller's way, so be
    quick. Nothing is raised: what cannot be kept is not found afterwards, and
    neither is what it should have replaced.
    """

    def get(self, key: str, now: float) -> bytes | None:
        """Find what is kept under *key*, unless it has expired by *now*."""
        ...

    def put(self, key: str, value: bytes, expires: float, now: float) -> None:
        """Keep *value* under *key* until *expires*, in place of what was there."""
        ...


_storing = InTurn()
"""Stores have locks of their own."""


class MemoryStore:
    """Keeps answers in this process; those not asked for longest make way for new ones."""

    def __init__(self, *, max_entries: int = 1_000, max_bytes: int = 64 * 1024 * 1024) -> None:
        """Raises `SettingsError` where there is room for nothing."""
        if not (max_entries >= 1 and max_bytes >= 1):
            raise SettingsError("a cache needs room: max_entries and max_bytes of at least 1")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, key: str, now: float) -> bytes | None:
        """Find what is kept under *key*, unless it has expired by *now*."""
        with self._lock:
            if key not in self._kept:
                return None
            value, expires = self._kept[key]
            if expires <= now:
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return value

    def put(self, key: str, value: bytes, expires: float, now: float) -> None:
        """Keep *value* under *key* until *expires*, in place of what was there."""
        with self._lock:
            if key in self._kept:
                self._drop(key)
            if len(value) > self._max_bytes:
                return
            self._kept[key] = (value, expires)
            self._size += len(value)
            while len(self._kept) > self._max_entries or self._size > self._max_bytes:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        value, _ = self._kept.pop(key)
        self._size -= len(value)


class Cache:
    """Keeps answers in *store* for *ttl* seconds, in memory unless told otherwise.

    GETs are answered from it; with *completions*, so are requests whose body asks
    for temperature 0 and names no conversation to go on from. A call's own
    ``cache-control: no-cache`` has it sent all the same, ``no-store`` kept out
    altogether. One cache may serve several clients, in any threads.
    """

    def __init__(
        self, store: CacheStore | None = None, *, ttl: float = 300.0, completions: bool = False
    ) -> None:
        """Raises `SettingsError` for a *ttl* that keeps nothing."""
        if not ttl > 0:
            raise SettingsError(f"ttl must be more than 0 seconds, not {ttl}")
        self._store: CacheStore = MemoryStore() if store is None else store
        self._ttl = ttl
        self._completions = completions
        self._lock = Lock()
        self._changed: set[bytes] = set()

    def within(self, scope: bytes) -> Policy:
        """Make the policy for one address and credential; *scope* is their digest."""

        async def cached(request: Request, outside: Outside, /) -> Response:
            if request.method not in _HARMLESS:
                return await self._post(scope, request, outside)
            if request.method == "GET" and not request.streamed:
                return await self._get(scope, request, outside)
            return await outside.send(request)

        return cached

    async def _get(self, scope: bytes, request: Request, outside: Outside) -> Response:
        key = _key((scope, self._era(scope, outside)), request, request.body)
        if response := self._found(key, request, outside):
            return response
        return self._noted(key, request, await outside.send(request), outside)

    async def _post(self, scope: bytes, request: Request, outside: Outside) -> Response:
        asked = _repeatable(request) if self._completions else None
        key = "" if asked is None else _key((scope,), request, asked)
        if key and (response := self._found(key, request, outside)):
            return response
        response = await self._changing(scope, request, outside)
        return self._noted(key, request, response, outside) if key else response

    async def _changing(self, scope: bytes, request: Request, outside: Outside) -> Response:
        """Send *request*; no GET that was kept before its end counts after it."""
        self._forget(scope, outside)  # already now: this process may end before the answer
        try:
            response = await outside.send(request)
        finally:
            self._changed.add(scope)
        self._forget(scope, outside)
        if response.arriving is not None:
            response.followers += (_AtTheEnd(lambda _: self._changed.add(scope)),)
        return response

    def _forget(self, scope: bytes, outside: Outside) -> None:
        """Begin another era in the store too, where others may share it."""
        if self._read(_digest(scope), outside.wall_time()) is not None:
            self._changed.add(scope)
            self._era(scope, outside)

    def _era(self, scope: bytes, outside: Outside) -> bytes:
        """Tell the era of *scope*; a new one if something has changed."""
        key, now = _digest(scope), outside.wall_time()
        with self._lock:
            era = self._read(key, now)
            if era is None or scope in self._changed:
                # Marks are set without this lock, as streams that are collected set some.
                self._changed.discard(scope)
                chance = f"{now} {outside.now()} {outside.random()}"
                era = sha256((era or b"") + chance.encode()).digest()
                self._write(key, era, math.inf, now)
            return era

    def _found(self, key: str, request: Request, outside: Outside) -> Response | None:
        if not _wanted(request).isdisjoint({"no-cache", "no-store"}):
            return None
        value = self._read(key, outside.wall_time())
        try:
            kept = None if value is None else _decode(value)
        except UNREADABLE:
            return None
        if kept is None:
            return None
        if isinstance(kept.body, bytes):
            return Response(200, kept.headers, kept.body, attempts=0)
        return Response(200, kept.headers, arriving=_Replayed(kept.body), attempts=0)

    def _noted(self, key: str, request: Request, response: Response, outside: Outside) -> Response:
        """Keep *response*, or see to it that it is kept once it has arrived."""
        if response.status != 200 or "no-store" in _wanted(request):
            return response

        def keep(body: bytes | list[bytes]) -> None:
            headers = {**response.headers}
            headers.pop("set-cookie", None)
            now = outside.wall_time()
            self._write(key, _encode(_Kept(headers, body)), now + self._ttl, now)

        if response.arriving is None:
            if not request.streamed and not _is_refusal(response.body):
                keep(response.body)
        elif request.streamed:
            recorded = _Recorded(response.arriving)
            response.arriving = recorded
            response.followers += (
                # Of one that was resumed, the rest came by another way.
                _AtTheEnd(
                    lambda ending: (
                        keep(recorded.pieces) if ending.complete and not ending.resumed else None
                    )
                ),
            )
        return response

    def _read(self, key: str, now: float) -> bytes | None:
        with _storing:
            return self._store.get(key, now)

    def _write(self, key: str, value: bytes, expires: float, now: float) -> None:
        _storing.do(lambda: self._store.put(key, value, expires, now))


_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})

_PER_CALL = frozenset(
    {
        "baggage",
        "cache-control",
        "idempotency-key",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-request-id",
    }
)
"""Headers that tell two calls apart and no two answers."""

_PLACES = frozenset(
    {
        "branch_id",
        "conversation",
        "conversationId",
        "conversation_id",
        "parent_message_id",
        "previous_response_id",
        "sessionId",
        "session_id",
        "thread_id",
    }
)
"""Where a body says that its answer depends on more than itself."""


def _wanted(request: Request) -> set[str]:
    """What the caller asks of caches."""
    asked = request.header("cache-control") or ""
    return {directive.strip() for directive in asked.lower().split(",")}


def _repeatable(request: Request) -> bytes | None:
    """The body of a completion that is the same each time, in one canonical form."""
    if b'"temperature"' not in request.body:
        return None
    try:
        asked = cast("JSON", msgspec.json.decode(request.body))
    except UNREADABLE:
        return None
    if not isinstance(asked, dict):
        return None
    # Puter's protocol has all that is asked of a model within ``args``.
    args = asked.get("args")
    told = args if isinstance(args, dict) else asked
    metadata = told.get("metadata")
    if not _is_zero(told.get("temperature")) or _PLACES & told.keys():
        return None
    if isinstance(metadata, dict) and _PLACES & metadata.keys():
        return None
    return msgspec.json.encode(asked, order="sorted")


def _is_zero(temperature: JSON) -> bool:
    return temperature == 0 and temperature is not False


def _key(scope: tuple[bytes, ...], request: Request, body: bytes) -> str:
    """Digest everything that tells two requests apart."""
    headers = sorted(pair for pair in request.headers if pair[0] not in _PER_CALL)
    asked = (request.method, request.path, request.query, headers, body, request.streamed)
    return _digest(*scope, msgspec.msgpack.encode(asked))


def _digest(*parts: bytes) -> str:
    return sha256(msgspec.msgpack.encode(parts)).hexdigest()


class _Refusal(msgspec.Struct):
    error: JSON = None


_decode_refusal = msgspec.json.Decoder(_Refusal).decode


def _is_refusal(body: bytes) -> bool:
    """Whether an answer says no in spite of its status, or is no JSON where it seems to be some."""
    try:
        return bool(_decode_refusal(body).error)
    except msgspec.ValidationError:
        return False
    except UNREADABLE:
        return body[:1] in {b"{", b"["}


class _Kept(msgspec.Struct, array_like=True):
    headers: Mapping[str, str]
    body: bytes | list[bytes]
    """Its pieces, where it came as a stream."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


class _Recorded:
    """A body on its way, and a copy of what has passed."""

    def __init__(self, arriving: Arriving) -> None:
        self._arriving = arriving
        self.close = arriving.close
        self.finish = arriving.finish
        self.abandon = arriving.abandon
        self.pieces: list[bytes] = []

    async def read(self) -> bytes:
        piece = await self._arriving.read()
        if piece:
            self.pieces.append(piece)
        return piece


class _Replayed:
    """A kept body, as if it were on its way."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)

    async def read(self) -> bytes:
        return next(self._pieces, b"")

    async def close(self) -> None: ...

    async def finish(self) -> None: ...

    def abandon(self) -> None: ...


class _AtTheEnd:
    """Follows a stream to its end."""

    def __init__(self, tell: Callable[[Ending], object]) -> None:
        self._tell = tell

    def piece(self, piece: object) -> None: ...

    def over(self, ending: Ending) -> None:
        self._tell(ending)
