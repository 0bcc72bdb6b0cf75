"""What an account was charged, summed up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.ids import milliseconds
from chatloom.server.moments import iso
from chatloom.server.protocols.zaguan.charges import charges_of
from chatloom.server.refusal import invalid
from chatloom.server.routes import Route
from chatloom.server.store.spending import ChargeSum, Grouping
from chatloom.wire import zaguan as wire


async def get_stats(call: Call) -> Reply:
    """Answer ``GET /v1/credits/stats``."""
    asked = call.read_query(wire.StatsQuery)
    groupings = _groupings(asked.group_by)
    which = charges_of(call, asked)
    end = milliseconds() if which.until is None else which.until
    if which.since is None:
        which = replace(which, since=_since(asked.period, end))
    store, credit = call.services.store, call.services.tiers.credit

    async def sums(grouping: Grouping) -> list[wire.Sum]:
        return [_sum(one, grouping) for one in await store.charge_sums(which, grouping, credit)]

    found = await store.charge_sums(which, None, credit)
    total = _sum(found[0], None) if found else _NOTHING
    by: dict[Grouping, list[wire.Sum]] = {one: await sums(one) for one in _FIELDS}
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


def _since(period: wire.Period, end: int) -> int | None:
    """When the period began that lasts until *end*, or longer; weeks begin on Monday."""
    last = datetime.fromtimestamp(max(0, end - 1) / 1000, UTC)
    today = last.replace(hour=0, minute=0, second=0, microsecond=0)
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
