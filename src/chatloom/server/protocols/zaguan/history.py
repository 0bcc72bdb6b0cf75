"""What an account was charged, turn by turn.

Credits are whole numbers. What a turn is debited is the difference of floors of
all that its account had spent, so that no rounding is ever lost.
"""

from __future__ import annotations

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.powers import may_see
from chatloom.server.ids import is_id
from chatloom.server.moments import iso
from chatloom.server.protocols.zaguan.charges import charges_of
from chatloom.server.refusal import invalid
from chatloom.server.routes import Route
from chatloom.server.store.spending import Charge
from chatloom.wire import zaguan as wire
from chatloom.wire.chatloom import Money

_FAILURES = frozenset({"cancelled", "truncated", "provider_error"})


async def get_history(call: Call) -> Reply:
    """Answer ``GET /v1/credits/history``."""
    asked = call.read_query(wire.HistoryQuery)
    which = charges_of(
        call, asked, failed=None if asked.status is None else asked.status == "error"
    )
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
        band=charge.band,
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


ROUTES = (
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
)
