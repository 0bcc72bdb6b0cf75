"""Sessions: what was said under a user's name, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chatloom.core.http import JSON
from chatserver_sdk.answers import (
    UNTOLD,
    dicts,
    identifier,
    integer,
    mapping,
    moment,
    optional_text,
    taken,
    text,
)
from chatserver_sdk.models.completions import MessageRole, role


@dataclass
class ChatSessionSummary:
    """A session, as it is listed.

    Where one of `created_at` and `updated_at` is not told, it is the other; where
    neither is, both are ``datetime.min`` in UTC.
    """

    id: str
    user_id: str
    organization_id: str | None = None
    title: str | None = None
    model: str | None = None
    agent_type: str | None = None
    created_at: datetime = UNTOLD
    updated_at: datetime = UNTOLD
    last_message_at: datetime | None = None
    message_count: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_total: int = 0
    metadata: dict[str, JSON] = field(default_factory=dict[str, JSON])
    archived: bool = False
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> ChatSessionSummary:
        """Read a session; a missing total is the sum."""
        rest = dict(data)
        created, updated = (moment(rest.pop(name, None)) for name in ("created_at", "updated_at"))
        tokens_in = integer(rest.pop("tokens_in", None))
        tokens_out = integer(rest.pop("tokens_out", None))
        return cls(
            id=identifier(rest.pop("id", None)) or "",
            user_id=identifier(rest.pop("user_id", None)) or "",
            organization_id=identifier(taken(rest, "organization_id", older="org_id")),
            title=optional_text(rest.pop("title", None)),
            model=optional_text(rest.pop("model", None)),
            agent_type=optional_text(rest.pop("agent_type", None)),
            created_at=created or updated or UNTOLD,
            updated_at=updated or created or UNTOLD,
            last_message_at=moment(rest.pop("last_message_at", None)),
            message_count=integer(rest.pop("message_count", None)),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            tokens_total=integer(rest.pop("tokens_total", None)) or tokens_in + tokens_out,
            metadata=mapping(rest.pop("metadata", None)),
            archived=rest.pop("archived", None) is True,
            extra=rest,
        )


@dataclass
class ChatSessionListResponse:
    """A page of sessions. `total` counts those of all pages."""

    sessions: list[ChatSessionSummary]
    total: int = 0
    page: int = 1
    page_size: int = 20
    has_more: bool = False
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> ChatSessionListResponse:
        """Read a page of sessions."""
        rest = dict(data)
        return cls(
            sessions=[
                ChatSessionSummary.from_dict(item) for item in dicts(rest.pop("sessions", None))
            ],
            total=integer(rest.pop("total", None)),
            page=integer(rest.pop("page", 1)),
            page_size=integer(rest.pop("page_size", 20)),
            has_more=rest.pop("has_more", None) is True,
            extra=rest,
        )


@dataclass
class ChatMessageRecord:
    """A message of a session, as it was stored. `message_index` counts from the first one."""

    id: str
    session_id: str
    message_index: int
    role: MessageRole
    content: str
    metadata: dict[str, JSON] = field(default_factory=dict[str, JSON])
    tokens: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON], session_id: str = "") -> ChatMessageRecord:
        """Read a message of the session *session_id*, which some servers do not repeat."""
        rest = dict(data)
        return cls(
            id=identifier(rest.pop("id", None)) or "",
            session_id=identifier(rest.pop("session_id", None)) or session_id,
            message_index=integer(rest.pop("message_index", None)),
            role=role(rest.pop("role", None)),
            content=text(rest.pop("content", None)),
            metadata=mapping(rest.pop("metadata", None)),
            tokens=integer(taken(rest, "tokens", older="tokens_total")),
            created_at=moment(rest.pop("created_at", None)),
            updated_at=moment(rest.pop("updated_at", None)),
            extra=rest,
        )


@dataclass
class ChatSessionDetailResponse:
    """A session and what was said in it."""

    session: ChatSessionSummary
    messages: list[ChatMessageRecord]
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON], session_id: str = "") -> ChatSessionDetailResponse:
        """Read the session that was asked for as *session_id*."""
        rest = dict(data)
        session = ChatSessionSummary.from_dict(mapping(rest.pop("session", None)))
        known = session_id or session.id
        messages = dicts(rest.pop("messages", None))
        return cls(session, [ChatMessageRecord.from_dict(one, known) for one in messages], rest)
