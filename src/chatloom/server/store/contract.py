"""What the server asks of whoever keeps its data.

Every write is one transaction, and done when its coroutine returns; a durable
one then also survives the machine. Times are milliseconds since 1970, money is
pico-dollars, ids are UUIDv7.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

import msgspec

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.models.driver import Price, ProblemKind, Usage
from chatloom.server.store.administration import Administration
from chatloom.server.store.archive import Archive
from chatloom.server.store.keys import Keys, Unread
from chatloom.server.store.knowledge import Knowledge
from chatloom.server.store.memory import Memories
from chatloom.server.store.people import People
from chatloom.server.store.spending import Allowance, Spending
from chatloom.server.store.trees import ContextMode, Defaults, Trees
from chatloom.server.store.webhooks import Webhooks

Outcome: TypeAlias = Literal[
    "complete",
    "length",
    "tool_calls",
    "content_filter",
    "cancelled",
    "truncated",
    "provider_error",
]
"""How a turn ends, in exactly one way."""


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A tree of messages."""

    id: str
    account_id: str
    end_user: str | None
    organization: str | None
    listed: bool
    title: str | None
    model: str | None
    metadata: dict[str, JSON]
    message_count: int
    tokens_in: int
    tokens_out: int
    cost: int
    created_at: int
    updated_at: int
    last_message_at: int | None
    archived: bool
    branch_count: int = 1
    defaults: Defaults = Defaults()


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A name for a path in a conversation.

    Tokens and cost are those of the turns that said its own messages: the chain from behind the
    message it was forked from to its head.
    """

    id: str
    conversation_id: str
    name: str
    head_id: str | None
    parent_branch_id: str | None
    forked_from_id: str | None
    is_main: bool
    active: bool = True
    description: str | None = None
    context_mode: ContextMode = "FULL"
    created_at: int
    updated_at: int
    head_depth: int = 0
    fork_depth: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int = 0
    merged_head_id: str | None = None
    """Its head when it was last merged."""
    merged_into_id: str | None = None
    merged_by_id: str | None = None
    """The merge node; `None` where none was needed."""
    merged_at: int | None = None
    deleted_at: int | None = None


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A message where it stands in its tree."""

    id: str
    conversation_id: str
    parent_id: str | None
    depth: int
    message: Message
    hash: bytes
    turn_id: str | None
    tokens: int | None
    created_at: int
    answered: bool
    """Whether it, or a node before it, was said here and not merely told to us."""
    deleted_at: int | None = None
    branch_id: str | None = None
    """The branch it belongs to, once it is stored."""


class Repetition(msgspec.Struct, frozen=True):
    """What tells a repeated request from a new one (``Idempotency-Key``), within an account."""

    key_digest: bytes
    """SHA-256 of the key."""
    body_digest: bytes
    """SHA-256 of what was asked, however the answer is wanted."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One time a provider was asked for a turn's answer."""

    number: int
    provider: str
    model: str
    started_at: int
    ended_at: int | None = None
    problem: str | None = None
    """Why it gave no whole answer; `None` where it did."""


class KeyTaken(Exception):
    """Another turn has begun with this idempotency key; nothing of this one is stored."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A turn about to begin: what is stored before anything is dispatched."""

    turn_id: str
    account_id: str
    key_id: str
    end_user: str | None
    conversation_id: str
    """Empty for what belongs to no conversation, such as embeddings."""
    starts_conversation: bool
    listed: bool
    metadata: dict[str, JSON]
    branch_id: str | None
    """The branch to move; `None` makes a new one at *parent_id*."""
    parent_id: str | None
    protocol: str
    model: str
    provider: str
    streamed: bool
    request: bytes
    """JSON: what was asked besides messages; kept, to explain the turn."""
    priced_as: str
    """The model whose price it is, without options."""
    price: Price | None
    reserved: int
    started_at: int
    told_as: str = ""
    """How its protocol tells it, in that protocol's own words; for whoever reads it later."""
    repetition: Repetition | None = None
    unread: Unread = "cancel"
    ancestors: tuple[str, ...] = ()
    """The keys that its key descends from, who pay with it."""
    organization: str | None = None
    band: str = ""
    """The band its model is in."""
    request_id: str = ""
    """What its caller calls the request; it means nothing here."""
    allowance: Allowance | None = None
    """What its account may spend; `None` for no limit."""
    asked: bytes = b""
    """JSON: what else is needed to settle the turn after a crash; kept until it is settled."""
    apart: bool = False
    """Whether it concerns its conversation and does not grow it: a summary, say."""


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that its process did not live to settle."""

    opening: Opening
    price_id: int | None
    deltas: list[bytes]
    """Its journal: JSON lists of deltas, in order."""


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """A turn's end: what is stored before anybody is told."""

    opening: Opening
    outcome: Outcome
    problem: str | None
    problem_kind: ProblemKind | None
    served_model: str | None
    nodes: list[Node]
    """What the branch gains; empty when nothing was said."""
    alternatives: list[Node] = []
    """Further answers to the same question; each begins a branch of its own."""
    head_id: str | None
    """The node the branch goes on from."""
    title: str
    usage: Usage | None
    """`None` when nothing is charged."""
    price_id: int | None
    """As `Store.open_turn` returned it."""
    cost: int
    deltas: bytes
    """All that was said, as a JSON list."""
    deltas_expire_at: int
    journalled: bool
    """Whether anything of it was appended while it ran."""
    attempts: list[Attempt]
    frees_key: bool
    """Whether the same request may begin anew: nothing was said, and nothing is charged."""
    estimated: bool
    """Nobody knows what it took: `usage` is a guess, or missing."""
    first_token_at: int | None
    ended_at: int


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn as stored."""

    id: str
    account_id: str
    key_id: str
    end_user: str | None
    conversation_id: str
    branch_id: str | None
    parent_id: str | None
    message_id: str | None
    protocol: str
    model: str
    served_model: str | None
    provider: str
    streamed: bool
    outcome: Outcome | None
    problem: str | None
    problem_kind: ProblemKind | None
    body_digest: bytes | None
    """Of the request, where it came with an idempotency key that still holds."""
    told_as: str
    usage: Usage | None
    reserved: int
    cost: int | None
    priced: bool
    """Whether anybody knew what its tokens cost."""
    started_at: int
    first_token_at: int | None
    ended_at: int | None


class Problem(msgspec.Struct, frozen=True):
    """Something a check found wrong."""

    check: str
    subject: str
    detail: str


class Health(msgspec.Struct, frozen=True):
    """What a check of everything found."""

    checked: dict[str, int]
    """How many of each kind were looked at."""
    open_turns: list[str]
    problems: list[Problem]
    notes: list[Problem] = []
    """Worth knowing, and no damage."""


class Store(
    Keys,
    People,
    Spending,
    Administration,
    Trees,
    Archive,
    Knowledge,
    Memories,
    Webhooks,
    Protocol,
):
    """Keeps everything. Reads and writes of one account never see another's."""

    async def open_turn(self, opening: Opening) -> int | None:
        """Store a turn and reserve its money, before it is dispatched.

        Returns the id of the price it is settled at, whatever prices do meanwhile.
        Raises `BudgetExceeded` or `KeyTaken`, and then stores nothing.
        """
        ...

    async def append(self, turn_id: str, last: int, deltas: bytes) -> None:
        """Add deltas to a turn's journal; *last* is the number of the last of them."""
        ...

    async def settle(self, settlement: Settlement) -> str | None:
        """End a turn, durably: tree, ledger, journal.

        Returns the branch that it concerns: the one it was to grow, a new one where somebody
        else has grown that meanwhile, "" for none. `None` when it was settled before.
        """
        ...

    async def turn(self, account_id: str, id: str) -> Turn | None: ...

    async def turn_of_key(self, account_id: str, key_digest: bytes) -> Turn | None:
        """The turn that a request with this idempotency key began."""
        ...

    async def replay(self, turn_id: str) -> bytes | None:
        """What was said in a settled turn, as a JSON list; `None` once that is forgotten."""
        ...

    async def open_turns(self) -> list[Unfinished]:
        """Every turn that was begun and not settled, oldest first."""
        ...

    async def conversation(self, account_id: str, id: str) -> Conversation | None: ...

    async def sessions(
        self, account_id: str, end_user: str, *, archived: bool, limit: int, offset: int
    ) -> tuple[list[Conversation], int]:
        """An end user's listed conversations, the last used first, and how many there are."""
        ...

    async def change_conversation(
        self,
        account_id: str,
        id: str,
        *,
        archived: bool | None,
        title: str | None,
        metadata: dict[str, JSON] | None,
        now: int,
    ) -> None:
        """Change what is not `None`; also of one whose first turn is still open."""
        ...

    async def branches(self, conversation_id: str) -> list[Branch]:
        """The branches of a conversation, the main one first."""
        ...

    async def branch_at(self, conversation_id: str, head_id: str | None) -> Branch | None:
        """An active branch whose head this is, preferably the main one."""
        ...

    async def node(self, account_id: str, id: str) -> Node | None: ...

    async def path(self, head_id: str) -> list[Node]:
        """The nodes from the root to *head_id*."""
        ...

    async def find_node(
        self, account_id: str, conversation_id: str | None, end_user: str | None, hash: bytes
    ) -> Node | None:
        """The newest node with this content and history, in one conversation or an end user's."""
        ...

    async def forget_replays(self, now: int) -> int:
        """Forget what was said in turns whose time for replay is over, and free their keys.

        Returns how many there were.
        """
        ...

    async def check(self) -> Health:
        """Hash every node again, sum every balance again, list the open turns."""
        ...

    async def close(self) -> None: ...
