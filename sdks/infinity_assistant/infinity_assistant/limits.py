"""How long to wait at a rate limit, in whichever words a server tells it."""

from __future__ import annotations

from datetime import UTC, datetime

from chatloom.core.complaint import Complaint
from chatloom.core.http import JSON, Request, Response
from chatloom.core.outside import Outside
from chatloom.core.wait import asked_seconds

_TOLD = frozenset({"retry-after", "retry-after-ms"})
_LONG_AGO = 1_000_000_000
"""Seconds from which on a number is a moment, not a while; in milliseconds, a thousand times."""


async def heed_limits(request: Request, outside: Outside, /) -> Response:
    """Say as ``Retry-After``, which is heeded, what a 429 says in any other place.

    These are ``X-RateLimit-Retry-After`` and ``X-RateLimit-Reset``, ``retryAfter`` and
    ``rateLimit.reset_at`` in the body.
    """
    response = await outside.send(request)
    if response.status == 429 and not _TOLD & response.headers.keys():
        await response.read()
        seconds = _wait(response, outside.wall_time())
        if seconds is not None:
            response.headers = {**response.headers, "retry-after": f"{seconds:.3f}"}
    return response


def _wait(response: Response, now: float) -> float | None:
    seconds = asked_seconds(response.headers.get("x-ratelimit-retry-after"))
    if seconds is not None:
        return seconds
    told = Complaint.of(response, now)
    if told.retry_after is not None:
        return told.retry_after
    body = told.body if isinstance(told.body, dict) else {}
    limit = body.get("rateLimit")
    reset = limit.get("reset_at", limit.get("reset")) if isinstance(limit, dict) else None
    return _until(response.headers.get("x-ratelimit-reset", reset), now)


def _until(moment: JSON, now: float) -> float | None:
    """Seconds until *moment*: a date, seconds since 1970, milliseconds, or a while itself."""
    number = asked_seconds(str(moment))
    if number is None:
        return _until_date(moment, now) if isinstance(moment, str) else None
    if number < _LONG_AGO:
        return number
    return max(0.0, (number / 1000 if number >= 1000 * _LONG_AGO else number) - now)


def _until_date(date: str, now: float) -> float | None:
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)
