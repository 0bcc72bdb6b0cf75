"""What a key may still spend, in credits."""

from __future__ import annotations

from chatloom.core.http import JSON
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.ids import milliseconds
from chatloom.server.moments import iso
from chatloom.server.routes import Route
from chatloom.server.store.spending import Allowance, ChargeFilter
from chatloom.wire import zaguan as wire
from chatloom.wire.chatloom import Money

ENDLESS = 2**53 - 1
"""The credits of whom nothing limits: the largest number that every reader of JSON can hold."""
_FEW = 0.1
"""The share of the credits below which a warning is due."""


async def get_balance(call: Call) -> Reply:
    """Answer ``GET /v1/credits/balance``: what the key that asks may spend."""
    tiers, now = call.services.tiers, milliseconds()
    tier = tiers.of(call.key.tier)
    allowance = tiers.allowance(tier, now)
    used, total, lefts = await _account(call, allowance)
    lefts += await _budgets(call)
    remaining = min(lefts, default=ENDLESS)
    return json_reply(
        wire.CreditsBalance(
            credits_remaining=remaining,
            credits_total=total,
            credits_used=used,
            credits_percent=round(100 * used / total, 2) if total else None,
            tier=tier.name,
            bands=tiers.bands_of(tier),
            reset_date=iso(allowance.until) if allowance else None,
            warning=_warning(remaining, total),
            metadata=_worth(tiers.credit),
        )
    )


async def _account(call: Call, allowance: Allowance | None) -> tuple[int, int | None, list[int]]:
    """The credits that were used, of how many, and what is left of the account's."""
    store, credit = call.services.store, call.services.tiers.credit
    since = allowance.since if allowance else 0
    standing = await store.standing(call.key.account_id, since)
    before = standing.spent_before // credit if allowance else 0
    used = standing.spent // credit - before
    taken = (standing.spent + standing.reserved) // credit - before
    total = allowance.credits if allowance else None
    lefts = [] if total is None else [max(0, total - taken)]
    if call.key.owner is None:
        return used, total, lefts
    # What others used is not for the eyes of a key that is somebody's.
    theirs = ChargeFilter(account_id=call.key.account_id, end_user=call.key.owner, since=since)
    sums = await store.charge_sums(theirs, None, credit)
    return sum(one.cost for one in sums) // credit, None, lefts


async def _budgets(call: Call) -> list[int]:
    """The credits that are left of each budget in money that concerns the key."""
    key, credit = call.key, call.services.tiers.credit
    budgets = await call.services.store.budgets_of(
        key.account_id, (key.id, *key.ancestors), key.owner, key.organization
    )
    return [max(0, (one.amount - one.spent - one.reserved) // credit) for one in budgets]


def _warning(remaining: int, total: int | None) -> str | None:
    if remaining == 0:
        return "no credits are left"
    if total is not None and remaining < total * _FEW:
        return "less than a tenth of the credits is left"
    return None


def _worth(credit: int) -> dict[str, JSON]:
    return {"credit_usd": Money.of(credit).usd}


ROUTES = (
    Route(
        method="GET",
        path="/v1/credits/balance",
        owner="zaguan",
        summary="Say what this key may still spend, in credits",
        endpoint=get_balance,
        scope="chat",
        answer=wire.CreditsBalance,
    ),
)
