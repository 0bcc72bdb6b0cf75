"""A whole tree, a page at a time."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from chatloom.wire.chatroutes.common import Cursor, Given, Told
from chatloom.wire.chatroutes.conversations import Conversation
from chatloom.wire.chatroutes.kept import Branch


class TreePage(Given):
    """How much of the tree is wanted at once, and from where on."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000
    cursor: Cursor | None = None


class BranchInfo(Told):
    """The branch that a node was said on."""

    id: str
    title: str
    is_main: bool


class TreeNode(Told):
    """A message in the tree, with those that go on from it.

    One that stands at the top and has a `parent_message_id` goes under that message, which an
    earlier page holds, or which is nested too deep to hold it here.
    """

    id: str
    role: str
    content: str
    parent_message_id: str | None
    branch_info: BranchInfo | None
    content_hash: str | None
    created_at: str
    token_count: int | None
    is_deleted: bool
    merged_message_ids: list[str]
    children: list[TreeNode]


class TreeMetadata(Told):
    """How large the whole tree is, with what is left of deleted messages; depths count from 1."""

    total_nodes: int
    total_branches: int
    max_depth: int


class BranchCount(msgspec.Struct):
    """A count, as some clients read it."""

    messages: int


class TreeBranchSummary(Branch):
    """A branch with a count, as some clients read it."""

    count: BranchCount = msgspec.field(name="_count")


class TreeBranch(Branch):
    """A branch in the tree: itself, itself again under `branch`, and those forked from it.

    `children` are the branches whose parent it is; one whose parent another page holds is at
    the top, with its `parent_branch_id`.
    """

    branch: TreeBranchSummary
    children: list[TreeBranch]


class Tree(Told):
    """A page of a tree. `tree` stands for the conversation, with what leads it as its content."""

    conversation: Conversation
    tree: TreeNode
    metadata: TreeMetadata
    main_branch: Branch
    branches: list[TreeBranch]
    has_next: bool
    next_cursor: str | None
