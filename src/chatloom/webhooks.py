"""Webhooks, for whoever is told by them: is it from our server, and what does it tell?

    event = verify(request.headers, request.body, secret)

The format is `Standard Webhooks <https://www.standardwebhooks.com>`_, version ``v1``: an HMAC
with SHA-256 of ``id.timestamp.body``. No body is read before its signature is known to be right.
"""

from __future__ import annotations

import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, Protocol, TypeAlias, cast, runtime_checkable

import msgspec
from msgspec import Meta

from chatloom.core.errors import ChatloomError, SettingsError
from chatloom.core.http import JSON, UNREADABLE

__all__ = ["Event", "Headers", "Reason", "WebhookVerificationError", "sign", "signed", "verify"]

Reason: TypeAlias = Literal[
    "missing", "malformed", "doubled", "too_old", "too_new", "unsigned", "no_event"
]
"""Why something is not taken for an event of ours: one of the three headers is missing, malformed
or there twice; it was sent too long ago, or in the future; no signature matches; or whoever has
the secret signed something else than an event."""


class WebhookVerificationError(ChatloomError):
    """What arrived is not known to be an event of ours: answer 400, and do nothing."""

    reason: Reason

    def __init__(self, message: str = "", *, reason: Reason = "unsigned") -> None:
        super().__init__(message)
        self.reason = reason


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, as a webhook is told it."""

    id: str
    """The same for each time that it is told: what was seen before is a repetition."""
    type: str
    """Such as ``chat.response``; there may be types that are younger than your program."""
    timestamp: datetime
    """When it happened, in UTC."""
    data: dict[str, JSON]
    """What there is to tell of it, by its type; there may come to be more."""


@runtime_checkable
class _Named(Protocol):
    def items(self) -> Iterable[tuple[str | bytes, str | bytes]]: ...


Headers: TypeAlias = _Named | Iterable[tuple[str | bytes, str | bytes]]
"""A mapping, or pairs; names in any case."""

_ID, _TIMESTAMP, _SIGNATURE = _HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_PREFIX = "whsec_"
_VERSION = "v1,"
_NO_SECRET = f"a webhook's secret is {_PREFIX} and 24 to 64 bytes as base64"


def verify(
    headers: Headers,
    body: bytes | str,
    secret: str | Iterable[str],
    *,
    tolerance: float = 300.0,
    now: float | None = None,
) -> Event:
    """Return the event that arrived, if the server sent it, and within *tolerance* seconds.

    *body* is what arrived, to the byte: not what a framework made of it. Give several secrets
    while you go over from one to another. *now* is in seconds since 1970.
    Raises `WebhookVerificationError`, and `SettingsError` for a secret that is none.
    """
    keys = _keys((secret,) if isinstance(secret, str) else secret)
    del secret  # what reports errors may show locals
    if not keys:
        raise SettingsError(_NO_SECRET)
    if not isinstance(cast("object", body), bytes | bytearray | memoryview | str):
        raise TypeError(f"body is what arrived, as bytes, not {type(body).__name__} made of it")
    content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    found = _ours_of(headers)
    _check_age(found[_TIMESTAMP], tolerance, now)
    _check_signature(found, content, keys)
    return _event_of(found[_ID], content)


def sign(id: str, timestamp: int, body: bytes | str, secret: str) -> str:
    """Make one signature; several of them stand in a header with blanks between.

    *timestamp* is when it is sent, in seconds since 1970.
    Raises `SettingsError` for a secret that is none.
    """
    keys = _keys((secret,))
    del secret
    if not keys:
        raise SettingsError(_NO_SECRET)
    content = body.encode() if isinstance(body, str) else body
    return _VERSION + _signature(keys[0], id, f"{timestamp:d}", content).decode()


def signed(
    type: str,
    data: Mapping[str, JSON],
    secret: str,
    *,
    id: str | None = None,
    now: float | None = None,
) -> tuple[dict[str, str], bytes]:
    """Make the headers and the body that tell an event, for tests of what receives it.

    Without *id* it is another event each time.
    Raises `SettingsError` for a secret that is none.
    """
    moment = _now() if now is None else now
    at = datetime.fromtimestamp(moment, UTC)
    id = id or os.urandom(16).hex()
    told = {
        "id": id,
        "object": "event",
        "type": type,
        "event": type,
        "created_at": int(moment),
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": data,
    }
    body = msgspec.json.encode(told)
    headers = {
        "content-type": "application/json",
        _ID: id,
        _TIMESTAMP: str(int(moment)),
        _SIGNATURE: sign(id, int(moment), body, secret),
    }
    return headers, body


def _ours_of(headers: Headers) -> dict[str, str]:
    """The three headers that matter, each once."""
    found: dict[str, str] = {}
    for name, value in headers.items() if isinstance(headers, _Named) else headers:
        known = _text(name).lower()
        if known in found:
            raise WebhookVerificationError(f"{known} is there twice", reason="doubled")
        if known in _HEADERS:
            found[known] = _text(value)
    for name in _HEADERS:
        text = found.get(name)
        if not text:
            raise WebhookVerificationError(f"{name} is missing", reason="missing")
        if not (text.isascii() and text.isprintable()):
            raise WebhookVerificationError(f"{name} is malformed", reason="malformed")
    return found


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""


def _check_age(timestamp: str, tolerance: float, now: float | None) -> None:
    if not timestamp.isdigit() or len(timestamp) > 15:
        raise WebhookVerificationError(f"{_TIMESTAMP} is malformed", reason="malformed")
    age = (_now() if now is None else now) - int(timestamp)
    if -tolerance <= age <= tolerance:
        return
    if age < 0:
        raise WebhookVerificationError(f"it comes {-age:.0f} s from the future", reason="too_new")
    raise WebhookVerificationError(f"it was sent {age:.0f} s ago", reason="too_old")


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _check_signature(found: dict[str, str], content: bytes, keys: list[hmac.HMAC]) -> None:
    given = [
        one.removeprefix(_VERSION).encode()
        for one in found[_SIGNATURE].split(" ")
        if one.startswith(_VERSION)  # of others, such as v1a, we have no key
    ]
    if not any(_is_right(given, key, found, content) for key in keys):
        raise WebhookVerificationError(
            "no signature matches: is it the right secret, and the body just as it arrived?",
            reason="unsigned",
        )


def _is_right(given: list[bytes], key: hmac.HMAC, found: dict[str, str], content: bytes) -> bool:
    # Compared as text, since base64 has several for the same bytes.
    right = _signature(key, found[_ID], found[_TIMESTAMP], content)
    return any(hmac.compare_digest(right, one) for one in given)


def _signature(key: hmac.HMAC, id: str, timestamp: str, content: bytes) -> bytes:
    mac = key.copy()
    mac.update(f"{id}.{timestamp}.".encode())
    mac.update(content)
    return b64encode(mac.digest())


def _keys(secrets: Iterable[str]) -> list[hmac.HMAC]:
    """What signs, the secrets within it; nothing where one of them is none."""
    keys = [_key(secret) for secret in secrets or ()]
    return [] if None in keys else [key for key in keys if key is not None]


def _key(secret: object) -> hmac.HMAC | None:
    """What signs; `None` where that is no secret."""
    if not isinstance(secret, str) or not secret.startswith(_PREFIX):
        return None
    try:
        value = b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        return None
    return hmac.new(value, digestmod="sha256") if 24 <= len(value) <= 64 else None


class _Body(msgspec.Struct):
    type: str
    timestamp: Annotated[datetime, Meta(tz=True)]
    data: dict[str, JSON]


_read = msgspec.json.Decoder(_Body).decode


def _event_of(id: str, content: bytes) -> Event:
    try:
        told = _read(content)
    except UNREADABLE as error:
        raise WebhookVerificationError("the body is no event", reason="no_event") from error
    return Event(id=id, type=told.type, timestamp=told.timestamp, data=told.data)
