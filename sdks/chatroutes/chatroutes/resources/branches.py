"""Branches: paths through a conversation's tree."""

from __future__ import annotations

import builtins
from functools import partial

from chatloom.core.engine import Mode
from chatloom.core.operations import operation
from chatroutes.answers import branch, diff, exchanged, held, inner, message, nothing
from chatroutes.http_client import Calls, place
from chatroutes.types import (
    Branch,
    CreateBranchRequest,
    Diff,
    ForkConversationRequest,
    MergeBranchRequest,
    Message,
    SendMessageRequest,
    SendMessageResponse,
    UpdateBranchRequest,
)

__all__ = ["BranchesResource"]


class BranchesResource(Calls[Mode]):
    """Begin branches, speak on them, compare and merge them.

    A *conversation_id* or *branch_id* that can be none is a `ValueError`.
    """

    @operation
    async def list(self, conversation_id: str) -> builtins.list[Branch]:
        """List all branches of a conversation. Raises `ChatRoutesError`."""
        complete = partial(branch, conversation_id=conversation_id)
        return await self._walk(_all(conversation_id), "branches", complete).collect()

    @operation
    async def create(self, conversation_id: str, data: CreateBranchRequest) -> Branch:
        """Begin a branch at a message, or at the main branch's head. Raises `ChatRoutesError`."""
        return await self._post(_all(conversation_id), data, _in(conversation_id))

    @operation
    async def fork(self, conversation_id: str, data: ForkConversationRequest) -> Branch:
        """Begin a branch at a message. Raises `ChatRoutesError`."""
        path = place("/conversations/{conversation_id}/fork", conversation_id=conversation_id)
        return await self._post(path, data, _in(conversation_id))

    @operation
    async def update(
        self, conversation_id: str, branch_id: str, data: UpdateBranchRequest
    ) -> Branch:
        """Change a branch; what is left out stays as it is. Raises `ChatRoutesError`."""
        return await self._patch(_one(conversation_id, branch_id), data, _in(conversation_id))

    @operation
    async def delete(self, conversation_id: str, branch_id: str) -> None:
        """Delete a branch; the main one cannot be. Raises `ChatRoutesError`."""
        return await self._delete(_one(conversation_id, branch_id), nothing)

    @operation
    async def get_messages(self, conversation_id: str, branch_id: str) -> builtins.list[Message]:
        """List all messages of a branch, from its path's beginning. Raises `ChatRoutesError`."""
        path = _one(conversation_id, branch_id, "/messages")
        complete = partial(message, conversation_id=conversation_id)
        return await self._walk(path, "messages", complete).collect()

    @operation
    async def send_message(
        self, conversation_id: str, branch_id: str, data: SendMessageRequest
    ) -> SendMessageResponse:
        """Say something on a branch, and be answered. Raises `ChatRoutesError`."""
        path = _one(conversation_id, branch_id, "/messages")
        return await self._post(path, data, partial(exchanged, conversation_id=conversation_id))

    @operation
    async def merge(
        self, conversation_id: str, branch_id: str, data: MergeBranchRequest | None = None
    ) -> Branch:
        """Merge a branch, and tell what became of the one it went into.

        Without *data* it brings all that it has beyond the branch it was forked from into
        that one. Raises `ChatRoutesError`.
        """
        path = _one(conversation_id, branch_id, "/merge")
        return await self._act(path, data, _in(conversation_id))

    @operation
    async def diff(self, conversation_id: str, branch_id: str, against: str | None = None) -> Diff:
        """Compare a branch with *against*, else with the branch it was forked from.

        Raises `ChatRoutesError`.
        """
        path = _one(conversation_id, branch_id, "/diff")
        return await self._get(path, diff, against=against)


def _all(conversation_id: str) -> str:
    return place("/conversations/{conversation_id}/branches", conversation_id=conversation_id)


def _one(conversation_id: str, branch_id: str, what: str = "") -> str:
    template = f"/conversations/{{conversation_id}}/branches/{{branch_id}}{what}"
    return place(template, conversation_id=conversation_id, branch_id=branch_id)


def _in(conversation_id: str) -> partial[Branch]:
    return partial(_branch, conversation_id=conversation_id)


def _branch(body: bytes, conversation_id: str) -> Branch:
    beside = {name: value for name, value in inner(body).items() if name == "merge"}
    return branch({**held(body, "branch"), **beside}, conversation_id)
