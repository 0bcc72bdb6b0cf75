"""What ChatServer adds to the chat API of OpenAI: sessions, and the platform's administration."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from chatloom.core.http import JSON

Name: TypeAlias = Annotated[str, Meta(max_length=256)]
EndUser: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Names: TypeAlias = Annotated[list[Name], Meta(max_length=1000)]


class RequestMetadata(msgspec.Struct, kw_only=True):
    """What ``metadata`` of a completion request may say to the server; the rest is kept as it is.

    `workflow` names a prompt of the server's configuration, filled from `variables`. The last
    three address an exact place, for any OpenAI client.
    """

    session_id: str | None = None
    user_id: Name | None = None
    organization_id: Name | None = None
    workflow: Name | None = None
    variables: dict[str, JSON] | None = None
    allowed_tools: Names | None = None
    setting_sources: Names | None = None
    mcp_servers: dict[str, JSON] | list[JSON] | None = None
    agent_type: Name | None = None
    conversation_id: str | None = None
    branch_id: str | None = None
    parent_message_id: str | None = None


class SessionOwner(msgspec.Struct, kw_only=True):
    """Whose session is meant."""

    user_id: EndUser


class SessionPage(SessionOwner, kw_only=True):
    """Which sessions are meant: a page of an end user's, the archived ones or the others."""

    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Meta(ge=1, le=100)] = 20
    archived: bool = False


class Session(msgspec.Struct, kw_only=True):
    """A conversation, as ChatServer tells it; times are ISO 8601."""

    id: str
    user_id: str | None
    organization_id: str | None
    title: str | None
    model: str | None
    agent_type: str | None
    created_at: str
    updated_at: str
    last_message_at: str | None
    message_count: int
    tokens_in: int
    tokens_out: int
    tokens_total: int
    metadata: dict[str, JSON]
    archived: bool


class SessionList(msgspec.Struct, kw_only=True):
    """A page of sessions, the last used first."""

    sessions: list[Session]
    total: int
    page: int
    page_size: int
    has_more: bool


class SessionMessage(msgspec.Struct, kw_only=True):
    """A message of a session; `content` is its text, `tokens` null where nobody counted."""

    id: str
    session_id: str
    message_index: int
    role: str
    content: str
    metadata: dict[str, JSON]
    tokens: int | None
    created_at: str
    updated_at: str


class SessionDetail(msgspec.Struct):
    """A session, with its messages."""

    session: Session
    messages: list[SessionMessage]


class SessionChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a session; what is left out stays as it is."""

    archived: bool | None = None
    title: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    metadata: dict[str, JSON] | None = None


class ChangedSession(msgspec.Struct):
    """A session, after it was changed."""

    session: Session


class SystemHealth(msgspec.Struct, kw_only=True):
    """How the server does."""

    status: Literal["healthy"] = "healthy"
    circuit_breaker_status: None = None
    active_agents: list[str] = []


class PlatformStats(msgspec.Struct, kw_only=True):
    """How much the server is used; active is who asked in the last 30 days, today is UTC's."""

    total_users: int
    active_users: int
    total_organizations: int
    total_requests: int
    requests_today: int
    total_tokens: int
    tokens_today: int
    total_mcp_servers: int = 0
    system_health: SystemHealth


class Admin(msgspec.Struct, kw_only=True):
    """A platform administrator."""

    id: str
    workos_id: str
    email: str
    name: str
    created_at: str
    created_by: str


class AdminList(msgspec.Struct):
    """Every platform administrator."""

    admins: list[Admin]
    count: int


class NewAdmin(msgspec.Struct, kw_only=True):
    """Somebody to be made a platform administrator."""

    workos_id: Annotated[str, Meta(min_length=1, max_length=256)]
    email: Annotated[
        str,
        Meta(
            max_length=320,
            pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$(?!\n)",
            description="An e-mail address.",
        ),
    ]
    name: Name | None = None


class AdminAnswer(msgspec.Struct, kw_only=True):
    """Who was added or removed."""

    status: Literal["success"] = "success"
    email: str


class AuditPage(msgspec.Struct, kw_only=True):
    """Which entries are meant."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    offset: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0


class AuditEntry(msgspec.Struct, kw_only=True):
    """An entry of the audit log; `user_id` is the key that acted, `org_id` the account concerned.

    `metadata.hash` covers the entry and its predecessor's hash.
    """

    id: str
    timestamp: str
    user_id: str
    org_id: str | None
    action: str
    resource: str
    resource_id: str | None
    metadata: dict[str, JSON]


class AuditLog(msgspec.Struct):
    """Entries of the audit log, newest first; *count* is how many of them are here."""

    entries: list[AuditEntry]
    count: int
    limit: int
    offset: int


class Health(msgspec.Struct, kw_only=True):
    """Whether the server lives."""

    status: Literal["healthy"] = "healthy"
    timestamp: str
    version: str
    service: str = "chatloom"
    circuit_breaker_status: None = None
    active_agents: list[str] = []


class Ready(msgspec.Struct, kw_only=True):
    """Whether the server can take requests."""

    status: Literal["ready"] = "ready"
    store: Literal["ok"] = "ok"
