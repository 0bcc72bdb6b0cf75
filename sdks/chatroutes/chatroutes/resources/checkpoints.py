"""Checkpoints: summaries that stand for what is before them."""

from __future__ import annotations

import builtins

from chatloom.core.engine import Mode
from chatloom.core.operations import operation
from chatroutes.answers import checkpoint, held, nothing
from chatroutes.http_client import Calls, place
from chatroutes.types import Checkpoint, CheckpointCreateRequest

__all__ = ["CheckpointsResource"]


class CheckpointsResource(Calls[Mode]):
    """Make checkpoints, and look after them. An id that can be none is a `ValueError`."""

    @operation
    async def list(
        self, conversation_id: str, branch_id: str | None = None
    ) -> builtins.list[Checkpoint]:
        """List a conversation's checkpoints, or those of one branch. Raises `ChatRoutesError`."""
        path = _all(conversation_id)
        return await self._walk(path, "checkpoints", checkpoint, branchId=branch_id).collect()

    @operation
    async def create(
        self,
        conversation_id: str,
        branch_id: str,
        anchor_message_id: str,
        model: str | None = None,
    ) -> Checkpoint:
        """Have a model sum up what stands on a branch up to and with a message.

        Raises `ChatRoutesError`.
        """
        data = CheckpointCreateRequest(branchId=branch_id, anchorMessageId=anchor_message_id)
        if model is not None:
            data["model"] = model
        return await self._post(_all(conversation_id), data, _checkpoint)

    @operation
    async def delete(self, checkpoint_id: str) -> None:
        """Delete a checkpoint; what it summed up stays. Raises `ChatRoutesError`."""
        return await self._delete(_one(checkpoint_id), nothing)

    @operation
    async def recreate(self, checkpoint_id: str, model: str | None = None) -> Checkpoint:
        """Have the summary written anew. Raises `ChatRoutesError`."""
        data = None if model is None else {"model": model}
        return await self._act(f"{_one(checkpoint_id)}/recreate", data, _checkpoint)


def _all(conversation_id: str) -> str:
    return place("/conversations/{conversation_id}/checkpoints", conversation_id=conversation_id)


def _one(checkpoint_id: str) -> str:
    return place("/checkpoints/{checkpoint_id}", checkpoint_id=checkpoint_id)


def _checkpoint(body: bytes) -> Checkpoint:
    return checkpoint(held(body, "checkpoint"))
