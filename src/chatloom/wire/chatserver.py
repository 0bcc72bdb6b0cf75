"""What ChatServer adds to the chat API of OpenAI."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class RequestMetadata(msgspec.Struct, kw_only=True):
    """What ``metadata`` of a completion request may say to the server; the rest is kept as it is.

    The last three address an exact place, for any OpenAI client.
    """

    session_id: str | None = None
    user_id: Annotated[str, Meta(max_length=256)] | None = None
    organization_id: str | None = None
    conversation_id: str | None = None
    branch_id: str | None = None
    parent_message_id: str | None = None


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
