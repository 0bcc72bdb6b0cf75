"""Where in which tree an exchange goes.

A list that holds an assistant's message is a history: it is followed from the
root by hash, and branches where it differs. Otherwise everything sent is new,
and goes on from the message, branch or conversation named. A history that
names nothing is looked for among the same end user's conversations, so that a
client which repeats the whole talk each time stays in one conversation. It must
hold an answer that was given here: examples that many prompts begin with are
no talk.
"""

from __future__ import annotations

import msgspec

from chatloom.server.chat.ask import Ask
from chatloom.server.chat.context import Context, told_behind
from chatloom.server.chat.forking import message_in
from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import is_history, path_hashes
from chatloom.server.ids import is_id, new_id
from chatloom.server.refusal import Refusal, invalid, not_found
from chatloom.server.store.contract import Branch, Conversation, Node, Store


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an exchange goes, and what stands before it."""

    conversation_id: str
    """Empty for what belongs to no conversation."""
    starts_conversation: bool = False
    branch_id: str | None = None
    """The branch that grows; `None` when a new one does."""
    parent: Node | None = None
    before: list[Message]
    new: list[Message]
    context: Context = Context()
    system_prompt: str | None = None
    """What leads the conversation, where nothing that is asked does."""


def place_apart(ask: Ask) -> Place:
    """Where goes what grows no tree: nowhere, or beside the conversation it concerns."""
    return Place(
        conversation_id=ask.conversation_id or "",
        branch_id=ask.branch_id,
        before=[],
        new=ask.messages,
    )


async def find_place(store: Store, ask: Ask) -> Place:
    """Find where *ask* goes. Raises `Refusal` for a place this account has not."""
    conversation = await _conversation(store, ask)
    if is_history(ask.messages):
        return await _along_history(store, ask, conversation)
    if conversation is None:
        return _beginning(ask.messages)
    parent, branch = await _named(store, ask, conversation)
    before, context = list[Message](), Context()
    if parent is not None:
        before, context = await told_behind(store, ask.account_id, branch, parent, ask.messages)
    return Place(
        conversation_id=conversation.id,
        branch_id=branch.id if branch else None,
        parent=parent,
        before=before,
        new=ask.messages,
        context=context,
        system_prompt=_lead(ask, conversation),
    )


def _lead(ask: Ask, conversation: Conversation) -> str | None:
    is_led = ask.system_prompt or any(one.role == "system" for one in ask.messages)
    return None if is_led else conversation.defaults.system_prompt


async def _conversation(store: Store, ask: Ask) -> Conversation | None:
    """The conversation that *ask* names, by its own id or a message's in it."""
    id = ask.conversation_id
    if id is None and ask.parent_id is not None:
        node = await store.node(ask.account_id, ask.parent_id)
        if node is None:
            raise not_found("message")
        id = node.conversation_id
    if id is None:
        if ask.branch_id is not None:
            raise invalid("a branch is named, and no conversation", param="metadata.branch_id")
        return None
    found = await store.conversation(ask.account_id, id) if is_id(id) else None
    if found is None or not _is_theirs(ask, found):
        # As if what was named were not there: nobody learns what others have.
        raise not_found("conversation" if ask.conversation_id is not None else "message")
    return found


def _is_theirs(ask: Ask, conversation: Conversation) -> bool:
    """Whether the end user of *ask*, where there is one, may go on with *conversation*."""
    theirs = {ask.end_user} if ask.is_bound else {None, ask.end_user}
    return ask.end_user is None or conversation.end_user in theirs


async def _named(
    store: Store, ask: Ask, conversation: Conversation
) -> tuple[Node | None, Branch | None]:
    """The node to go on from, and the branch that moves."""
    if ask.branch_id is None:
        branch = await store.main_branch(conversation.id)
    else:
        branch = await store.branch(conversation.id, ask.branch_id)
    if branch is None or branch.deleted_at is not None:
        raise not_found("branch")
    head = branch.head_id
    if ask.parent_id is not None and ask.parent_id != head:
        node = await message_in(store, conversation, ask.parent_id)
        if ask.branch_id is not None and not await _is_on(store, branch, node):
            raise invalid("the message is not on the branch named", param="parent_message_id")
        return node, await store.branch_at(conversation.id, node.id)
    if not branch.active:
        raise Refusal(
            "conflict",
            "this branch is not active; activate it, or fork it",
            code="branch_inactive",
            repeatable=False,
        )
    if ask.parent_id is not None:
        return await message_in(store, conversation, ask.parent_id), branch
    return await store.node(ask.account_id, head) if head is not None else None, branch


async def _is_on(store: Store, branch: Branch, node: Node) -> bool:
    """Whether a branch's path holds *node*."""
    here = await store.path_slice(branch.head_id or "", first=node.depth, last=node.depth)
    return [one.id for one in here] == [node.id]


async def _along_history(store: Store, ask: Ask, conversation: Conversation | None) -> Place:
    if conversation is not None and (ask.branch_id or ask.parent_id):
        await _named(store, ask, conversation)  # must be there; the history itself says where to go
    named = conversation.id if conversation else None
    parent, known = await _last_known(store, ask, named)
    if conversation is None and (parent is None or not parent.answered):
        # Nothing of it was said here: an example that many prompts begin with, not a talk.
        return _beginning(ask.messages)
    id = parent.conversation_id if parent is not None else named
    assert id is not None
    branch = await store.branch_at(id, parent.id if parent else None)
    return Place(
        conversation_id=id,
        branch_id=branch.id if branch else None,
        parent=parent,
        before=ask.messages[:known],
        new=ask.messages[known:],
        context=Context(messages=known),
    )


async def _last_known(
    store: Store, ask: Ask, conversation_id: str | None
) -> tuple[Node | None, int]:
    """The last message of a history that is stored, and how many there are up to it.

    Where one is known all before it are, so it is searched for by halves.
    """
    hashes = path_hashes(ask.messages)
    last, lowest, highest = None, 0, len(hashes)
    length = highest - 1  # most often it is the answer to the question before
    while lowest < highest:
        node: Node | None = None
        if length:
            hash = hashes[length - 1]
            node = await store.find_node(ask.account_id, conversation_id, ask.end_user, hash)
        if node is None and length:
            highest = length - 1
        else:
            last, lowest = node or last, length
        length = (lowest + highest + 1) // 2
    return last, lowest


def _beginning(messages: list[Message]) -> Place:
    return Place(
        conversation_id=new_id(),
        starts_conversation=True,
        branch_id=new_id(),
        before=[],
        new=messages,
    )
