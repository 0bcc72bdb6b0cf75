"""ChatRoutes' checkpoints: what a model made of a conversation up to some message."""

from __future__ import annotations

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.chat.context import told_up_to
from chatloom.server.chat.forking import message_in
from chatloom.server.chat.summing import request_for_summary
from chatloom.server.identity.powers import may_see
from chatloom.server.ids import is_id, milliseconds
from chatloom.server.moments import iso
from chatloom.server.protocols.asking import ask_apart
from chatloom.server.protocols.chatroutes.access import branch_named, conversation_of
from chatloom.server.protocols.chatroutes.spelling import model_of
from chatloom.server.protocols.voice import ERRORS
from chatloom.server.refusal import invalid, not_found
from chatloom.server.routes import Route
from chatloom.server.store.contract import Conversation, Node
from chatloom.server.store.trees import Checkpoint
from chatloom.wire import chatroutes as wire


async def list_checkpoints(call: Call) -> Reply:
    """Answer ``GET /api/v1/conversations/{conversation_id}/checkpoints``."""
    asked = call.read_query(wire.CheckpointQuery)
    conversation, branch_id = await conversation_of(call), None
    if asked.branch_id is not None:
        branch_id = (await branch_named(call, conversation, asked.branch_id)).id
    found = await call.services.store.checkpoints(conversation.id, branch_id)
    told = wire.HoldingCheckpoints(checkpoints=[_told(one) for one in found])
    return json_reply(wire.Answer(data=told))


async def create_checkpoint(call: Call) -> Reply:
    """Answer ``POST /api/v1/conversations/{conversation_id}/checkpoints``."""
    wanted = await call.read(wire.NewCheckpoint)
    conversation, store = await conversation_of(call), call.services.store
    branch = await branch_named(call, conversation, wanted.branch_id)
    anchor = await message_in(store, conversation, wanted.anchor_message_id.lower())
    here = await store.path_slice(branch.head_id or "", first=anchor.depth, last=anchor.depth)
    if [node.id for node in here] != [anchor.id]:
        raise invalid("the message is not on this branch", param="anchorMessageId")
    return await _summed_up(call, conversation, anchor, branch.id, wanted.model)


async def recreate_checkpoint(call: Call) -> Reply:
    """Answer ``POST /api/v1/checkpoints/{checkpoint_id}/recreate``."""
    wanted = await call.read(wire.CheckpointRenewal)
    known, conversation = await _named(call)
    anchor = await call.services.store.node(call.key.account_id, known.anchor_id)
    if anchor is None:
        raise not_found("checkpoint")
    model = wanted.model or known.model
    return await _summed_up(call, conversation, anchor, known.branch_id, model, known.id)


async def delete_checkpoint(call: Call) -> Reply:
    """Answer ``DELETE /api/v1/checkpoints/{checkpoint_id}``."""
    (known, _), store, now = await _named(call), call.services.store, milliseconds()
    if not await store.delete_checkpoint(call.key.account_id, known.id, now):
        raise not_found("checkpoint")
    return json_reply(wire.Done())


async def _named(call: Call) -> tuple[Checkpoint, Conversation]:
    """The checkpoint that the address names, and its conversation. Raises `Refusal`."""
    store, id = call.services.store, call.parts["checkpoint_id"].lower()
    found = await store.checkpoint(call.key.account_id, id) if is_id(id) else None
    conversation = None
    if found is not None:
        conversation = await store.conversation(call.key.account_id, found.conversation_id)
    if found is None or conversation is None or not may_see(call.key, conversation.end_user):
        raise not_found("checkpoint")
    return found, conversation


async def _summed_up(
    call: Call,
    conversation: Conversation,
    anchor: Node,
    branch_id: str,
    model: str | None,
    id: str | None = None,
) -> Reply:
    """Have a model sum up the path to *anchor*, and keep that as a checkpoint.

    A new one has the id of its turn, so that a repeated request makes no second one.
    """
    store, asked = call.services.store, model or model_of(conversation)
    turn, headers = await ask_apart(
        call,
        request_for_summary(await told_up_to(store, conversation.account_id, anchor)),
        model=asked,
        conversation_id=conversation.id,
        branch_id=branch_id,
    )
    known = await store.checkpoint(conversation.account_id, id or turn.id)
    if known is not None and known.turn_id == turn.id:  # this request made it before
        return _held(known, headers, 201 if id is None else 200)
    checkpoint = Checkpoint(
        id=id or turn.id,
        account_id=conversation.account_id,
        conversation_id=conversation.id,
        branch_id=branch_id,
        anchor_id=anchor.id,
        anchor_depth=anchor.depth,
        summary=turn.answer.text,
        tokens=turn.usage.completion_tokens if turn.usage is not None else 0,
        model=asked,
        turn_id=turn.id,
        created_at=milliseconds(),
    )
    if not await store.add_checkpoint(checkpoint):
        raise not_found("checkpoint")  # it was deleted, before this was repeated or meanwhile
    return _held(checkpoint, headers, 201 if id is None else 200)


def _held(checkpoint: Checkpoint, headers: list[tuple[bytes, bytes]], status: int) -> Reply:
    held = wire.HoldingCheckpoint(checkpoint=_told(checkpoint))
    reply = json_reply(wire.Answer(data=held), status)
    reply.headers += headers
    return reply


def _told(checkpoint: Checkpoint) -> wire.Checkpoint:
    made = iso(checkpoint.created_at)
    return wire.Checkpoint(
        id=checkpoint.id,
        summary=checkpoint.summary,
        conversation_id=checkpoint.conversation_id,
        branch_id=checkpoint.branch_id,
        anchor_message_id=checkpoint.anchor_id,
        token_count=checkpoint.tokens,
        created_at=made,
        conversationId=checkpoint.conversation_id,
        branchId=checkpoint.branch_id,
        anchorMessageId=checkpoint.anchor_id,
        tokenCount=checkpoint.tokens,
        createdAt=made,
        model=checkpoint.model,
    )


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/conversations/{conversation_id}/checkpoints",
        owner="chatroutes",
        summary="List checkpoints, the oldest first",
        endpoint=list_checkpoints,
        scope="chat",
        query=wire.CheckpointQuery,
        answer=wire.Answer[wire.HoldingCheckpoints],
        errors=("invalid", "not_found"),
    ),
    Route(
        method="POST",
        path="/api/v1/conversations/{conversation_id}/checkpoints",
        owner="chatroutes",
        summary="Have a model sum up a branch up to and with a message",
        endpoint=create_checkpoint,
        scope="chat",
        request=wire.NewCheckpoint,
        answer=wire.Answer[wire.HoldingCheckpoint],
        status=201,
        errors=ERRORS,
        paid=True,
    ),
    Route(
        method="POST",
        path="/api/v1/checkpoints/{checkpoint_id}/recreate",
        owner="chatroutes",
        summary="Have a model sum up anew what a checkpoint stands for",
        endpoint=recreate_checkpoint,
        scope="chat",
        request=wire.CheckpointRenewal,
        answer=wire.Answer[wire.HoldingCheckpoint],
        errors=ERRORS,
        paid=True,
    ),
    Route(
        method="DELETE",
        path="/api/v1/checkpoints/{checkpoint_id}",
        owner="chatroutes",
        summary="Delete a checkpoint",
        endpoint=delete_checkpoint,
        scope="chat",
        answer=wire.Done,
        errors=("not_found",),
    ),
)
