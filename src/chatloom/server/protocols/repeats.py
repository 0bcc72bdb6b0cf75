"""Telling a repeated request from a new one (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager

import msgspec
from msgspec.structs import replace

from chatloom.server.call import Call
from chatloom.server.chat.ask import Ask
from chatloom.server.ids import milliseconds
from chatloom.server.refusal import invalid, key_reused
from chatloom.server.store.contract import Repetition
from chatloom.server.store.trees import KeyReused, Repeatable

HEADER = "idempotency-key"
LONGEST_KEY = 255


def is_key(text: str) -> bool:
    """Whether *text* can name a request: 1 to 255 printable ASCII characters."""
    return 0 < len(text) <= LONGEST_KEY and text.isascii() and text.isprintable()


def key_of(call: Call) -> str | None:
    """The idempotency key of a request, where it came with one that can be one."""
    key = call.headers.get(HEADER)
    return key if key is not None and is_key(key) else None


def repeatable(call: Call, ask: Ask) -> Ask:
    """Add to *ask* what tells a repetition of it, where it came with a key.

    That is the key, and all that is asked, but not by which key of the account, on what terms,
    nor how its answer is wanted; or what its caller wanted, where that is said. Raises `Refusal`
    for an idempotency key that can be none.
    """
    key = _checked_key(call)
    if key is None:
        return ask
    asked = ask.wanted or replace(ask, **_NOT_ASKED)
    body = hashlib.sha256(_sorted(asked)).digest()
    name = f"{key}\n{ask.purpose}" if ask.purpose else key
    return replace(ask, repetition=Repetition(_digest(call, name), body))


def repeatable_making(call: Call, wanted: object) -> Repeatable | None:
    """What tells a repetition of a request that makes *wanted*, where it came with a key.

    Raises `Refusal` for an idempotency key that can be none.
    """
    key = _checked_key(call)
    if key is None:
        return None
    return Repeatable(
        account_id=call.key.account_id,
        key_digest=_digest(call, key),
        body_digest=hashlib.sha256(_sorted([call.scope["path"], wanted])).digest(),
        expires_at=milliseconds() + _KNOWN_MILLISECONDS,
    )


@contextmanager
def refusing_reuse() -> Generator[None]:
    """Refuse what is made with the idempotency key of another request. Raises `Refusal`."""
    try:
        yield
    except KeyReused:
        raise key_reused() from None


def _checked_key(call: Call) -> str | None:
    key = call.headers.get(HEADER)
    if key is not None and not is_key(key):
        raise invalid(
            f"an Idempotency-Key has 1 to {LONGEST_KEY} printable ASCII characters, once",
            code="invalid_idempotency_key",
        )
    return key


def _digest(call: Call, key: str) -> bytes:
    # A key of one end user or organization shares no names with others': it could try theirs,
    # or take them.
    owner, organization = call.key.owner, call.key.organization
    name = key if owner is None else f"{owner}\n{key}"
    if organization is not None:
        name = f"\n{organization}\n{name}"
    return hashlib.sha256(name.encode()).digest()


_KNOWN_MILLISECONDS = 24 * 3600 * 1000


_NOT_ASKED: dict[str, object] = {
    "key_id": "",
    "ancestors": (),
    "is_bound": False,
    "unread": "cancel",
    "band": "",
    "allowance": None,
    "request_id": "",
    "attempt_key": "",
    "found": None,
    "streamed": False,
    "told_as": "",
    "goes_on": False,
}
"""Fields that do not tell one request from another, with nothing in them."""


def attempt_key(call: Call, body: bytes) -> str:
    """The same for every repetition of one request: the caller's key, else what was sent."""
    given = call.headers.get(HEADER)
    return f"{call.key.id}/{given or hashlib.sha256(body).hexdigest()}"


_sorted = msgspec.json.Encoder(order="sorted").encode
