"""Messages and branches, a page at a time."""

from __future__ import annotations

from chatloom.server.ids import is_id
from chatloom.server.protocols.chatroutes.cursors import BehindBranch, BehindMessage
from chatloom.server.protocols.chatroutes.spelling import branch_told, messages_told
from chatloom.server.protocols.cursors import cursor_of, read_cursor, wrong_cursor
from chatloom.server.store.contract import Branch, Conversation, Node, Store
from chatloom.wire import chatroutes as wire

_WHOLE = 10_000
"""Messages that are told at once to who knows no pages."""


async def page_of_messages(
    store: Store, account_id: str, branch: Branch, asked: wire.MessagePage
) -> wire.Messages:
    """A page of what stands on a branch, from either end. Raises `Refusal` for a strange cursor."""
    behind = None
    if asked.cursor is not None:
        behind = await _behind(store, account_id, branch, asked.cursor)
    read = _downwards if asked.order == "asc" else _upwards
    nodes, goes_on = await read(store, branch, behind, asked.limit or _WHOLE)
    kept = [node for node in nodes if node.deleted_at is None]
    return wire.Messages(
        messages=await messages_told(store, kept),
        has_next=goes_on,
        next_cursor=cursor_of(BehindMessage(nodes[-1].id)) if goes_on else None,
    )


async def _behind(store: Store, account_id: str, branch: Branch, cursor: str) -> Node:
    """The message that a list goes on behind."""
    id = read_cursor(cursor, BehindMessage).id
    node = await store.node(account_id, id) if is_id(id) else None
    if node is None or node.conversation_id != branch.conversation_id or branch.head_id is None:
        raise wrong_cursor()
    here = await store.path_slice(branch.head_id, first=node.depth, last=node.depth)
    if [one.id for one in here] != [node.id]:
        raise wrong_cursor()
    return node


async def _downwards(
    store: Store, branch: Branch, behind: Node | None, limit: int
) -> tuple[list[Node], bool]:
    if branch.head_id is None:
        return [], False
    depth = behind.depth if behind is not None else 0
    nodes = await store.path_slice(branch.head_id, first=depth + 1, last=depth + limit)
    return nodes, bool(nodes) and nodes[-1].depth < branch.head_depth


async def _upwards(
    store: Store, branch: Branch, behind: Node | None, limit: int
) -> tuple[list[Node], bool]:
    start, depth = branch.head_id, branch.head_depth
    if behind is not None:
        start, depth = behind.parent_id, behind.depth - 1
    if start is None:
        return [], False
    nodes = await store.path_slice(start, first=max(1, depth - limit + 1), back=True)
    return nodes, bool(nodes) and nodes[-1].depth > 1


async def page_of_branches(
    store: Store, conversation: Conversation, limit: int, cursor: str | None
) -> wire.Branches:
    """A page of branches, in the order they were made: the main one comes first."""
    after: str | None = None
    if cursor is not None:
        behind = read_cursor(cursor, BehindBranch)
        if behind.conversation_id != conversation.id:
            raise wrong_cursor()
        after = behind.id
    found = await store.branches_after(conversation.id, after, limit + 1)
    if not found and after is None and (main := await store.main_branch(conversation.id)):
        found = [main]  # of a conversation whose first turn still runs
    some, goes_on = found[:limit], len(found) > limit
    return wire.Branches(
        branches=[branch_told(one) for one in some],
        has_next=goes_on,
        next_cursor=cursor_of(BehindBranch(conversation.id, some[-1].id)) if goes_on else None,
    )
