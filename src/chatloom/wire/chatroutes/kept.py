"""Messages and branches, as every answer tells them."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from chatloom.core.http import JSON
from chatloom.wire.chatloom import Money
from chatloom.wire.chatroutes.common import ContextMode, Strategy, Told


class MessageMetadata(msgspec.Struct, kw_only=True):
    """How a message came about; an answer has all but the last two.

    Names are in both spellings, as the published clients read them. `responseTime` is in
    milliseconds; `context_message_count` counts the messages that the model was told before the
    question; `context_truncated` says whether there were more; `checkpoint_used` is the id of the
    checkpoint whose summary stood for them.
    """

    model: str | UnsetType | None = UNSET
    temperature: float | UnsetType | None = UNSET
    maxTokens: int | UnsetType | None = UNSET  # noqa: N815 - as it goes over the wire
    responseTime: int | UnsetType | None = UNSET  # noqa: N815
    finishReason: str | UnsetType | None = UNSET  # noqa: N815
    outcome: str | UnsetType | None = UNSET
    cost: float | UnsetType | None = UNSET
    costExact: Money | UnsetType | None = UNSET  # noqa: N815
    turnId: str | UnsetType | None = UNSET  # noqa: N815
    protocol: str | UnsetType | None = UNSET
    context_mode: ContextMode | UnsetType | None = UNSET
    context_truncated: bool | UnsetType | None = UNSET
    checkpoint_used: str | UnsetType | None = UNSET
    prompt_tokens: int | UnsetType | None = UNSET
    completion_tokens: int | UnsetType | None = UNSET
    context_message_count: int | UnsetType | None = UNSET
    toolCalls: list[dict[str, JSON]] | UnsetType | None = UNSET  # noqa: N815
    parts: list[dict[str, JSON]] | UnsetType | None = UNSET


class MergeInfo(Told):
    """What a merge brought about: a merge node, or none where the target had not moved.

    `message_ids` are the messages it brings in, in their order; for a summary, its sources.
    """

    strategy: Strategy
    fast_forward: bool
    message_id: str | None
    message_ids: list[str]
    source_branch_id: str
    target_branch_id: str
    repeated: bool = False
    """Whether this had been merged before, so that nothing changed."""


class Message(Told):
    """A message where it stands in the tree.

    `content_hash` is SHA-256, hexadecimal, over version, role, content and the parents' hashes.
    A deleted one keeps its place and its hash, and has no content.
    """

    id: str
    conversation_id: str
    branch_id: str | None
    parent_message_id: str | None
    role: str
    content: str
    token_count: int | None
    tokens: int | None
    content_hash: str
    created_at: str
    metadata: MessageMetadata
    is_deleted: bool = False
    merged_message_ids: list[str] | UnsetType = UNSET
    """What a merge node brings in; its second parent is the head of `merged_branch_head_id`."""
    merged_branch_head_id: str | UnsetType = UNSET


class Branch(Told):
    """A branch; `message_count` is the length of its whole path, `own_message_count` without
    what it shares with the branch it was forked from.

    Tokens and cost are those of its own messages, so that those of all branches of a conversation
    sum to the conversation's.
    """

    id: str
    conversation_id: str
    parent_branch_id: str | None
    fork_point_message_id: str | None
    head_message_id: str | None
    title: str
    description: str | None
    context_mode: ContextMode
    is_main: bool
    is_active: bool
    created_at: str
    updated_at: str
    message_count: int
    own_message_count: int
    tokens_in: int
    tokens_out: int
    cost: Money
    merged_at: str | None
    merged_into_branch_id: str | None
