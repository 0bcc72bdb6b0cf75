"""What administrators see and do, and the audit log of it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from chatloom.core.http import JSON


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be told in the audit log, in the transaction that does it."""

    actor: str
    """The id of the key that was used, or ``cli`` for commands on the file itself."""
    action: str
    """What was done, as ``key.created``."""
    resource: str
    """The kind of thing it was done to."""
    resource_id: str | None = None
    account_id: str | None = None
    """The account that is concerned."""
    detail: dict[str, JSON] = {}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the audit log; *hash* covers it and its predecessor's hash."""

    id: int
    at: int
    deed: Deed
    hash: bytes


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Who pays: an account, its keys' tenant."""

    id: str
    name: str
    tier: str | None
    """As it was given; `None` for the configuration's default."""
    dev: bool
    created_at: int


class Administrator(msgspec.Struct, frozen=True, kw_only=True):
    """One of those whose platform keys work."""

    id: str
    email: str
    workos_id: str
    name: str
    added_by: str
    created_at: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How much the whole server is used."""

    users: int
    active_users: int
    organizations: int
    requests: int
    requests_today: int
    tokens: int
    tokens_today: int


class Administration(Protocol):
    """Keeps accounts, administrators and the audit log."""

    async def accounts(self) -> list[Account]:
        """Every account, newest first."""
        ...

    async def find_account(self, id: str) -> Account | None: ...

    async def set_tier(self, account_id: str, tier: str | None, deed: Deed) -> None: ...

    async def administrators(self) -> list[Administrator]:
        """Every one, in the order they were added."""
        ...

    async def is_administrator(self, email: str) -> bool: ...

    async def put_administrator(self, administrator: Administrator, deed: Deed) -> None:
        """Add one, or change the one of the same address."""
        ...

    async def remove_administrator(self, email: str, deed: Deed) -> bool:
        """Remove one; False where there is none of this address."""
        ...

    async def record(self, deed: Deed) -> None:
        """Put a deed into the audit log that changes nothing else."""
        ...

    async def audit(self, *, limit: int, offset: int) -> list[Entry]:
        """Entries of the audit log, newest first."""
        ...

    async def figures(self, *, today: int, active_since: int) -> Figures: ...
