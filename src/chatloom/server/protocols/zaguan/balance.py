"""What a key may still spend, in credits."""

from __future__ import annotations

from chatloom.core.http import JSON
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.ids import milliseconds
from chatloom.server.protocols.moments import iso
from chatloom.server.routes import Route
from chatloom.server.store.spending import Allowance
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
    credit = call.services.tiers.credit
    since = allowance.since if allowance else 0
    standing = await call.services.store.standing(call.key.account_id, since)
    used = standing.spent // credit
    if allowance is not None:
        used -= standing.spent_before // credit
    total = allowance.credits if allowance else None
    lefts = [] if total is None else [max(0, total - used)]
    if call.key.owner is not None:  # what others used is not for its eyes
        return await _spent_by(call, call.key.owner) // credit, None, lefts
    return used, total, lefts


async def _budgets(call: Call) -> list[int]:
    """The credits that are left of each budget in money that concerns the key."""
    key, account = call.key, call.key.account_id
    names = {("account", account), *(("key", id) for id in (key.id, *key.ancestors))}
    if key.owner is not None:
        names.add(("end_user", f"{account}/{key.owner}"))
    if key.organization is not None:
        names.add(("organization", f"{account}/{key.organization}"))
    budgets = {(one.concern, one.subject): one for one in await call.services.store.budgets()}
    lefts = [one.amount - one.spent for name, one in budgets.items() if name in names]
    each = budgets.get(("end_users", account))
    if each and key.owner and ("end_user", f"{account}/{key.owner}") not in budgets:
        lefts.append(each.amount - await _spent_by(call, key.owner))
    return [max(0, left // call.services.tiers.credit) for left in lefts]


async def _spent_by(call: Call, end_user: str) -> int:
    found = await call.services.store.holders("end_user", call.key.account_id)
    return next((one.spent for one in found if one.name == end_user), 0)


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
