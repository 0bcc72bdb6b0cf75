"""Telling a repeated request from a new one (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from chatloom.core.http import JSON
from chatloom.server.call import Call
from chatloom.server.refusal import invalid
from chatloom.server.store.contract import Repetition

HEADER = "idempotency-key"
LONGEST_KEY = 255

_MANNER = frozenset({"stream", "stream_options"})
"""How an answer is wanted, which makes no other request."""


def is_key(text: str) -> bool:
    """Whether *text* can name a request: 1 to 255 printable ASCII characters."""
    return 0 < len(text) <= LONGEST_KEY and text.isascii() and text.isprintable()


def key_of(call: Call) -> str | None:
    """The idempotency key of a request, where it came with one that can be one."""
    key = call.headers.get(HEADER)
    return key if key is not None and is_key(key) else None


def repetition_of(call: Call, fields: Mapping[str, JSON]) -> Repetition | None:
    """What tells a repetition of a request: its key, and all it asks but how it is told.

    `None` where it came without a key. Raises `Refusal` for one that can be none.
    """
    key = call.headers.get(HEADER)
    if key is None:
        return None
    if not is_key(key):
        raise invalid(
            f"an Idempotency-Key has 1 to {LONGEST_KEY} printable ASCII characters",
            code="invalid_idempotency_key",
        )
    asked = {name: value for name, value in fields.items() if name not in _MANNER}
    body = hashlib.sha256(call.route.path.encode() + b"\n" + _sorted(asked)).digest()
    return Repetition(hashlib.sha256(key.encode()).digest(), body)


def attempt_key(call: Call, body: bytes) -> str:
    """The same for every repetition of one request: the caller's key, else what was sent."""
    given = call.headers.get(HEADER)
    return f"{call.key.id}/{given or hashlib.sha256(body).hexdigest()}"


_sorted = msgspec.json.Encoder(order="sorted").encode
