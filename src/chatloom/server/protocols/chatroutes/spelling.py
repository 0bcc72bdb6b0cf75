"""From what is kept to what ChatRoutes tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET, UnsetType

from chatloom.server.chat.context import others_of
from chatloom.server.chat.opening import read_terms
from chatloom.server.models.driver import Usage
from chatloom.server.moments import iso
from chatloom.server.store.contract import Branch, Conversation, Node, Store
from chatloom.server.store.trees import Making
from chatloom.wire import chatroutes as wire
from chatloom.wire.chatloom import Money

DEFAULT_MODEL = "gpt-5"
"""Who is asked where none is named, as ChatRoutes has it; with ``--dev`` an offline model."""

_FINISHED: Mapping[str, str] = {
    "complete": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


def model_of(conversation: Conversation) -> str:
    """The model that a conversation asks where a request names none."""
    return conversation.defaults.model or conversation.model or DEFAULT_MODEL


def conversation_told(
    found: Conversation,
    *,
    messages: wire.Messages | None = None,
    branches: wire.Branches | None = None,
) -> wire.Conversation:
    """Tell a conversation; with its messages and branches, where these are given."""
    defaults = found.defaults
    return wire.Conversation(
        id=found.id,
        user_id=found.end_user or found.account_id,
        title=found.title or "",
        model=model_of(found),
        system_prompt=defaults.system_prompt,
        temperature=defaults.temperature,
        max_tokens=defaults.max_tokens,
        metadata=found.metadata,
        created_at=iso(found.created_at),
        updated_at=iso(found.updated_at),
        message_count=found.message_count,
        branch_count=found.branch_count,
        tokens_in=found.tokens_in,
        tokens_out=found.tokens_out,
        cost=Money.of(found.cost),
        messages=messages.messages if messages is not None else UNSET,
        has_more_messages=messages.has_next if messages is not None else UNSET,
        messages_cursor=messages.next_cursor if messages is not None else UNSET,
        branches=branches.branches if branches is not None else UNSET,
        has_more_branches=branches.has_next if branches is not None else UNSET,
    )


def branch_told(branch: Branch) -> wire.Branch:
    """Tell a branch."""
    return wire.Branch(
        id=branch.id,
        conversation_id=branch.conversation_id,
        parent_branch_id=branch.parent_branch_id,
        fork_point_message_id=branch.forked_from_id,
        head_message_id=branch.head_id,
        title=branch.name,
        description=branch.description,
        context_mode=branch.context_mode,
        is_main=branch.is_main,
        is_active=branch.active,
        created_at=iso(branch.created_at),
        updated_at=iso(branch.updated_at),
        message_count=branch.head_depth,
        own_message_count=branch.head_depth - branch.fork_depth,
        tokens_in=branch.tokens_in,
        tokens_out=branch.tokens_out,
        cost=Money.of(branch.cost),
        merged_at=iso(branch.merged_at),
        merged_into_branch_id=branch.merged_into_id,
    )


async def messages_told(store: Store, nodes: Sequence[Node]) -> list[wire.Message]:
    """Tell messages, with how each answer came about."""
    turns = list(dict.fromkeys(node.turn_id for node in nodes if node.turn_id is not None))
    makings = await store.makings(turns) if turns else {}
    told: list[wire.Message] = []
    for node in nodes:
        making = makings.get(node.turn_id or "")
        others = await others_of(store, node)
        told.append(message_told(node, making, others))
    return told


def message_told(
    node: Node, making: Making | None = None, others: Sequence[str] = ()
) -> wire.Message:
    """Tell a message. *others* are a merge node's second parent, and what it brings in."""
    merged: list[str] | UnsetType = list(others[1:]) if others else UNSET
    return wire.Message(
        id=node.id,
        conversation_id=node.conversation_id,
        branch_id=node.branch_id,
        parent_message_id=node.parent_id,
        role=node.message.role,
        content=node.message.text,
        token_count=node.tokens,
        tokens=node.tokens,
        content_hash=node.hash.hex(),
        created_at=iso(node.created_at),
        metadata=_metadata(node, making),
        is_deleted=node.deleted_at is not None,
        merged_message_ids=merged,
        merged_branch_head_id=others[0] if others else UNSET,
    )


def _metadata(node: Node, making: Making | None) -> wire.MessageMetadata:
    message = node.message
    told = wire.MessageMetadata(turnId=node.turn_id or UNSET)
    if making is not None and message.role == "assistant":
        told = _answer_metadata(making)
    told.toolCalls = message.tool_calls or UNSET
    told.parts = message.content if isinstance(message.content, list) else UNSET
    return told


def _answer_metadata(making: Making) -> wire.MessageMetadata:
    terms, usage, ended = read_terms(making.terms), making.usage, making.ended_at
    cost = making.cost if making.priced else None
    return wire.MessageMetadata(
        model=making.served_model or making.model,
        temperature=terms.parameters.temperature,
        maxTokens=terms.parameters.max_tokens,
        responseTime=None if ended is None else ended - making.started_at,
        finishReason=_FINISHED.get(making.outcome or ""),
        outcome=making.outcome,
        cost=None if cost is None else cost / 10**12,
        costExact=None if cost is None else Money.of(cost),
        turnId=making.turn_id,
        protocol=making.protocol,
        context_mode=terms.context.mode,
        context_truncated=terms.context.truncated,
        checkpoint_used=terms.context.checkpoint_id,
        prompt_tokens=usage.prompt_tokens if usage is not None else None,
        completion_tokens=usage.completion_tokens if usage is not None else None,
        context_message_count=terms.context.messages,
    )


def usage_told(usage: Usage) -> wire.Usage:
    """Tell what an answer took."""
    return wire.Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
    )
