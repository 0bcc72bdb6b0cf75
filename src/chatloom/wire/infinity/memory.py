"""What is remembered of a user."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from chatloom.core.http import JSON
from chatloom.wire.infinity.common import Cursor, Given, Part, Told

MemoryKey: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
EndUser: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]


class MemoryToStore(Given):
    """Something to remember under a key, for *ttl* seconds where it is given."""

    key: MemoryKey
    value: JSON | UnsetType = UNSET
    ttl: Annotated[int, Meta(ge=1, le=10 * 365 * 86400)] | None = None
    user_id: EndUser | None = None


class Stored(Told):
    """It is remembered now."""

    key: str
    expires_at: str | None
    stored: bool = True


class MemoryQuery(Given):
    """What is to be remembered."""

    key: MemoryKey
    user_id: EndUser | None = None


class Retrieved(Told):
    """What is remembered; `found` says whether anything is."""

    value: JSON
    found: bool
    key: str
    created_at: str | None
    updated_at: str | None
    expires_at: str | None


class MemoryPage(Given):
    """Which memories are meant: those whose keys begin so, a page at a time."""

    prefix: Annotated[str, Meta(max_length=256)] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: Cursor | None = None
    user_id: EndUser | None = None


class Memory(Part):
    """Something remembered; `size` is in bytes."""

    key: str
    value: JSON
    size: int
    created_at: str
    updated_at: str
    expires_at: str | None


class Memories(Told):
    """A page of memories, by their keys."""

    memories: list[Memory]
    has_next: bool
    next_cursor: str | None


class Forgotten(Told):
    """It is forgotten; `deleted` says whether it was remembered."""

    deleted: bool
