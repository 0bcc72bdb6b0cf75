"""Checkpoints: what a model made of a conversation."""

from __future__ import annotations

import msgspec

from chatloom.wire.chatroutes.common import Given, Id, Model, Told


class CheckpointQuery(Given):
    """Whose checkpoints are meant: a branch's, or all of a conversation's."""

    branch_id: Id | None = None


class NewCheckpoint(Given):
    """A checkpoint to make: a model sums up what stands up to and with a message."""

    branch_id: Id
    anchor_message_id: Id
    model: Model | None = None


class CheckpointRenewal(Given):
    """How a checkpoint's summary is written anew."""

    model: Model | None = None


class Checkpoint(msgspec.Struct, kw_only=True):
    """A checkpoint, in both spellings: the published clients read either."""

    id: str
    summary: str
    conversation_id: str
    branch_id: str
    anchor_message_id: str
    token_count: int
    created_at: str
    conversationId: str  # noqa: N815 - the second spelling
    branchId: str  # noqa: N815
    anchorMessageId: str  # noqa: N815
    tokenCount: int  # noqa: N815
    createdAt: str  # noqa: N815
    model: str | None


class HoldingCheckpoint(Told):
    """A checkpoint, by its name."""

    checkpoint: Checkpoint


class HoldingCheckpoints(Told):
    """Checkpoints, the oldest first."""

    checkpoints: list[Checkpoint]
