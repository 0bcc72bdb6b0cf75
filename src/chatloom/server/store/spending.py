"""What is spent, by whom, and how much may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from chatloom.server.store.administration import Deed

Concern: TypeAlias = Literal["account", "key", "end_user", "end_users", "organization"]
"""Whom a budget concerns; ``end_users`` is each end user of an account."""


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """The credits that an account may spend in a period."""

    credits: int
    credit: int
    """What one is worth, in pico-dollars."""
    since: int
    until: int
    allows_unpriced: bool = False
    """Whether turns whose price nobody knows pass, and cost none."""


class BudgetExceeded(Exception):
    """A turn might cost more than a budget, or an allowance of credits, has left.

    Nothing of it is stored. *wanted* is `None` where nobody knows what it costs:
    then no budget can hold.
    """

    def __init__(
        self, concern: Concern | Literal["credits"], budget: int, left: int, wanted: int | None
    ) -> None:
        wanted_text = "an unknown amount" if wanted is None else str(wanted)
        super().__init__(f"the {concern} budget of {budget} has {left} left, not {wanted_text}")
        self.concern: Concern | Literal["credits"] = concern
        self.budget = budget
        self.left = left
        self.wanted = wanted


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """The most that may be spent, in all, and what has been.

    *subject* is the id of an account or a key, ``ACCOUNT/END USER`` or
    ``ACCOUNT/ORGANIZATION``; what a key's descendants spend counts as the key's.
    Of ``end_users`` there is no one balance: *spent* and *reserved* are 0.
    """

    concern: Concern
    subject: str
    amount: int
    spent: int = 0
    reserved: int = 0


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that is over, as its payer's account lists it."""

    turn_id: str
    request_id: str
    key_id: str
    end_user: str | None
    model: str
    provider: str
    band: str
    outcome: str
    problem: str | None
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost: int
    spent_before: int
    """By its account, in all, when it was settled."""
    started_at: int
    ended_at: int


class ChargeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which charges are meant; `None` for any. Times are those at which turns began."""

    account_id: str
    end_user: str | None = None
    since: int | None = None
    until: int | None = None
    """Not itself included."""
    model: str | None = None
    provider: str | None = None
    band: str | None = None
    failed: bool | None = None


Grouping: TypeAlias = Literal["model", "provider", "band", "day"]


class ChargeSum(msgspec.Struct, frozen=True, kw_only=True):
    """What the charges of one group come to; *credits* as each of them was debited."""

    group: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: int
    credits: int
    latency: int
    """Milliseconds, all turns' together."""


class AccountStanding(msgspec.Struct, frozen=True):
    """What an account has spent, reserved, and had spent when its period began."""

    spent: int
    reserved: int
    spent_before: int


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """An end user or an organization of an account, known by what was asked in its name."""

    account_id: str
    name: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    spent: int
    last_used_at: int


class Spending(Protocol):
    """Keeps budgets, and tells what was spent."""

    async def set_budget(
        self, concern: Concern, subject: str, amount: int | None, deed: Deed | None = None
    ) -> None:
        """Limit what may be spent, or lift the limit. It holds from the next turn on."""
        ...

    async def budgets(self) -> list[Budget]:
        """Every budget, and what is spent of it."""
        ...

    async def budget(self, concern: Concern, subject: str) -> Budget | None: ...

    async def budgets_of(
        self,
        account_id: str,
        keys: Sequence[str],
        end_user: str | None = None,
        organization: str | None = None,
    ) -> list[Budget]:
        """Those that a turn is held to which one of *keys*, and these, are to pay for."""
        ...

    async def standing(self, account_id: str, since: int) -> AccountStanding:
        """What an account has spent, and what of that before the period that began at *since*."""
        ...

    async def charges(
        self, which: ChargeFilter, *, before: str | None, offset: int, limit: int
    ) -> list[Charge]:
        """Charges, the newest turn first, from behind the turn *before* on."""
        ...

    async def count_charges(self, which: ChargeFilter) -> int: ...

    async def charge_sums(
        self, which: ChargeFilter, grouping: Grouping | None, credit: int
    ) -> list[ChargeSum]:
        """What charges come to, by group; without *grouping* in one sum, whose group is empty."""
        ...

    async def holders(
        self, kind: Literal["end_user", "organization"], account_id: str | None
    ) -> Sequence[Holder]:
        """Who asked, of one account or of all."""
        ...
