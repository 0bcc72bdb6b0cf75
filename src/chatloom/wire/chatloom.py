"""chatloom's own addresses: reading turns and conversations back, and administering keys."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from chatloom.core.http import JSON

USD: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,6}(\.[0-9]{1,12})?$",
        description="US dollars, less than a million, as exact decimal text: `5`, `0.25`.",
    ),
]
Name: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^(?![\s\S]*[\x00-\x1f\x7f-\x9f])",
        description="What people call it, in one line.",
    ),
]
Unread: TypeAlias = Literal["cancel", "run"]
Concern: TypeAlias = Literal["account", "key", "end_user", "end_users", "organization"]


def picodollars(usd: str) -> int:
    """Exactly as many pico-dollars as *usd*, a `USD`, says."""
    return int(Decimal(usd).scaleb(12))


class Money(msgspec.Struct):
    """An amount: pico-dollars as an exact integer, US dollars as exact decimal text."""

    picodollars: int
    usd: str

    @classmethod
    def of(cls, picodollars: int) -> Money:
        """Say *picodollars* in both ways."""
        sign = "-" if picodollars < 0 else ""
        dollars, rest = divmod(abs(picodollars), 10**12)
        fraction = f"{rest:012d}".rstrip("0") or "0"
        return cls(picodollars, f"{sign}{dollars}.{fraction}")

    def __str__(self) -> str:
        """Say it to people, exactly: `$5`, `$0.25`, `$1,234.50`."""
        sign = "-" if self.usd.startswith("-") else ""
        whole, _, fraction = self.usd.removeprefix("-").partition(".")
        cents = f".{fraction:0<2}" if fraction.strip("0") else ""
        return f"{sign}${int(whole):,}{cents}"


class TurnUsage(msgspec.Struct):
    """Tokens a turn took; *estimated* where no provider counted."""

    prompt_tokens: int
    completion_tokens: int
    estimated: bool


class Turn(msgspec.Struct, kw_only=True):
    """A turn as stored; times are ISO 8601, `outcome` is null while it runs.

    `cost` is null until it is settled, and where nobody knows the model's price;
    `conversation_id` where it belongs to none.
    """

    id: str
    conversation_id: str | None
    parent_message_id: str | None
    message_id: str | None
    protocol: str
    model: str
    served_model: str | None
    provider: str
    streamed: bool
    outcome: str | None
    problem: str | None
    text: str
    usage: TurnUsage | None
    cost: Money | None
    started_at: str
    ended_at: str | None


class Message(msgspec.Struct, kw_only=True):
    """A message of a conversation; `hash` is SHA-256 in hexadecimal."""

    id: str
    parent_id: str | None
    role: str
    content: JSON
    tool_calls: list[dict[str, JSON]] | None
    hash: str
    turn_id: str | None
    created_at: str


class Branch(msgspec.Struct, kw_only=True):
    """A branch of a conversation."""

    id: str
    name: str
    head_id: str | None
    forked_from_id: str | None
    is_main: bool


class Conversation(msgspec.Struct, kw_only=True):
    """A conversation, with the messages of one branch."""

    id: str
    title: str | None
    end_user: str | None
    message_count: int
    tokens_in: int
    tokens_out: int
    cost: Money
    branches: list[Branch]
    branch_id: str
    messages: list[Message]


class BudgetName(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whose budget it is.

    `subject` is an account's id for `account` and `end_users` (each of that
    account's end users), a key's id for `key` (what its descendants spend is its own,
    too), ACCOUNT/NAME for `end_user` and `organization`.
    """

    concern: Concern
    subject: Annotated[str, Meta(min_length=1, max_length=1000)]


class NewBudget(BudgetName, kw_only=True, forbid_unknown_fields=True):
    """The most that may be spent, in all, by whom it concerns."""

    usd: USD


class Budget(msgspec.Struct, kw_only=True):
    """A budget, and what is left of it.

    `reserved` is what running turns may still cost. Of `end_users` there is no
    one balance: the last three are null.
    """

    concern: Concern
    subject: str
    amount: Money
    spent: Money | None = None
    reserved: Money | None = None
    left: Money | None = None


class BudgetList(msgspec.Struct):
    """Every budget."""

    budgets: list[Budget]


EndUser: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Pattern: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Rate: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000)]


class NewDescendant(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A key to be made that has less than the one which asks for it.

    What is left out is as that one has it, scopes but for `keys`. `models` and
    `routes` are patterns with `*`; a route may begin with a method, as in
    `GET /v1/turns/*`. A key that belongs to a `user` acts as that end user and
    sees only what is theirs. `budget` is the most that it and its descendants may
    spend, in all; `unread` says what becomes of its turns when nobody reads them
    for a while.
    """

    name: Name
    scopes: list[str] | None = None
    models: Annotated[list[Pattern], Meta(max_length=100)] | None = None
    routes: Annotated[list[Pattern], Meta(max_length=100)] | None = None
    user: EndUser | None = None
    organization: EndUser | None = None
    requests_per_minute: Rate | None = None
    burst: Rate | None = None
    expires_in_days: Annotated[float, Meta(gt=0, le=36500)] | None = None
    budget: USD | None = None
    unread: Unread | None = None


class NewKey(NewDescendant, kw_only=True, forbid_unknown_fields=True):
    """A key to be made; without `account_id`, in an account of its own, without limits."""

    account_id: str | None = None


class Rotation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a key is rotated: the old secret works for *overlap_seconds* more."""

    overlap_seconds: Annotated[float, Meta(ge=0, le=30 * 86400)] = 3600


class Key(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A key; *secret* is there only when it was just made."""

    id: str
    account_id: str
    name: str
    hint: str
    scopes: list[str]
    unread: Unread
    models: list[str] | None = None
    routes: list[str] | None = None
    user: str | None = None
    organization: str | None = None
    parent_id: str | None = None
    requests_per_minute: int | None = None
    burst: int | None = None
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None
    last_used_at: str | None = None
    dev: bool = False
    budget: Budget | None = None
    secret: str | None = None


class KeyList(msgspec.Struct):
    """Keys, newest first."""

    keys: list[Key]


class Account(msgspec.Struct, kw_only=True):
    """Who pays: the tenant of its keys. `tier` is the one it is in."""

    id: str
    name: str
    tier: str
    dev: bool
    created_at: str


class AccountList(msgspec.Struct):
    """Accounts, newest first."""

    accounts: list[Account]


class AccountChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What becomes of an account; a `tier` of null is the configuration's default."""

    tier: str | None


class Holder(msgspec.Struct, kw_only=True):
    """An end user or an organization of an account, known by what was asked in its name."""

    account_id: str
    name: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    spent: Money
    last_used_at: str


class HolderList(msgspec.Struct):
    """Who asked."""

    data: list[Holder]


class Upload(msgspec.Struct):
    """A file on its way to the server: its name there, and how much of it has arrived."""

    id: str
    bytes: int


class UploadPlace(msgspec.Struct):
    """Where in the file a part of it begins."""

    offset: Annotated[int, Meta(ge=0)]


class NewImport(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How an archive is imported.

    Without `account_id` into the only account there is; `as_new` gives everything new ids.
    """

    account_id: str | None = None
    as_new: bool = False


class Imported(msgspec.Struct, kw_only=True):
    """What was imported, and into which account; `conversations` are the ids here."""

    account_id: str
    conversations: list[str]
    branches: int
    messages: int
    checkpoints: int


class Problem(msgspec.Struct):
    """Something a check found wrong."""

    check: str
    subject: str
    detail: str


class Checkup(msgspec.Struct, kw_only=True):
    """What ``chatloom doctor`` found.

    `notes` are worth knowing and no damage. `running` says whether somebody has
    the database open to write; open turns are then running, else a crash left
    them, to be settled at the next start.
    """

    status: Literal["ok", "problems"]
    schema: int
    checked: dict[str, int]
    running: bool
    open_turns: list[str]
    notes: list[Problem]
    problems: list[Problem]


class Backup(msgspec.Struct, kw_only=True):
    """What ``chatloom backup`` made, and what was found sound in it."""

    database: str
    backup: str
    bytes: int
    checked: dict[str, int]
    open_turns: list[str]
