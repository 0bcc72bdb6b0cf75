"""Branches begun at a message, and messages said otherwise."""

from __future__ import annotations

import msgspec

from chatloom.server.chat.context import others_of
from chatloom.server.chat.tree import node_hash
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.refusal import Refusal, not_found
from chatloom.server.store.contract import Branch, Conversation, Node, Store
from chatloom.server.store.trees import ContextMode, Edit, Repeatable


async def fork(
    store: Store,
    conversation: Conversation,
    at_id: str | None,
    *,
    name: str,
    description: str | None,
    context_mode: ContextMode,
    by: Repeatable | None = None,
) -> Branch:
    """Begin a branch at a message; without one, at the head of the main branch.

    A request that is repeated, *by* which it is known, gets the branch that it began before.
    Raises `Refusal` for a message that is not in *conversation*, or deleted, and `KeyReused`.
    """
    if by is not None and (made_id := await store.made(by)) is not None:
        return await _made(store, conversation, made_id)
    main = await store.main_branch(conversation.id)
    if at_id is not None:
        at: Node | None = await message_in(store, conversation, at_id)
    else:  # the head, where a deleted message stands there, too
        at_id = main.head_id if main is not None else None
        at = await store.node(conversation.account_id, at_id) if at_id is not None else None
    now = milliseconds()
    branch = Branch(
        id=new_id(),
        conversation_id=conversation.id,
        name=name,
        head_id=at_id,
        parent_branch_id=at.branch_id if at is not None else main.id if main is not None else None,
        forked_from_id=at_id,
        is_main=False,
        description=description,
        context_mode=context_mode,
        created_at=now,
        updated_at=now,
        head_depth=at.depth if at is not None else 0,
        fork_depth=at.depth if at is not None else 0,
    )
    id = await store.add_branch(branch, by)
    return branch if id == branch.id else await _made(store, conversation, id)


async def _made(store: Store, conversation: Conversation, id: str) -> Branch:
    """The branch that a repeated request made before."""
    made = await store.branch(conversation.id, id)
    if made is None:
        raise not_found("branch")
    return made


async def message_in(store: Store, conversation: Conversation, id: str) -> Node:
    """A message of *conversation* that is there to be read. Raises `Refusal`."""
    node = await store.node(conversation.account_id, id)
    is_in = node is not None and node.conversation_id == conversation.id
    return await readable(store, node if is_in else None)


async def readable(store: Store, node: Node | None) -> Node:
    """*node*, if it is there, neither deleted nor on a path that is. Raises `Refusal`."""
    if node is None or node.deleted_at is not None or not await store.keeps(node):
        raise not_found("message")
    return node


async def say_otherwise(
    store: Store, account_id: str, node: Node, text: str, by: Repeatable | None = None
) -> tuple[Node, str]:
    """Have the branch of *node* go on from a message that says *text* in its place, and no more.

    Another branch keeps the old path. Returns the new message and that branch's id; of a request
    that is repeated, *by* which it is known, what it made before. Raises `KeyReused`, and
    `Refusal` where the message's own branch is deleted, or it stands for a merge.
    """
    branch = await store.branch(node.conversation_id, node.branch_id or "")
    if branch is None or branch.deleted_at is not None:
        raise _conflict("the message's own branch is deleted; fork it instead", "branch_deleted")
    if await others_of(store, node):
        raise _conflict("a merge cannot be said otherwise", "is_merge")
    # What tools found follows the old one, and what only a provider reads was about it.
    message = msgspec.structs.replace(
        node.message, content=text, tool_calls=None, refusal=None, extra=None
    )
    parent = await store.node(account_id, node.parent_id) if node.parent_id else None
    said = Node(
        id=new_id(),
        conversation_id=node.conversation_id,
        parent_id=node.parent_id,
        depth=node.depth,
        message=message,
        hash=node_hash(message, (parent.hash,) if parent else ()),
        turn_id=None,
        tokens=None,
        created_at=milliseconds(),
        answered=bool(parent and parent.answered),
        branch_id=node.branch_id,
    )
    edit = Edit(
        replaced=node,
        node=said,
        kept_branch_id=new_id(),
        kept_name=f"{branch.name}, before an edit"[:500],
    )
    done = await store.edit(account_id, edit, by)
    if done is None:
        raise _conflict("the message is not on its branch any more", "moved")
    made = said if done.node_id == said.id else await store.node(account_id, done.node_id)
    assert made is not None
    return made, done.kept_branch_id


def _conflict(message: str, code: str) -> Refusal:
    return Refusal("conflict", message, code=code, repeatable=False)
