"""Trees as they are kept: what is done with conversations and branches besides taking turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import msgspec

from chatloom.core.http import JSON

if TYPE_CHECKING:
    from chatloom.server.models.driver import Usage
    from chatloom.server.store.contract import Branch, Conversation, Node

ContextMode: TypeAlias = Literal["FULL", "PARTIAL", "MINIMAL"]
"""What of a branch a model is told: the whole path, its recent part, or the branch alone."""


class Defaults(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a conversation says once, so that requests need not."""

    model: str | None = None
    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None


class Repeatable(msgspec.Struct, frozen=True, kw_only=True):
    """What tells a repeated request to make something, within an account."""

    account_id: str
    key_digest: bytes
    """SHA-256 of its idempotency key."""
    body_digest: bytes
    """SHA-256 of what it wants."""
    expires_at: int
    """Until when it is known."""


class KeyReused(Exception):
    """Another request came with this idempotency key before; nothing was made."""


class NewConversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation to begin before anything is said in it."""

    id: str
    account_id: str
    end_user: str | None
    organization: str | None
    title: str
    metadata: dict[str, JSON]
    defaults: Defaults
    main_branch_id: str
    now: int


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A message said otherwise: its branch goes on from *node*, another one keeps the old path."""

    replaced: Node
    node: Node
    kept_branch_id: str
    kept_name: str


class Edited(msgspec.Struct, frozen=True, array_like=True):
    """What an edit made: the message, and the branch that keeps the old path."""

    node_id: str
    kept_branch_id: str


class Merging(msgspec.Struct, frozen=True, kw_only=True):
    """A branch merged into another.

    Without *node* the target takes over the source's own messages, which go on from its head.
    """

    conversation_id: str
    account_id: str
    source_id: str
    source_head_id: str
    target_id: str
    target_head_id: str | None
    node: Node | None
    others: Sequence[str]
    """The second parent, then the messages that are brought in, in order."""
    now: int


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a model made of everything up to and with a message, its anchor."""

    id: str
    account_id: str
    conversation_id: str
    branch_id: str
    anchor_id: str
    anchor_depth: int
    summary: str
    tokens: int
    model: str | None
    turn_id: str | None
    created_at: int


class Making(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer came about."""

    turn_id: str
    protocol: str
    model: str
    served_model: str | None
    outcome: str | None
    usage: Usage | None
    cost: int | None
    priced: bool
    started_at: int
    ended_at: int | None
    terms: bytes
    """JSON: what was asked besides messages, parameters and context at least."""


class Taken(msgspec.Struct, frozen=True):
    """What turns took, in all."""

    tokens_in: int
    tokens_out: int
    cost: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was searched for."""

    position: int
    """Where it stands in the order of all messages; older ones have less."""
    node: Node
    title: str | None


class TreeSlice(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a tree's messages, in the order they were added: each behind its parent."""

    nodes: list[Node]
    last: int | None
    """Where the next slice goes on behind; `None` at the end."""


class Trees(Protocol):
    """Keeps trees. What is deleted is told of no more, except where something stands on it."""

    async def made(self, by: Repeatable) -> str | None:
        """What the same request made before. Raises `KeyReused`."""
        ...

    async def add_conversation(self, new: NewConversation, by: Repeatable | None = None) -> str:
        """Begin a conversation with an empty main branch.

        Returns its id, or that of the one which the same request began before. Raises `KeyReused`.
        """
        ...

    async def conversations(
        self, account_id: str, end_user: str | None, *, limit: int, offset: int
    ) -> tuple[list[Conversation], int]:
        """Listed conversations, the last used first, and how many there are.

        *end_user* limits them to those of one; `None` means all of the account's.
        """
        ...

    async def set_defaults(self, account_id: str, id: str, defaults: Defaults, now: int) -> None:
        """Change what requests in a conversation need not say, as far as *defaults* says it."""
        ...

    async def delete_conversation(self, account_id: str, id: str, now: int) -> bool:
        """Delete a conversation; False where there is none."""
        ...

    async def branch(self, conversation_id: str, id: str) -> Branch | None:
        """A branch, also a deleted one."""
        ...

    async def main_branch(self, conversation_id: str) -> Branch | None:
        """The main branch, which can be neither deleted nor missing in a conversation."""
        ...

    async def branches_after(
        self, conversation_id: str, after: str | None, limit: int
    ) -> list[Branch]:
        """So many branches behind the one of this id, in the order they were made."""
        ...

    async def add_branch(self, branch: Branch, by: Repeatable | None = None) -> str:
        """Make a branch at a message.

        Returns its id, or that of the one which the same request made before. Raises `KeyReused`.
        """
        ...

    async def change_branch(
        self,
        conversation_id: str,
        id: str,
        *,
        name: str | None,
        description: str | None,
        context_mode: ContextMode | None,
        active: bool | None,
        now: int,
    ) -> None:
        """Change what is not `None`."""
        ...

    async def delete_branch(self, conversation_id: str, id: str, now: int) -> bool:
        """Delete a branch that is not the main one; False where there is none to delete."""
        ...

    async def path_slice(
        self, head_id: str, *, first: int = 1, last: int | None = None, back: bool = False
    ) -> list[Node]:
        """The nodes on the path to *head_id* whose depth is from *first* up to and with *last*.

        The root's side first, unless told otherwise.
        """
        ...

    async def path_start(self, node: Node, count: int) -> list[Node]:
        """So many of the first nodes on the path to *node*, however long that is."""
        ...

    async def others(self, conversation_id: str, node_id: str) -> list[str]:
        """A merge node's second parent and what it brings in; empty for any other node."""
        ...

    async def keeps(self, node: Node) -> bool:
        """Whether *node* is on a branch, and not merely what is left of a deleted one."""
        ...

    async def nodes(self, account_id: str, ids: Sequence[str]) -> list[Node]:
        """The nodes of these ids, in their order, as far as there are any."""
        ...

    async def makings(self, turn_ids: Sequence[str]) -> dict[str, Making]:
        """How the answers of these turns came about."""
        ...

    async def taken(self, head_id: str, first: int) -> Taken:
        """What the turns took whose answers are on the path to *head_id*, from depth *first* on."""
        ...

    async def last_common(self, one: str, other: str) -> Node | None:
        """The last node that two paths share."""
        ...

    async def edit(
        self, account_id: str, edit: Edit, by: Repeatable | None = None
    ) -> Edited | None:
        """Say a message otherwise; `None` where its branch does not hold it any more.

        Returns what the same request did before, where it did. Raises `KeyReused`.
        """
        ...

    async def delete_message(self, account_id: str, id: str, now: int) -> bool:
        """Leave nothing of a message but its place and its hash; False where nothing was left."""
        ...

    async def merge(self, merging: Merging) -> bool:
        """Merge a branch; False where either has moved, or is gone."""
        ...

    async def tree_slice(self, conversation_id: str, after: int, limit: int) -> TreeSlice:
        """So many messages of a tree, behind that number; not what only deleted branches have."""
        ...

    async def size(self, conversation_id: str) -> int:
        """How many messages all slices of a tree hold, what is left of deleted ones among them."""
        ...

    async def deepest(self, conversation_id: str) -> int:
        """The depth of the deepest head of a branch; 0 where nothing was said."""
        ...

    async def add_checkpoint(self, checkpoint: Checkpoint) -> bool:
        """Keep a checkpoint; one of the same id is replaced. False where that was deleted."""
        ...

    async def checkpoint(self, account_id: str, id: str) -> Checkpoint | None: ...

    async def checkpoints(self, conversation_id: str, branch_id: str | None) -> list[Checkpoint]:
        """A branch's checkpoints, or all of a conversation's, the oldest first."""
        ...

    async def checkpoint_on(self, conversation_id: str, path: Sequence[Node]) -> Checkpoint | None:
        """The checkpoint whose anchor is the last one on *path*; of several, the newest."""
        ...

    async def delete_checkpoint(self, account_id: str, id: str, now: int) -> bool:
        """Forget a checkpoint; False where there is none."""
        ...

    async def search(
        self,
        account_id: str,
        words: str,
        *,
        end_user: str | None,
        conversation_id: str | None,
        before: int | None,
        limit: int,
    ) -> list[Found]:
        """So many messages that *words*, in the syntax of FTS5, match, the newest first.

        *before* is the `Found.position` of the last one known.
        """
        ...

    async def purge_words(self) -> None:
        """Take the words of deleted messages out of the file, where searches find them no more."""
        ...

    async def index_words(self) -> None:
        """Make what was said of late known to searches."""
        ...
