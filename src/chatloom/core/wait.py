"""How long a server asks its callers to wait (RFC 9110, 10.2.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping


def asked_wait(headers: Mapping[str, str], wall_time: float) -> float | None:
    """Seconds to wait by *headers*: ``retry-after-ms``, or ``retry-after`` as seconds or date.

    *wall_time* is now, in seconds since 1970. `None` when nothing, or nothing
    sensible, was asked.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after")
    if asked is None:
        return None
    if (seconds := _number(asked)) is not None:
        return seconds
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - wall_time)
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
