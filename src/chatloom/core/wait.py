"""How long a server asks its callers to wait (RFC 9110, 10.2.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping


def asked_wait(headers: Mapping[str, str], wall_time: float) -> float | None:
    """Seconds to wait by *headers*: ``retry-after-ms``, or ``retry-after`` as seconds or date.

    *wall_time* is now, in seconds since 1970. `None` when nothing, or nothing
    sensible, was asked.
    """
    if (milliseconds := asked_seconds(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after")
    if asked is None:
        return None
    if (seconds := asked_seconds(asked)) is not None:
        return seconds
    from calendar import timegm
    from email.utils import parsedate_to_datetime

    try:
        # A date without a zone is in UTC, not in this machine's.
        return max(0.0, timegm(parsedate_to_datetime(asked).utctimetuple()) - wall_time)
    except (ValueError, OverflowError):
        return None


def asked_seconds(text: str | None) -> float | None:
    """Read a number of seconds; `None` where *text* is no such thing."""
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
