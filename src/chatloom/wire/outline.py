"""A conversation's tree, as ``chatloom tree`` draws it. Times are ISO 8601."""

from __future__ import annotations

import msgspec

from chatloom.wire.chatloom import Money


class Merge(msgspec.Struct, kw_only=True):
    """What a merge node brings in: so many messages of a branch, or a *summary* of them."""

    branch_id: str | None
    branch: str | None
    messages: int
    summary: bool


class Line(msgspec.Struct, kw_only=True):
    """A message, by its beginning; a deleted one has none, and keeps its place and its hash."""

    id: str
    parent_id: str | None
    depth: int
    role: str
    first_words: str
    hash: str
    tokens: int | None
    created_at: str
    deleted: bool
    merge: Merge | None


class Branch(msgspec.Struct, kw_only=True):
    """A branch: what it says behind the message that it was forked from, `forked_from_id`.

    Tokens and cost are those of its own messages. `message_count` counts these, and `messages`
    are some of them: those between two that do not follow each other by `depth` are folded. Of a
    deleted branch only what others stand on is told.
    """

    id: str
    name: str
    is_main: bool
    is_active: bool
    is_deleted: bool
    description: str | None
    context_mode: str
    parent_branch_id: str | None
    forked_from_id: str | None
    head_message_id: str | None
    message_count: int
    tokens_in: int
    tokens_out: int
    cost: Money
    merged_into_branch_id: str | None
    merged_into: str | None
    created_at: str
    updated_at: str
    messages: list[Line]


class Rest(msgspec.Struct, kw_only=True):
    """Branches that are not told one by one."""

    branches: int
    messages: int
    tokens_in: int
    tokens_out: int
    cost: Money


class Outline(msgspec.Struct, kw_only=True):
    """A conversation. What its branches cost sums to its own cost.

    `folded` are the branches that are not among *branches*, which are the ones that were used
    last; `deleted` those of which nothing is told but what they took.
    """

    id: str
    title: str | None
    account_id: str
    end_user: str | None
    message_count: int
    branch_count: int
    tokens_in: int
    tokens_out: int
    cost: Money
    created_at: str
    updated_at: str
    branches: list[Branch]
    folded: Rest
    deleted: Rest
