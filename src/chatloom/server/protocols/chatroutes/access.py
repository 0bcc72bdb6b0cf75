"""What an address names, where the key may see it."""

from __future__ import annotations

from chatloom.server.call import Call
from chatloom.server.chat.forking import readable
from chatloom.server.identity.powers import may_see
from chatloom.server.ids import is_id
from chatloom.server.refusal import not_found
from chatloom.server.store.contract import Branch, Conversation, Node


async def conversation_of(call: Call) -> Conversation:
    """The conversation that the address names. Raises `Refusal`."""
    return await conversation_named(call, call.parts["conversation_id"])


async def conversation_named(call: Call, id: str) -> Conversation:
    """The conversation of this id. Raises `Refusal`."""
    id = id.lower()
    found = None
    if is_id(id):
        found = await call.services.store.conversation(call.key.account_id, id)
    if found is None or not may_see(call.key, found.end_user):
        raise not_found("conversation")
    return found


async def branch_of(call: Call, conversation: Conversation) -> Branch:
    """The branch that the address names. Raises `Refusal`, also for a deleted one."""
    return await branch_named(call, conversation, call.parts["branch_id"])


async def branch_named(call: Call, conversation: Conversation, id: str | None) -> Branch:
    """The branch of this id; without one, the main branch. Raises `Refusal`."""
    store = call.services.store
    if id is None:
        found = await store.main_branch(conversation.id)
    else:
        found = await store.branch(conversation.id, id.lower()) if is_id(id.lower()) else None
    if found is None or found.deleted_at is not None:
        raise not_found("branch")
    return found


async def message_of(call: Call) -> Node:
    """The message that the address names, if it is there to be read. Raises `Refusal`."""
    store, id = call.services.store, call.parts["message_id"].lower()
    found = await store.node(call.key.account_id, id) if is_id(id) else None
    node = await readable(store, found)
    conversation = await store.conversation(call.key.account_id, node.conversation_id)
    if conversation is None or not may_see(call.key, conversation.end_user):
        raise not_found("message")
    return node
