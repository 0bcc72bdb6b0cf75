"""Which charges a request for a history or for sums means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chatloom.server.call import Call
from chatloom.server.refusal import invalid
from chatloom.server.store.spending import ChargeFilter
from chatloom.wire import zaguan as wire


def charges_of(call: Call, asked: wire.CreditsQuery, *, failed: bool | None = None) -> ChargeFilter:
    """The charges that *asked* means, of those that its key may see. Raises `Refusal`."""
    since = until = None
    if asked.start_date is not None:
        since = _moment(asked.start_date, "start_date")
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
        return max(0, int(moment.astimezone(UTC).timestamp() * 1000))
    except OverflowError:
        raise invalid(f"{param} is too far away", param=param) from None
    except ValueError:
        raise invalid(f"{param} is no date in ISO 8601", param=param) from None
