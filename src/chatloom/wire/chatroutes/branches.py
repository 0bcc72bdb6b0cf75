"""Branches begun, changed, merged, compared."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from chatloom.wire.chatloom import Money
from chatloom.wire.chatroutes.common import (
    ContextMode,
    Cursor,
    Description,
    Given,
    Id,
    Model,
    Strategy,
    Title,
    Told,
)
from chatloom.wire.chatroutes.kept import Branch, MergeInfo, Message


class NewBranch(Given):
    """A branch to begin at a message, or at the current head of the main branch."""

    title: Title
    base_node_id: Id | None = None
    description: Description | None = None
    context_mode: ContextMode = "FULL"


class Fork(Given):
    """A branch to begin at a message."""

    fork_point_message_id: Id
    title: Title
    description: Description | None = None
    context_mode: ContextMode = "FULL"


class BranchChange(Given):
    """What becomes of a branch; what is left out stays as it is."""

    title: Title | None = None
    description: Description | None = None
    context_mode: ContextMode | None = None
    is_active: bool | None = None


class BranchPage(Given):
    """How many branches are wanted at once, and from where on."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000
    cursor: Cursor | None = None


class HoldingBranch(Told):
    """A branch, by its name; `merge` says what a merge did."""

    branch: Branch
    merge: MergeInfo | UnsetType = UNSET


class Branches(Told):
    """A page of branches, the main one first."""

    branches: list[Branch]
    has_next: bool
    next_cursor: str | None


class BranchList(Branches):
    """The same at the top and under `data`: clients look in either place."""

    data: Branches
    success: Literal[True] = True


class Merge(Given):
    """How a branch is merged; without a target, into the branch it was forked from.

    `append` brings in all that the target has not, `pick` the messages named, `summarize` what a
    model makes of them.
    """

    strategy: Strategy = "append"
    target_branch_id: Id | None = None
    message_ids: Annotated[list[Id], Meta(min_length=1, max_length=1000)] | None = None
    model: Model | None = None


class DiffQuery(Given):
    """Which branch a branch is compared with; without one, that it was forked from.

    `limit` holds for each side.
    """

    against: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000


class DiffSide(Told):
    """What one of two branches has beyond their last common message, from there on.

    Tokens and cost are those of the turns that said these messages.
    """

    branch: Branch
    messages: list[Message]
    message_count: int
    has_more: bool
    tokens_in: int
    tokens_out: int
    cost: Money


class Diff(Told):
    """Two branches compared; what they share is counted once, in `shared_message_count`."""

    common_message_id: str | None
    shared_message_count: int
    branch: DiffSide
    against: DiffSide
