"""What there is to tell of a turn, a message, something kept, an account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.events.kinds import LONGEST_TEXT, Event, EventType
from chatloom.server.ids import new_id
from chatloom.server.models.driver import Usage
from chatloom.server.moments import iso
from chatloom.server.store.contract import Conversation, Node, Settlement
from chatloom.server.store.knowledge import Entry
from chatloom.server.store.webhooks import Disabled, Webhook
from chatloom.wire.chatloom import Money

_PREFERENCES = ("preferences", "user_preferences")
_BELOW = (".", ":", "/")
_OUTCOMES: dict[str, EventType] = {
    "complete": "turn.complete",
    "length": "turn.length",
    "tool_calls": "turn.tool_calls",
    "content_filter": "turn.content_filter",
    "cancelled": "turn.cancelled",
    "truncated": "turn.truncated",
    "provider_error": "turn.provider_error",
}


def of_turn(
    settlement: Settlement, branch_id: str, branch_of: Callable[[Node], str]
) -> Iterator[Event]:
    """What a turn's end has to tell: what was asked, what was answered, how it ended.

    *branch_of* knows the branch of a further answer.
    """
    opening = settlement.opening
    answers = [*settlement.nodes[-1:], *settlement.alternatives] if settlement.head_id else []
    for node in settlement.nodes[: -1 if settlement.head_id else None]:
        if node.message.role == "user":
            yield _of_opening(settlement, "chat.message", _said(node, branch_id), node)
    for node in answers:
        own = branch_id if node is answers[0] else branch_of(node)
        told: dict[str, JSON] = {
            **_said(node, own),
            "model": settlement.served_model or opening.model,
            "outcome": settlement.outcome,
            # The turn's, whose first answer tells it: whoever sums shall not count it twice.
            "usage": _usage(settlement.usage) if node is answers[0] else None,
        }
        yield _of_opening(settlement, "chat.response", told, node)
    yield _of_opening(settlement, _OUTCOMES[settlement.outcome], _ended(settlement, branch_id))


def _of_opening(
    settlement: Settlement, type: EventType, told: dict[str, JSON], node: Node | None = None
) -> Event:
    opening = settlement.opening
    whose: dict[str, JSON] = {
        "turnId": opening.turn_id,
        "protocol": opening.protocol,
        "userId": opening.end_user,
        "organizationId": opening.organization,
    }
    return Event(
        id=new_id(),
        account_id=opening.account_id,
        type=type,
        at=settlement.ended_at,
        data={**told, **whose},
        end_user=opening.end_user,
        organization=opening.organization,
        conversation_id=opening.conversation_id or None,
        message_id=None if node is None else node.id,
    )


def of_edit(node: Node, conversation: Conversation, branch_id: str) -> Event:
    """What there is to tell of a message that stands in place of another."""
    whose: dict[str, JSON] = {
        "edited": True,
        "userId": conversation.end_user,
        "organizationId": conversation.organization,
    }
    return Event(
        id=new_id(),
        account_id=conversation.account_id,
        type="chat.message",
        at=node.created_at,
        data={**_said(node, branch_id), **whose},
        end_user=conversation.end_user,
        organization=conversation.organization,
        conversation_id=conversation.id,
        message_id=node.id,
    )


def _said(node: Node, branch_id: str) -> dict[str, JSON]:
    content, is_cut = _content(node.message)
    told: dict[str, JSON] = {
        "conversationId": node.conversation_id,
        "branchId": branch_id,
        "messageId": node.id,
        "parentId": node.parent_id,
        "role": node.message.role,
        "content": content,
    }
    if is_cut:
        told["contentTruncated"] = True
    if node.message.tool_calls:
        told["toolCalls"] = len(node.message.tool_calls)
    return told


def _content(message: Message) -> tuple[str | None, bool]:
    """A message's text, and whether there is more of it, images and files included."""
    if message.content is None:
        return message.refusal, False
    text = message.text
    only_text = isinstance(message.content, str) or all(
        part.get("type") == "text" for part in message.content
    )
    return text[:LONGEST_TEXT], len(text) > LONGEST_TEXT or not only_text


def _ended(settlement: Settlement, branch_id: str) -> dict[str, JSON]:
    opening = settlement.opening
    problem: dict[str, JSON] | None = None
    if settlement.problem is not None:
        problem = {"kind": settlement.problem_kind, "message": settlement.problem}
    return {
        "conversationId": opening.conversation_id or None,
        "branchId": branch_id or None,
        "outcome": settlement.outcome,
        "problem": problem,
        "model": opening.model,
        "servedModel": settlement.served_model,
        "provider": opening.provider,
        "streamed": opening.streamed,
        "apart": opening.apart,
        "usage": _usage(settlement.usage),
        "cost": None if opening.price is None else Money.of(settlement.cost).usd,
        "estimated": settlement.estimated,
    }


def _usage(usage: Usage | None) -> dict[str, JSON] | None:
    if usage is None:
        return None
    return {
        "promptTokens": usage.prompt_tokens,
        "completionTokens": usage.completion_tokens,
        "totalTokens": usage.prompt_tokens + usage.completion_tokens,
    }


def of_memory(
    account_id: str, end_user: str | None, key: str, *, size: int, at: int, expires_at: int | None
) -> Iterator[Event]:
    """What there is to tell of something remembered: not the value, which may be forgotten soon."""
    told: dict[str, JSON] = {
        "key": key,
        "userId": end_user,
        "bytes": size,
        "expiresAt": iso(expires_at),
    }
    types: list[EventType] = ["memory.stored"]
    if any(key == one or key.startswith(tuple(map(one.__add__, _BELOW))) for one in _PREFERENCES):
        types.append("user.preferences.updated")
    for type in types:
        yield Event(
            id=new_id(), account_id=account_id, type=type, at=at, data=told, end_user=end_user
        )


def of_entry(entry: Entry) -> Event:
    """What there is to tell of something new that is known."""
    told: dict[str, JSON] = {
        "id": entry.id,
        "type": entry.type,
        "title": entry.title,
        "domain": entry.domain,
        "tags": [*entry.tags],
        # As JavaScript spells it: what it reads and writes again must be what was signed.
        "confidence": int(entry.confidence) if entry.confidence.is_integer() else entry.confidence,
        "format": entry.format,
        "source": entry.source,
        "passages": entry.passages,
    }
    return Event(
        id=new_id(),
        account_id=entry.account_id,
        type="knowledge.created",
        at=entry.created_at,
        data=told,
    )


def of_tier(account_id: str, before: str | None, after: str | None, at: int) -> Event | None:
    """What there is to tell of an account's tier; nothing where it stays."""
    if before == after:
        return None
    type: EventType = "subscription.updated"
    if before is None:
        type = "subscription.created"
    elif after is None:
        type = "subscription.cancelled"
    told: dict[str, JSON] = {"accountId": account_id, "tier": after, "previousTier": before}
    return Event(id=new_id(), account_id=account_id, type=type, at=at, data=told)


def of_disabled(webhook: Webhook, because: Disabled, failures: int, at: int) -> Event:
    """What there is to tell others of a webhook that is told no more: not its address."""
    told: dict[str, JSON] = {
        "webhookId": webhook.id,
        "host": urlsplit(webhook.url).hostname,
        "reason": because,
        "failures": failures,
    }
    return Event(
        id=new_id(),
        account_id=webhook.account_id,
        type="webhook.disabled",
        at=at,
        data=told,
        end_user=webhook.end_user,
        organization=webhook.organization,
    )
