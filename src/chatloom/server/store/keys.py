"""API keys, as they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from chatloom.server.store.administration import Deed

Unread: TypeAlias = Literal["cancel", "run"]
"""What becomes of a turn that nobody reads for a while: it is cancelled, or runs on."""


class RateLimit(msgspec.Struct, frozen=True):
    """How often a key may ask: so many requests a minute, and so many of them at once."""

    per_minute: int
    burst: int


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key, without its secret."""

    id: str
    account_id: str
    name: str
    scopes: frozenset[str]
    models: list[str] | None = None
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None
    ancestors: tuple[str, ...] = ()
    """The keys it descends from, its parent first."""
    owner: str | None = None
    """The end user it belongs to: it acts as them, and sees only what is theirs."""
    organization: str | None = None
    """The organization it belongs to: all it does counts as done there."""
    routes: list[str] | None = None
    """Patterns of the addresses it may use; `None` for all."""
    rate: RateLimit | None = None
    """How often it may ask; `None` leaves it to its account's tier."""
    rates_above: dict[str, RateLimit] = {}
    """Those of the keys it descends from that have one, by their ids."""
    tier: str | None = None
    """Its account's."""
    unread: Unread = "cancel"
    """What becomes of its turns when nobody reads them."""
    dev: bool = False
    """Its account was made by ``--dev``."""
    hint: str = ""
    """How its newest secret begins."""
    secret_expires_at: int | None = None
    """When the secret it was found by stops working, where a newer one has replaced it."""


class ApiSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The stored half of a key's secret."""

    key_id: str
    digest: bytes
    hint: str
    created_at: int
    expires_at: int | None = None


MOST_DESCENDANTS = 1000
"""Keys that may descend from one: those that work, and those that were made within a day."""


class TooManyDescendants(Exception):
    """So many keys descend from one already; nothing of another is stored."""


class AncestorRevoked(Exception):
    """A key was to descend from one that is revoked by now; nothing of it is stored."""


class Keys(Protocol):
    """Keeps API keys, and the accounts they belong to."""

    async def account(self, id: str, name: str, *, dev: bool, now: int) -> None:
        """Make an account, unless it is there."""
        ...

    async def add_key(self, key: Key, secret: ApiSecret, deed: Deed | None = None) -> None:
        """Keep a new key. Raises `AncestorRevoked` or `TooManyDescendants`."""
        ...

    async def find_key(self, digest: bytes) -> Key | None:
        """The key one of whose secrets has this digest, revoked or expired or not."""
        ...

    async def key(self, id: str) -> Key | None: ...

    async def keys(self, account_id: str | None = None) -> list[Key]:
        """Every key, or those of one account, newest first."""
        ...

    async def descendants(self, key: Key, now: int) -> list[Key]:
        """The keys that descend from *key* and work, newest first."""
        ...

    async def revoke_key(self, id: str, now: int, deed: Deed | None = None) -> bool:
        """Revoke a key and all that descend from it; False when there is none to revoke."""
        ...

    async def rotate_key(
        self, secret: ApiSecret, old_expire_at: int, deed: Deed | None = None
    ) -> None:
        """Give a key a new secret; its others expire."""
        ...

    async def touch_keys(self, used: Sequence[tuple[str, int]]) -> None:
        """Record when keys were last used."""
        ...
