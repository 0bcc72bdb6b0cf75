"""Credits: what an account has left, what was charged, what that comes to.

Credits are whole numbers. What a turn is debited is the difference of floors of
all that its account had spent, so that no rounding is ever lost.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chatloom.core.http import JSON
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.powers import may_see
from chatloom.server.ids import is_id, milliseconds
from chatloom.server.protocols.moments import iso
from chatloom.server.refusal import invalid
from chatloom.server.routes import Route
from chatloom.server.store.spending import (
    Allowance,
    Charge,
    ChargeFilter,
    ChargeSum,
    Grouping,
)
from chatloom.wire import zaguan as wire
from chatloom.wire.chatloom import Money

ENDLESS = 2**53 - 1
"""The credits of whom nothing limits: the largest number that every reader of JSON can hold."""
_FAILURES = frozenset({"cancelled", "truncated", "provider_error"})
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


async def get_history(call: Call) -> Reply:
    """Answer ``GET /v1/credits/history``."""
    asked = call.read_query(wire.HistoryQuery)
    which = _filter(call, asked, failed=None if asked.status is None else asked.status == "error")
    size = asked.limit or asked.page_size or 50
    page = asked.page or 1
    if asked.cursor is not None:
        await _check_cursor(call, asked.cursor)
    store, credit = call.services.store, call.services.tiers.credit
    found = await store.charges(
        which,
        before=asked.cursor,
        offset=0 if asked.cursor is not None else (page - 1) * size,
        limit=size + 1,
    )
    total = await store.count_charges(which)
    more = len(found) > size
    return json_reply(
        wire.CreditsHistory(
            entries=[_entry(one, credit) for one in found[:size]],
            total=total,
            total_entries=total,
            page=page,
            page_size=size,
            has_more=more,
            next_cursor=found[size - 1].turn_id if more else None,
        )
    )


async def _check_cursor(call: Call, cursor: str) -> None:
    """Refuse a cursor that this history never gave: one names a turn of its account."""
    turn = await call.services.store.turn(call.key.account_id, cursor) if is_id(cursor) else None
    if turn is None or not may_see(call.key, turn.end_user):
        raise invalid("this cursor is none of ours", param="cursor", code="invalid_cursor")


def _entry(charge: Charge, credit: int) -> wire.HistoryEntry:
    debited = (charge.spent_before + charge.cost) // credit - charge.spent_before // credit
    return wire.HistoryEntry(
        id=charge.turn_id,
        timestamp=iso(charge.ended_at),
        request_id=charge.request_id or charge.turn_id,
        model=charge.model,
        provider=charge.provider,
        band=charge.band or "standard",
        prompt_tokens=charge.prompt_tokens,
        completion_tokens=charge.completion_tokens,
        total_tokens=charge.prompt_tokens + charge.completion_tokens,
        reasoning_tokens=charge.reasoning_tokens,
        credits_debited=debited,
        cost=charge.cost / 1e12,
        cost_usd=Money.of(charge.cost).usd,
        latency_ms=charge.ended_at - charge.started_at,
        status="error" if charge.outcome in _FAILURES else "success",
        outcome=charge.outcome,
        error_message=charge.problem,
    )


def _filter(
    call: Call, asked: wire.CreditsQuery, *, since: int | None = None, failed: bool | None = None
) -> ChargeFilter:
    if asked.start_date is not None:
        since = _moment(asked.start_date, "start_date")
    until = None
    if asked.end_date is not None:
        until = _moment(asked.end_date, "end_date", whole_day=True)
    return ChargeFilter(
        account_id=call.key.account_id,
        end_user=call.key.owner,
        since=since,
        until=until,
        model=asked.model,
        provider=asked.provider,
        band=asked.band,
        failed=failed,
    )


def _moment(told: str, param: str, *, whole_day: bool = False) -> int:
    """A date or a moment in milliseconds; of a date its end, where the *whole_day* is meant."""
    try:
        moment = datetime.fromisoformat(told)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if whole_day and len(told) <= len("2026-01-01"):
            moment += timedelta(days=1)
        return max(0, int(moment.timestamp() * 1000))
    except (ValueError, OverflowError):
        raise invalid(f"{param} is no date in ISO 8601", param=param) from None


async def get_stats(call: Call) -> Reply:
    """Answer ``GET /v1/credits/stats``."""
    asked = call.read_query(wire.StatsQuery)
    groupings = _groupings(asked.group_by)
    now = datetime.now(UTC)
    since = _since(asked.period, now)
    which = _filter(call, asked, since=since)
    store, credit = call.services.store, call.services.tiers.credit

    async def sums(grouping: Grouping) -> list[wire.Sum]:
        return [_sum(one, grouping) for one in await store.charge_sums(which, grouping, credit)]

    found = await store.charge_sums(which, None, credit)
    total = _sum(found[0], None) if found else _NOTHING
    by: dict[Grouping, list[wire.Sum]] = {one: await sums(one) for one in _FIELDS}
    end = milliseconds() if which.until is None else which.until
    return json_reply(
        wire.CreditsStats(
            period=asked.period,
            start_date=iso(which.since),
            end_date=iso(end),
            total_credits_used=total.credits_used,
            total_requests=total.requests,
            total_tokens=total.total_tokens,
            total_cost=total.cost,
            average_latency_ms=total.average_latency_ms,
            model_breakdown=by["model"],
            by_model={one.model or "": one for one in by["model"]},
            by_provider={one.provider or "": one for one in by["provider"]},
            by_band={one.band or "": one for one in by["band"]},
            by_day=by["day"],
            stats=[one for grouping in groupings for one in by[grouping]],
            summary=total,
        )
    )


_FIELDS: dict[Grouping, str] = {
    "model": "model",
    "provider": "provider",
    "band": "band",
    "day": "date",
}


def _groupings(told: str | None) -> list[Grouping]:
    names = ["day"] if told is None else [name.strip() for name in told.split(",")]
    found: list[Grouping] = [each for name in names for each in _FIELDS if each == name]
    if len(found) < len(names) or len(set(found)) < len(found):
        known = ", ".join(_FIELDS)
        raise invalid(f"group_by takes {known}, each once, with commas", param="group_by")
    return found


def _since(period: wire.Period, now: datetime) -> int | None:
    """When the period began that *now* is in; weeks begin on Monday."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    starts = {
        "day": today,
        "week": today - timedelta(days=today.weekday()),
        "month": today.replace(day=1),
    }
    start = starts.get(period)
    return None if start is None else int(start.timestamp() * 1000)


def _sum(found: ChargeSum, grouping: Grouping | None) -> wire.Sum:
    told = wire.Sum(
        requests=found.requests,
        prompt_tokens=found.prompt_tokens,
        completion_tokens=found.completion_tokens,
        total_tokens=found.prompt_tokens + found.completion_tokens,
        credits_used=found.credits,
        cost=found.cost / 1e12,
        average_latency_ms=found.latency / found.requests,
    )
    if grouping is not None:
        setattr(told, _FIELDS[grouping], found.group)
    return told


_NOTHING = wire.Sum(
    requests=0,
    prompt_tokens=0,
    completion_tokens=0,
    total_tokens=0,
    credits_used=0,
    cost=0.0,
    average_latency_ms=0.0,
)

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
    Route(
        method="GET",
        path="/v1/credits/history",
        owner="zaguan",
        summary="List what the account was charged, the newest first",
        endpoint=get_history,
        scope="chat",
        query=wire.HistoryQuery,
        answer=wire.CreditsHistory,
        errors=("invalid",),
    ),
    Route(
        method="GET",
        path="/v1/credits/stats",
        owner="zaguan",
        summary="Sum up what the account was charged",
        endpoint=get_stats,
        scope="chat",
        query=wire.StatsQuery,
        answer=wire.CreditsStats,
        errors=("invalid",),
    ),
)
