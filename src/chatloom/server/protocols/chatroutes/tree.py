"""ChatRoutes' tree: a page of a conversation's messages and branches, each where it belongs."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.chat.context import others_of
from chatloom.server.moments import iso
from chatloom.server.protocols.chatroutes.access import branch_named, conversation_of
from chatloom.server.protocols.chatroutes.cursors import InTree
from chatloom.server.protocols.chatroutes.spelling import branch_told, conversation_told
from chatloom.server.protocols.cursors import cursor_of, read_cursor, wrong_cursor
from chatloom.server.routes import Route
from chatloom.server.store.contract import Branch, Conversation, Node, Store
from chatloom.wire import chatroutes as wire

_DEEPEST = 100
"""Levels of messages within messages: deeper ones no JSON parser need take."""


async def get_tree(call: Call) -> Reply:
    """Answer ``GET /api/v1/conversations/{conversation_id}/tree``."""
    asked = call.read_query(wire.TreePage)
    conversation, store = await conversation_of(call), call.services.store
    place = _place(conversation, asked.cursor)
    nodes, position = await _nodes(store, place, asked.limit)
    main = await branch_named(call, conversation, None)
    branches, after = await _branches(store, place, asked.limit, main)
    goes_on = position is not None or after is not None
    told = wire.Tree(
        conversation=conversation_told(conversation),
        tree=await _grown(store, conversation, nodes),
        metadata=wire.TreeMetadata(
            total_nodes=await store.size(conversation.id),
            total_branches=conversation.branch_count,
            max_depth=await store.deepest(conversation.id),
        ),
        main_branch=branch_told(main),
        branches=_nested(branches),
        has_next=goes_on,
        next_cursor=cursor_of(InTree(conversation.id, position, after)) if goes_on else None,
    )
    return json_reply(wire.Answer(data=told))


def _place(conversation: Conversation, cursor: str | None) -> InTree:
    """Where a page begins. Raises `Refusal`."""
    if cursor is None:
        return InTree(conversation.id, 0, "")
    place = read_cursor(cursor, InTree)
    if place.conversation_id != conversation.id:
        raise wrong_cursor()
    return place


async def _nodes(store: Store, place: InTree, limit: int) -> tuple[Sequence[Node], int | None]:
    """The messages of a page, and where they go on."""
    if place.position is None:
        return [], None
    slice = await store.tree_slice(place.conversation_id, place.position, limit)
    return slice.nodes, slice.last


async def _branches(
    store: Store, place: InTree, limit: int, main: Branch
) -> tuple[list[Branch], str | None]:
    """The branches of a page, and behind which one they go on."""
    if place.branch_id is None:
        return [], None
    found = await store.branches_after(place.conversation_id, place.branch_id, limit + 1)
    if not found and not place.branch_id:
        found = [main]  # of a conversation whose first turn still runs
    branches = found[:limit]
    return branches, branches[-1].id if len(found) > limit else None


async def _grown(store: Store, conversation: Conversation, nodes: Sequence[Node]) -> wire.TreeNode:
    """A tree of *nodes*, each of which follows its parent; what has none here is at the top."""
    names = await _names(store, conversation, nodes)
    root = _root(conversation)
    grown: dict[str, tuple[wire.TreeNode, int]] = {}
    for node in nodes:
        told = _told(node, names, await others_of(store, node))
        above, level = grown.get(node.parent_id or "", (root, 0))
        if level >= _DEEPEST:
            above, level = root, 0
        above.children.append(told)
        grown[node.id] = told, level + 1
    return root


def _root(conversation: Conversation) -> wire.TreeNode:
    """Stands for the conversation, and says what leads it."""
    return wire.TreeNode(
        id=conversation.id,
        role="system",
        content=conversation.defaults.system_prompt or "",
        parent_message_id=None,
        branch_info=None,
        content_hash=None,
        created_at=iso(conversation.created_at),
        token_count=None,
        is_deleted=False,
        merged_message_ids=[],
        children=[],
    )


async def _names(
    store: Store, conversation: Conversation, nodes: Sequence[Node]
) -> dict[str | None, wire.BranchInfo]:
    """The branches that *nodes* belong to."""
    names: dict[str | None, wire.BranchInfo] = {}
    for id in dict.fromkeys(node.branch_id for node in nodes):
        branch = await store.branch(conversation.id, id) if id is not None else None
        if branch is not None:
            names[id] = wire.BranchInfo(id=branch.id, title=branch.name, is_main=branch.is_main)
    return names


def _told(
    node: Node, names: dict[str | None, wire.BranchInfo], others: Sequence[str]
) -> wire.TreeNode:
    return wire.TreeNode(
        id=node.id,
        role=node.message.role,
        content=node.message.text,
        parent_message_id=node.parent_id,
        branch_info=names.get(node.branch_id),
        content_hash=node.hash.hex(),
        created_at=iso(node.created_at),
        token_count=node.tokens,
        is_deleted=node.deleted_at is not None,
        merged_message_ids=list(others[1:]),
        children=[],
    )


def _nested(branches: Sequence[Branch]) -> list[wire.TreeBranch]:
    """Branches under those they were forked from; what has none of these here is at the top."""
    top: list[wire.TreeBranch] = []
    told: dict[str, tuple[wire.TreeBranch, int]] = {}
    for branch in branches:
        own = asdict(branch_told(branch))
        count = wire.BranchCount(messages=branch.head_depth)
        summary = wire.TreeBranchSummary(**own, count=count)
        nested = wire.TreeBranch(**own, branch=summary, children=[])
        above, level = told.get(branch.parent_branch_id or "", (None, 0))
        if above is None or level >= _DEEPEST:
            top.append(nested)
            level = 0
        else:
            above.children.append(nested)
        told[branch.id] = nested, level + 1
    return top


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/conversations/{conversation_id}/tree",
        owner="chatroutes",
        summary="Read the tree of a conversation, a page at a time",
        endpoint=get_tree,
        scope="chat",
        query=wire.TreePage,
        answer=wire.Answer[wire.Tree],
        errors=("invalid", "not_found"),
    ),
)
