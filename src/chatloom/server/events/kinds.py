"""What webhooks are told: the events there are, and what is said of each.

Names and the members of `data` are those of Infinity Assistant, the body around them
is what the readers of Standard Webhooks, of OpenAI's and of Infinity's expect.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal, TypeAlias, get_args

import msgspec

from chatloom.core.http import JSON
from chatloom.server.ids import new_id

EventType: TypeAlias = Literal[
    "chat.message",
    "chat.response",
    "knowledge.created",
    "memory.stored",
    "user.preferences.updated",
    "subscription.created",
    "subscription.updated",
    "subscription.cancelled",
    "turn.complete",
    "turn.length",
    "turn.tool_calls",
    "turn.content_filter",
    "turn.cancelled",
    "turn.truncated",
    "turn.provider_error",
    "webhook.ping",
    "webhook.disabled",
]

EVENTS: tuple[EventType, ...] = get_args(EventType)
PATTERNS: tuple[str, ...] = ("*", "turn.*")
"""What stands for several of them."""
LONGEST_TEXT = 64 * 1024
"""Characters of a message that are told; of a longer one the beginning, and that it is one."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened in an account."""

    id: str
    account_id: str
    type: EventType
    at: int
    data: dict[str, JSON]
    end_user: str | None = None
    """Whom it concerns; `None` for the account itself."""
    organization: str | None = None
    conversation_id: str | None = None
    """Events of one conversation are told in their order."""
    message_id: str | None = None
    """Whose words it tells, so that they go when the message does."""

    def body(self) -> bytes:
        """It as it is delivered, and signed."""
        moment = datetime.fromtimestamp(self.at / 1000, UTC)
        told = {
            "id": self.id,
            "object": "event",
            "type": self.type,
            "event": self.type,
            "created_at": self.at // 1000,
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "data": self.data,
        }
        return msgspec.json.encode(told)


def expand(wanted: Iterable[str]) -> frozenset[str]:
    """The events that names and `PATTERNS` stand for."""
    found: set[str] = set()
    for name in wanted:
        group = name.removesuffix("*")
        found |= {one for one in EVENTS if one == name or (name != group and one.startswith(group))}
    return frozenset(found)


def ping_of(account_id: str, webhook_id: str, at: int) -> Event:
    """The event that tries a webhook."""
    data: dict[str, JSON] = {"webhookId": webhook_id, "message": "chatloom reaches you"}
    return Event(id=new_id(), account_id=account_id, type="webhook.ping", at=at, data=data)
