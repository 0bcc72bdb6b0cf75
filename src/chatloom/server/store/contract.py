"""What the server asks of whoever keeps its data.

Every write is one transaction, and done when its coroutine returns; a durable
one then also survives the machine. Times are milliseconds since 1970, money is
pico-dollars, ids are UUIDv7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.models.driver import Price, ProblemKind, Usage

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

Unread: TypeAlias = Literal["cancel", "run"]
"""What becomes of a turn that nobody reads for a while: it is cancelled, or runs on."""

Concern: TypeAlias = Literal["account", "key", "end_user", "end_users"]
"""Whom a balance or a budget concerns; ``end_users`` is each end user of an account."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key, without its secret."""

    id: str
    account_id: str
    name: str
    scopes: frozenset[str]
    models: list[str] | None = None
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None
    parent_id: str | None = None
    unread: Unread = "cancel"
    """What becomes of its turns when nobody reads them."""
    dev: bool = False
    """Its account was made by ``--dev``."""
    hint: str = ""
    """How its newest secret begins."""
    secret_expires_at: int | None = None
    """When the secret it was found by stops working, where a newer one has replaced it."""


class ApiSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The stored half of a key's secret."""

    key_id: str
    digest: bytes
    hint: str
    created_at: int
    expires_at: int | None = None


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A tree of messages."""

    id: str
    account_id: str
    end_user: str | None
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


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A name for a path in a conversation."""

    id: str
    conversation_id: str
    name: str
    head_id: str | None
    parent_branch_id: str | None
    forked_from_id: str | None
    is_main: bool
    active: bool


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


class BudgetExceeded(Exception):
    """A turn might cost more than a budget has left; nothing of it is stored.

    *wanted* is `None` where nobody knows what it costs: then no budget can hold.
    """

    def __init__(self, concern: Concern, budget: int, left: int, wanted: int | None) -> None:
        wanted_text = "an unknown amount" if wanted is None else str(wanted)
        super().__init__(f"the {concern} budget of {budget} has {left} left, not {wanted_text}")
        self.concern: Concern = concern
        self.budget = budget
        self.left = left
        self.wanted = wanted


class KeyTaken(Exception):
    """Another turn has begun with this idempotency key; nothing of this one is stored."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A turn about to begin: what is stored before anything is dispatched."""

    turn_id: str
    account_id: str
    key_id: str
    end_user: str | None
    conversation_id: str
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
    asked: bytes = b""
    """JSON: what else is needed to settle the turn after a crash; kept until it is settled."""


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
    """What the tree gains; empty when nothing was said."""
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
    conversation_id: str
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


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """The most that may be spent, in all, and what has been.

    *subject* is the id of an account or a key, or ``ACCOUNT/END USER``. Of
    ``end_users`` there is no one balance: *spent* and *reserved* are 0.
    """

    concern: Concern
    subject: str
    amount: int
    spent: int = 0
    reserved: int = 0


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


class Store(Protocol):
    """Keeps everything. Reads and writes of one account never see another's."""

    async def account(self, id: str, name: str, *, dev: bool, now: int) -> None:
        """Make an account, unless it is there."""
        ...

    async def add_key(self, key: Key, secret: ApiSecret) -> None: ...

    async def find_key(self, digest: bytes) -> Key | None:
        """The key one of whose secrets has this digest, revoked or expired or not."""
        ...

    async def key(self, id: str) -> Key | None: ...

    async def keys(self, account_id: str | None = None) -> list[Key]:
        """Every key, newest first."""
        ...

    async def revoke_key(self, id: str, now: int) -> bool:
        """Revoke a key; False when there is none, or it was revoked before."""
        ...

    async def rotate_key(self, secret: ApiSecret, old_expire_at: int) -> None:
        """Give a key a new secret; its others expire."""
        ...

    async def touch_keys(self, used: Sequence[tuple[str, int]]) -> None:
        """Record when keys were last used."""
        ...

    async def open_turn(self, opening: Opening) -> int | None:
        """Store a turn and reserve its money, before it is dispatched.

        Returns the id of the price it is settled at, whatever prices do meanwhile.
        Raises `BudgetExceeded` or `KeyTaken`, and then stores nothing.
        """
        ...

    async def append(self, turn_id: str, last: int, deltas: bytes) -> None:
        """Add deltas to a turn's journal; *last* is the number of the last of them."""
        ...

    async def settle(self, settlement: Settlement) -> bool:
        """End a turn, durably: tree, ledger, journal. False when it was settled before."""
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

    async def set_budget(self, concern: Concern, subject: str, amount: int | None) -> None:
        """Limit what may be spent, or lift the limit. It holds from the next turn on."""
        ...

    async def budgets(self) -> list[Budget]:
        """Every budget, and what is spent of it."""
        ...

    async def budget(self, concern: Concern, subject: str) -> Budget | None: ...

    async def conversation(self, account_id: str, id: str) -> Conversation | None: ...

    async def branches(self, conversation_id: str) -> list[Branch]:
        """The branches of a conversation, the main one first."""
        ...

    async def branch_at(self, conversation_id: str, head_id: str | None) -> Branch | None:
        """A branch whose head this is, preferably the main one."""
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
