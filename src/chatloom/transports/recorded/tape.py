"""The file of a cassette: readable JSON, one entry per exchange."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from chatloom.core.errors import (
    ConnectError,
    ConnectTimedOut,
    SettingsError,
    TimedOut,
    TransportError,
)
from chatloom.core.http import JSON, UNREADABLE

VERSION = 1

_FAILURES = {kind.__name__: kind for kind in (ConnectError, TimedOut, ConnectTimedOut)}


class _Entry(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Part of the file; an unknown word in it is a slip of whoever edited it."""


class Body(_Entry, frozen=True):
    """Some bytes, in the first of three ways that can hold them."""

    json: JSON | msgspec.UnsetType = msgspec.UNSET
    """A value; how it was spaced out is forgotten."""
    text: str = ""
    base64: str = ""

    @classmethod
    def of(cls, data: bytes) -> Body:
        if not data:
            return NOTHING
        try:
            return cls(json=msgspec.json.decode(data))
        except UNREADABLE:
            return cls.verbatim(data)

    @classmethod
    def verbatim(cls, data: bytes) -> Body:
        try:
            return cls(text=data.decode())
        except UnicodeDecodeError:
            return cls(base64=b64encode(data).decode())

    @property
    def shown(self) -> JSON | msgspec.UnsetType:
        """What a reader sees of it."""
        return self.text or self.base64 or self.json

    def bytes(self) -> bytes:
        if self.json is not msgspec.UNSET:
            return msgspec.json.encode(self.json)
        return self.text.encode() or b64decode(self.base64)


NOTHING = Body()


class Asked(_Entry, frozen=True):
    """What was sent."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = {}
    """For whoever reads the file; they are not compared."""
    body: Body = NOTHING

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Failure(_Entry, frozen=True):
    """An answer that never came, or broke off."""

    kind: str
    message: str

    def error(self) -> TransportError:
        """Make the error anew."""
        return _FAILURES.get(self.kind, TransportError)(self.message)

    @classmethod
    def of(cls, error: TransportError) -> Failure:
        known = (name for name in reversed(_FAILURES) if isinstance(error, _FAILURES[name]))
        return cls(next(known, TransportError.__name__), str(error))


class Answered(_Entry, frozen=True):
    """What came back."""

    status: int
    headers: dict[str, str] = {}
    body: Body = NOTHING
    pieces: tuple[str | Body, ...] | None = None
    """Those of a streamed answer, as they arrived."""
    left: bool = False
    """Whether its reader went away before its end, so that nobody knows the rest."""
    failure: Failure | None = None
    """How a streamed answer broke off."""

    def parts(self) -> list[bytes]:
        """The body, piece by piece."""
        if self.pieces is None:
            whole = self.body.bytes()
            return [whole] if whole else []
        return [
            piece.encode() if isinstance(piece, str) else piece.bytes() for piece in self.pieces
        ]


class Exchange(_Entry, frozen=True):
    """A request and what became of it."""

    request: Asked
    response: Answered | None = None
    failure: Failure | None = None

    def __post_init__(self) -> None:
        if (self.response is None) == (self.failure is None):
            raise ValueError("an exchange has either a response or a failure")


class _Versioned(msgspec.Struct):
    version: int


class _Tape(_Versioned, forbid_unknown_fields=True):
    exchanges: tuple[Exchange, ...]


def as_piece(data: bytes) -> str | Body:
    """Write down one piece of a streamed answer."""
    body = Body.verbatim(data)
    return body.text or body


def read(path: Path) -> Sequence[Exchange]:
    """Read the exchanges of a file; raises `SettingsError` where it is damaged or too new."""
    try:
        text = path.read_bytes()
        version = msgspec.json.decode(text, type=_Versioned).version
        if version > VERSION:
            raise SettingsError(
                f"the cassette {path} has version {version}; this chatloom knows up to {VERSION}"
            )
        return msgspec.json.decode(text, type=_Tape).exchanges
    except OSError as error:
        raise SettingsError(f"the cassette {path} cannot be read: {error.strerror}") from error
    except UNREADABLE as error:
        raise SettingsError(f"the cassette {path} is damaged: {error}") from error


def written(exchange: Exchange) -> bytes:
    """Write down one exchange, as an entry of `whole`."""
    lines = msgspec.json.format(msgspec.json.encode(exchange), indent=2)
    return b"    " + lines.replace(b"\n", b"\n    ")  # never within a text, where it is escaped


def whole(entries: Iterable[bytes]) -> bytes:
    """Put entries together to a file."""
    head = b'{\n  "version": %d,\n  "exchanges": [\n' % VERSION
    return head + b",\n".join(entries) + b"\n  ]\n}\n"
