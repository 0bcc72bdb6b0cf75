"""API keys of one's own account."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from chatloom.wire.infinity.common import Given, Id, Part, Told


class NewApiKey(Given):
    """A key to make."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]


class ApiKeyQuery(Given):
    """Which key is meant."""

    id: Id


class ApiKey(Part):
    """A key; itself only in the answer that made it. `prefix` is how it begins."""

    id: str
    name: str
    prefix: str
    created_at: str
    last_used: str | None
    is_active: bool
    key: str | UnsetType = UNSET


class ApiKeys(Told):
    """Keys, the newest first."""

    api_keys: list[ApiKey]


class MadeApiKey(Told):
    """A key just made."""

    api_key: ApiKey
    message: str


class Deleted(Told):
    """It is deleted."""

    message: str
