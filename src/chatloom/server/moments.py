"""Times as the wire tells them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

from chatloom.server.ids import milliseconds


@overload
def iso(moment: int) -> str: ...
@overload
def iso(moment: int | None) -> str | None: ...
def iso(moment: int | None) -> str | None:
    """Milliseconds since 1970 as ISO 8601 in UTC."""
    if moment is None:
        return None
    told = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")


def iso_now() -> str:
    """Now, as ISO 8601 in UTC."""
    return iso(milliseconds())
