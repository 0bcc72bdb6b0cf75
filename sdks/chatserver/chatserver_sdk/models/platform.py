"""What platform administrators are told: figures, who they are, and what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NotRequired, TypedDict, cast

import msgspec

from chatloom.core.http import JSON
from chatserver_sdk.answers import (
    dicts,
    identifier,
    integer,
    items,
    mapping,
    moment,
    optional_text,
    taken,
    text,
)


@dataclass
class SystemHealth:
    """How the server is; `status` is ``""`` where it does not say."""

    status: str = ""
    circuit_breaker_status: JSON = None
    active_agents: list[str] = field(default_factory=list[str])
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> SystemHealth:
        """Read the health of a server."""
        rest = dict(data)
        return cls(
            status=text(rest.pop("status", None)),
            circuit_breaker_status=rest.pop("circuit_breaker_status", None),
            active_agents=[str(item) for item in items(rest.pop("active_agents", None))],
            extra=rest,
        )


@dataclass
class PlatformStats:
    """The platform in figures. Older servers count other things: all is 0, theirs in `extra`."""

    total_users: int = 0
    active_users: int = 0
    total_organizations: int = 0
    total_requests: int = 0
    requests_today: int = 0
    total_tokens: int = 0
    tokens_today: int = 0
    total_mcp_servers: int = 0
    system_health: SystemHealth = field(default_factory=SystemHealth)
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> PlatformStats:
        """Read the figures."""
        rest = dict(data)
        return cls(
            total_users=integer(rest.pop("total_users", None)),
            active_users=integer(rest.pop("active_users", None)),
            total_organizations=integer(rest.pop("total_organizations", None)),
            total_requests=integer(rest.pop("total_requests", None)),
            requests_today=integer(rest.pop("requests_today", None)),
            total_tokens=integer(rest.pop("total_tokens", None)),
            tokens_today=integer(rest.pop("tokens_today", None)),
            total_mcp_servers=integer(rest.pop("total_mcp_servers", None)),
            system_health=SystemHealth.from_dict(mapping(rest.pop("system_health", None))),
            extra=rest,
        )


class PlatformAdmin(TypedDict):
    """An administrator, with all that the server tells; its times are texts as it writes them."""

    id: str
    email: str
    name: str | None
    created_at: str | None
    created_by: str | None
    workos_id: NotRequired[str]
    is_active: NotRequired[bool]
    added_at: NotRequired[str | None]
    added_by: NotRequired[str | None]
    updated_at: NotRequired[str | None]


class PlatformAdmins(TypedDict):
    """The administrators there are."""

    admins: list[PlatformAdmin]
    count: int


def admins_from_dict(data: Mapping[str, JSON]) -> PlatformAdmins:
    """Read a list of administrators; what older servers say otherwise is told in both ways."""
    admins = [_admin(item) for item in dicts(data.get("admins"))]
    count = integer(data.get("count")) or len(admins)
    return cast("PlatformAdmins", {**data, "admins": admins, "count": count})


def _admin(data: dict[str, JSON]) -> dict[str, JSON]:
    rest = dict(data)
    named: dict[str, JSON] = {
        "id": identifier(rest.pop("id", None)) or "",
        "email": text(rest.pop("email", None)),
        "name": optional_text(rest.pop("name", None)),
        "created_at": optional_text(taken(rest, "created_at", older="added_at")),
        "created_by": identifier(taken(rest, "created_by", older="added_by")),
    }
    return named | rest


@dataclass
class AdminResponse:
    """What became of an administrator: `status` is ``"success"``."""

    status: str
    email: str
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> AdminResponse:
        """Read what became of an administrator."""
        rest = dict(data)
        return cls(text(rest.pop("status", None)), text(rest.pop("email", None)), rest)


@dataclass
class AuditEntry:
    """Something that was done: by `user_id`, to the `resource_id` among such a `resource`.

    Older servers know who it was by his address.
    """

    id: str
    timestamp: datetime
    user_id: str | None
    org_id: str | None
    action: str
    resource: str | None = None
    resource_id: str | None = None
    metadata: dict[str, JSON] = field(default_factory=dict[str, JSON])
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> AuditEntry:
        """Read an entry. Raises `msgspec.ValidationError` for one without a time."""
        rest = dict(data)
        told = taken(rest, "timestamp", older="created_at")
        if (timestamp := moment(told)) is None:
            raise msgspec.ValidationError(f"{told!r:.80} is no time of an audit entry")
        return cls(
            id=identifier(rest.pop("id", None)) or "",
            timestamp=timestamp,
            user_id=identifier(taken(rest, "user_id", older="admin_email")),
            org_id=identifier(taken(rest, "org_id", older="target_org_id")),
            action=text(rest.pop("action", None)),
            resource=optional_text(rest.pop("resource", None)),
            resource_id=identifier(taken(rest, "resource_id", older="target_user_id")),
            metadata=mapping(taken(rest, "metadata", older="details")),
            extra=rest,
        )


@dataclass
class AuditLogResponse:
    """A page of the audit log. `count` is how many entries it has."""

    entries: list[AuditEntry]
    count: int = 0
    limit: int = 50
    offset: int = 0
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> AuditLogResponse:
        """Read a page. Raises `msgspec.ValidationError` for an entry without a time."""
        rest = dict(data)
        entries = [AuditEntry.from_dict(item) for item in dicts(rest.pop("entries", None))]
        return cls(
            entries=entries,
            count=integer(rest.pop("count", None)) or len(entries),
            limit=integer(rest.pop("limit", 50)),
            offset=integer(rest.pop("offset", None)),
            extra=rest,
        )
