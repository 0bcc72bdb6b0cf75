"""What is remembered of an account's users."""

from __future__ import annotations

from typing import Protocol

import msgspec

from chatloom.core.http import JSON

MOST_MEMORIES = 1_000
"""Memories of one user."""
MOST_BYTES = 4 * 1024 * 1024
"""Bytes of all of a user's values."""
LARGEST_VALUE = 64 * 1024
"""Bytes of a value, as JSON."""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Something remembered under a key."""

    key: str
    value: JSON
    size: int
    """Bytes of its value, as JSON."""
    created_at: int
    updated_at: int
    expires_at: int | None = None


class MemoryFull(Exception):
    """The user has as many memories as one may have; nothing was kept. Its text says what is."""


class Memories(Protocol):
    """Keeps memories, per account and end user; `None` is the account's own user without a name.

    What has expired is gone for every reader from that moment on.
    """

    async def remember(
        self,
        account_id: str,
        end_user: str | None,
        key: str,
        value: JSON,
        *,
        now: int,
        expires_at: int | None = None,
    ) -> None:
        """Keep *value*, in place of what is remembered under *key*. Raises `MemoryFull`."""
        ...

    async def recall(
        self, account_id: str, end_user: str | None, key: str, *, now: int
    ) -> Memory | None: ...

    async def memories(
        self,
        account_id: str,
        end_user: str | None,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int,
        now: int,
    ) -> list[Memory]:
        """Memories whose keys begin with *prefix*, by their keys, behind the key *after*."""
        ...

    async def forget(self, account_id: str, end_user: str | None, key: str, *, now: int) -> bool:
        """Forget what is remembered under *key*. Returns whether anything was."""
        ...

    async def relevant_memories(
        self,
        account_id: str,
        end_user: str | None,
        text: str,
        *,
        limit: int,
        now: int,
        budget: int = 8_000,
    ) -> list[Memory]:
        """The memories that share the most telling words with *text*, the best first.

        A word weighs by how few of the user's memories have it; of two that match alike the
        newer comes first. Keys and values have *budget* bytes together at most; one that would
        go beyond it is left out, and smaller ones may follow.
        """
        ...

    async def forget_expired_memories(self, now: int) -> int:
        """Take what has expired out of the file. Returns how many there were."""
        ...
