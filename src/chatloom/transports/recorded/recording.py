"""Writing down what goes over the wire."""

from __future__ import annotations

import os
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from time import monotonic
from weakref import WeakSet

from chatloom.core.errors import SettingsError, TransportError
from chatloom.core.http import Arriving, Ending, Request, Response
from chatloom.transports.recorded.claims import is_latest
from chatloom.transports.recorded.secrets import Secrets, plain
from chatloom.transports.recorded.tape import (
    Answered,
    Asked,
    Body,
    Exchange,
    Failure,
    as_piece,
    whole,
    written,
)

_TELLING_OF_REQUESTS = frozenset({"accept", "content-type", "last-event-id"})
_TELLING_OF_ANSWERS = frozenset(
    {
        "allow",
        "cache-control",
        "content-disposition",
        "content-language",
        "content-type",
        "etag",
        "idempotency-key",
        "last-modified",
        "link",
        "location",
        "retry-after",
        "retry-after-ms",
        "vary",
        "x-chatloom-turn",
        "x-needs-upgrade",
        "x-request-id",
        "x-should-retry",
    }
)
"""Headers that clients go by. Others are left out: who knows what they hold."""

_SMALL = 1_000_000
"""Bytes up to which a file is written anew with each exchange."""
_PAUSE = 1.0
"""Seconds between writing larger ones, or more where that takes long."""


class Recording:
    """The exchanges so far, and the file they are in."""

    def __init__(self, path: Path, secrets: Secrets, headers: Iterable[str]) -> None:
        self.path = path
        self.users: WeakSet[object] = WeakSet()
        """Those who write with it now."""
        self._secrets = secrets
        self._headers = _TELLING_OF_ANSWERS.union(headers)
        self._takes: list[Take] = []
        self._writing = threading.Lock()
        self._stale = False
        self._urgent = False
        self._due = 0.0

    @property
    def is_empty(self) -> bool:
        return not self._takes

    def begin(self, request: Request) -> Take:
        """Make room for an exchange; they are in the order in which they began."""
        self._secrets.learn_from_request(request.headers, request.body)
        take = Take(self, request)
        self._takes.append(take)
        return take

    def forget(self, take: Take) -> None:
        """Leave out an exchange that never came about."""
        self._takes.remove(take)

    def close(self) -> None:
        """Write down what was heard of the streams that end with their client.

        Then all of it is in the file, also where another thread is just writing it.
        """
        self._save_all()
        with self._writing:
            pass
        if self._stale:
            self._save_all()

    def end(self) -> None:
        """Write down what a client that was never closed has left unwritten."""
        if self._stale:
            with suppress(SettingsError):  # nobody is there to hear it
                self._save_all()

    def _save_all(self) -> None:
        if self._stale or not all(take.is_over for take in [*self._takes]):
            self._urgent = True
            self.save()

    def save(self) -> None:
        """Write the file anew, or have it written by whoever is doing so, or later on.

        Never waits: a finaliser may come by while its own thread is writing.
        """
        self._stale = True
        while self._stale and self._is_due and self._writing.acquire(blocking=False):
            try:
                self._stale = self._urgent = False
                if is_latest(self):  # or a stream was dropped long after its client was closed
                    self._write()
            except BaseException:
                self._stale = True
                raise
            finally:
                self._writing.release()

    @property
    def _is_due(self) -> bool:
        return self._urgent or not self.users or monotonic() >= self._due

    def _write(self) -> None:
        began = monotonic()
        text = whole(self._entries())
        _replace(self.path, text)
        ended = monotonic()
        is_small = len(text) < _SMALL
        self._due = 0.0 if is_small else ended + max(_PAUSE, 10 * (ended - began))

    def _entries(self) -> list[bytes]:
        takes = [take for take in [*self._takes] if take.has_begun]
        for take in takes:
            take.teach(self._secrets)
        return [take.written(self._secrets, self._headers) for take in takes]


class Take:
    """One exchange, as it happens; nothing in it is scrubbed yet."""

    def __init__(self, recording: Recording, request: Request) -> None:
        self._recording = recording
        self._request = request
        self._response: Response | None = None
        self._pieces: list[bytes] = []
        self._failure: Failure | None = None
        self.is_over = False
        self._is_left = False
        self._taught = 0
        self._written = b""
        self._stage: object = None
        self._plain = b""
        self._known = 0

    @property
    def has_begun(self) -> bool:
        """Whether there is anything to tell but the request."""
        return self._response is not None or self._failure is not None

    def answered(self, response: Response) -> Response:
        """Take note of an answer, and see that its body is listened to as it arrives."""
        self._response = response
        if response.arriving is not None:
            response.arriving = Overheard(response.arriving, self)
            response.followers += (_AtTheEnd(self),)
        else:
            self._pieces.append(response.body)
            self.is_over = True
        self._recording.save()
        return response

    def piece(self, data: bytes) -> None:
        self._pieces.append(data)

    def over(self, failure: TransportError | None = None) -> None:
        """Take note that the answer is whole, or why it is not."""
        if not self.is_over and not self._is_left:
            self._failure = None if failure is None else Failure.of(failure)
            self.complete()

    def complete(self) -> None:
        """Take note that there is nothing more to hear."""
        if not self.is_over:
            self.is_over = True
            self._recording.save()

    def leave(self) -> None:
        """Take note that the reader is going: what a read that waits meets now is its own doing."""
        self._is_left = True

    def left(self) -> None:
        """Take note that the reader has gone, before the body's end or behind it."""
        if not self.is_over:
            self._recording.save()

    def teach(self, secrets: Secrets) -> None:
        """Tell *secrets* those that the answer carries."""
        pieces = [*self._pieces]
        if self._response is not None and self._taught <= len(pieces):
            self._taught = len(pieces) + 1
            secrets.learn_from(self._response.headers.items(), b"".join(pieces))

    def written(self, secrets: Secrets, headers: AbstractSet[str]) -> bytes:
        """Write it down, without *secrets*; anew where it went on, or holds one not known then."""
        stage = (self.is_over, len(self._pieces), self._failure)
        known = secrets.known
        if stage != self._stage or secrets.may_be_in(self._plain, self._known):
            exchange = Exchange(asked(self._request, secrets), *self._outcome(secrets, headers))
            self._written, self._stage = written(exchange), stage
            self._plain = plain(b"\n".join(self._texts()))
        self._known = known
        return self._written

    def _texts(self) -> Iterator[bytes]:
        """All of it that may be written down, and where a secret may be."""
        request, response = self._request, self._response
        yield request.path.encode()
        yield from (value.encode() for _, value in request.query)
        yield from (value.encode() for _, value in request.headers)
        yield request.body
        if response is not None:
            yield from (value.encode(errors="replace") for value in response.headers.values())
            yield b"".join([*self._pieces])
        if self._failure is not None:
            yield self._failure.message.encode()

    def _outcome(
        self, secrets: Secrets, headers: AbstractSet[str]
    ) -> tuple[Answered | None, Failure | None]:
        failure = self._failure and Failure(
            self._failure.kind, secrets.scrub(self._failure.message)
        )
        response = self._response
        if response is None:
            return None, failure
        pieces = secrets.scrub_pieces([*self._pieces])
        told = _kept(response.headers, headers, secrets)
        if not self._request.streamed:
            return Answered(response.status, told, Body.of(b"".join(pieces))), None
        streamed = tuple(map(as_piece, pieces))
        left = not self.is_over
        return Answered(response.status, told, pieces=streamed, left=left, failure=failure), None


class _AtTheEnd:
    """Follows a stream: its reader may know from the answer's own words that it is whole."""

    def __init__(self, take: Take) -> None:
        self._take = take

    def piece(self, piece: object) -> None: ...

    def over(self, ending: Ending) -> None:
        if ending.complete:
            self._take.complete()


class Overheard:
    """A body on its way, and somebody who writes it down."""

    def __init__(self, beyond: Arriving, take: Take) -> None:
        self._beyond = beyond
        self._take = take

    async def read(self) -> bytes:
        try:
            piece = await self._beyond.read()
        except TransportError as error:
            self._take.over(error)
            raise
        if piece:
            self._take.piece(piece)
        else:
            self._take.over()
        return piece

    async def close(self) -> None:
        await self._left(self._beyond.close())

    async def finish(self) -> None:
        await self._left(self._beyond.finish())

    async def _left(self, closing: Coroutine[object, None, None]) -> None:
        self._take.leave()
        try:
            await closing
        finally:
            self._take.left()

    def abandon(self) -> None:
        self._take.leave()
        self._beyond.abandon()
        with suppress(SettingsError):  # nobody is there to hear it
            self._take.left()


def asked(request: Request, secrets: Secrets) -> Asked:
    """Write *request* down, without *secrets*."""
    return Asked(
        request.method,
        secrets.scrub(request.path),
        tuple((name, secrets.scrub_parameter(name, value)) for name, value in request.query),
        _kept(dict(request.headers), _TELLING_OF_REQUESTS, secrets),
        Body.of(b"".join(secrets.scrub_pieces([request.body]))),
    )


def _kept(headers: Mapping[str, str], names: AbstractSet[str], secrets: Secrets) -> dict[str, str]:
    return {
        name: secrets.scrub_header(name, headers[name]) for name in sorted(headers) if name in names
    }


def _replace(path: Path, text: bytes) -> None:
    """Put *text* in the place of a file, at once or not at all."""
    new = path.with_name(f"{path.name}.{os.urandom(4).hex()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            new.write_bytes(text)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingsError(f"the cassette {path} cannot be written: {error.strerror}") from error
