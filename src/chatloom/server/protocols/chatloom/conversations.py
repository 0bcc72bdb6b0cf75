"""Conversations read back."""

from __future__ import annotations

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.powers import may_see
from chatloom.server.ids import is_id
from chatloom.server.moments import iso
from chatloom.server.refusal import not_found
from chatloom.server.routes import Route
from chatloom.server.store import contract
from chatloom.wire import chatloom as wire


async def get_conversation(call: Call) -> Reply:
    """Answer ``GET /v1/conversations/{conversation_id}``, with the messages of one branch."""
    store, account = call.services.store, call.key.account_id
    id = call.parts["conversation_id"]
    found = await store.conversation(account, id) if is_id(id) else None
    if found is None or not may_see(call.key, found.end_user):
        raise not_found("conversation")
    branches = await store.branches(found.id)
    wanted = call.query.get("branch_id", branches[0].id)
    branch = next((one for one in branches if one.id == wanted), None)
    if branch is None:
        raise not_found("branch")
    path = await store.path(branch.head_id) if branch.head_id else []
    return json_reply(
        wire.Conversation(
            id=found.id,
            title=found.title,
            end_user=found.end_user,
            message_count=found.message_count,
            tokens_in=found.tokens_in,
            tokens_out=found.tokens_out,
            cost=wire.Money.of(found.cost),
            branches=[_branch(one) for one in branches],
            branch_id=branch.id,
            messages=[_message(node) for node in path],
        )
    )


def _branch(branch: contract.Branch) -> wire.Branch:
    return wire.Branch(
        id=branch.id,
        name=branch.name,
        head_id=branch.head_id,
        forked_from_id=branch.forked_from_id,
        is_main=branch.is_main,
    )


def _message(node: contract.Node) -> wire.Message:
    content = node.message.content
    return wire.Message(
        id=node.id,
        parent_id=node.parent_id,
        role=node.message.role,
        content=content if isinstance(content, str | None) else [*content],
        tool_calls=node.message.tool_calls,
        hash=node.hash.hex(),
        turn_id=node.turn_id,
        created_at=iso(node.created_at),
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/conversations/{conversation_id}",
        owner="chatloom",
        summary="Read a conversation back; `branch_id` chooses the branch",
        endpoint=get_conversation,
        scope="chat",
        answer=wire.Conversation,
        errors=("not_found",),
    ),
)
