"""Everything that is known of one turn, as ``chatloom explain`` tells it. Times are ISO 8601."""

from __future__ import annotations

import msgspec

from chatloom.core.http import JSON
from chatloom.wire.chatloom import Budget, Money, Unread


class Asker(msgspec.Struct, kw_only=True):
    """Who asked, and in which protocol; *told_as* is that protocol's own note on its answer.

    `descends_from` are the keys that pay with its own; `request_id` is the caller's name for it.
    """

    account_id: str
    account: str
    key_id: str
    key: str
    key_hint: str
    descends_from: list[str]
    end_user: str | None
    organization: str | None
    request_id: str
    protocol: str
    told_as: str


class Way(msgspec.Struct, kw_only=True):
    """From the model asked for to the one that answered."""

    model: str
    band: str
    provider: str
    served_model: str | None
    streamed: bool


class Attempt(msgspec.Struct, kw_only=True):
    """One time the provider was asked; *problem* is null where it gave a whole answer."""

    number: int
    provider: str
    model: str
    started_at: str
    ended_at: str | None
    milliseconds: int | None
    problem: str | None


class Timing(msgspec.Struct, kw_only=True):
    """When it happened; the durations are in milliseconds from its start."""

    started_at: str
    first_token_at: str | None
    ended_at: str | None
    first_token_milliseconds: int | None
    milliseconds: int | None


class Usage(msgspec.Struct, kw_only=True):
    """Tokens it took; cached ones are among the prompt's, reasoning among the completion's."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    estimated: bool


class Price(msgspec.Struct, kw_only=True):
    """The price it was opened at, and is settled at whatever prices do; *id* is its version."""

    id: int
    model: str
    valid_from: str
    prompt_per_million: Money
    completion_per_million: Money
    cached_per_million: Money | None


class Item(msgspec.Struct, kw_only=True):
    """A part of the cost: so many tokens at so much a million."""

    what: str
    tokens: int
    per_million: Money
    amount: Money


class Entry(msgspec.Struct, kw_only=True):
    """An entry of the ledger."""

    kind: str
    amount: Money
    prompt_tokens: int | None
    completion_tokens: int | None
    estimated: bool
    created_at: str


class Charge(msgspec.Struct, kw_only=True):
    """What it cost, and how that comes about.

    *usage* is null where nothing is charged; *unknown* says that nobody knows
    what it took. *cost* is null until it is settled, and without a price.
    """

    usage: Usage | None
    unknown: bool
    price: Price | None
    items: list[Item]
    cost: Money | None
    reserved: Money
    ledger: list[Entry]
    budgets: list[Budget]


class Grown(msgspec.Struct, kw_only=True):
    """A message the turn added to its tree."""

    id: str
    parent_id: str | None
    depth: int
    role: str
    hash: str
    tokens: int | None
    first_words: str
    deleted: bool


class Place(msgspec.Struct, kw_only=True):
    """Where in which tree it stands.

    *branch* is the one it was to move, and *branches* those that its answer is on.
    """

    conversation_id: str
    title: str | None
    branch_id: str | None
    branch: str | None
    branches: list[str]
    parent_id: str | None
    parent_hash: str | None
    message_id: str | None
    grown: list[Grown]


class Asked(msgspec.Struct, kw_only=True):
    """How a message begins that is not in the tree yet."""

    role: str
    first_words: str


class Explanation(msgspec.Struct, kw_only=True):
    """A turn and all that belongs to it.

    *outcome* is null while it is open: it is running where somebody has the
    database open to write (*running*), else a crash has left it. *request* is
    what was asked besides messages, *asked* the messages of an open turn.
    *journalled* counts what is kept of an open turn's answer, batch by batch;
    a settled one can be replayed until *replayable_until*. *idempotency_key*
    says whether it came with one that still stands for it.
    """

    id: str
    outcome: str | None
    problem: str | None
    problem_kind: str | None
    running: bool
    asker: Asker
    way: Way
    attempts: list[Attempt]
    timing: Timing
    charge: Charge
    unread: Unread
    idempotency_key: bool
    request: dict[str, JSON]
    asked: list[Asked]
    journalled: int
    replayable_until: str | None
    place: Place
