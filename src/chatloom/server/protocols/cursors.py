"""Where a list goes on: cursors that say it, in a form that nobody needs to read."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from chatloom.server.refusal import Refusal, invalid

T = TypeVar("T", bound=msgspec.Struct)

Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A place among all messages, as the store counts them."""


def cursor_of(place: msgspec.Struct) -> str:
    """Say that a list goes on behind *place*, whose type tells it from other lists' cursors."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_cursor(told: str, kind: type[T]) -> T:
    """Where a list goes on. Raises `Refusal` for a cursor that none of its answers gave."""
    try:
        place = msgspec.json.decode(urlsafe_b64decode(told + "=" * (-len(told) % 4)), type=kind)
    except (ValueError, msgspec.MsgspecError) as error:
        raise wrong_cursor() from error
    if cursor_of(place) != told:  # decoders pass over what they do not know
        raise wrong_cursor()
    return place


def wrong_cursor() -> Refusal:
    """Refuse a cursor that no answer gave."""
    return invalid("the cursor is none that this list gave", param="cursor", code="unknown_cursor")
