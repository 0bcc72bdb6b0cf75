"""What the operator may set of webhooks."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

_Seconds = Annotated[float, Meta(ge=0, le=7 * 86_400)]


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How events are delivered."""

    schedule: Annotated[tuple[_Seconds, ...], Meta(max_length=30)] = (
        5,
        5 * 60,
        30 * 60,
        2 * 3600,
        5 * 3600,
        10 * 3600,
        14 * 3600,
        20 * 3600,
        24 * 3600,
    )
    """Seconds before each further attempt, as Standard Webhooks has them; the first is at once."""
    timeout: Annotated[float, Meta(gt=0, le=60)] = 20.0
    """Seconds that a receiver has to answer."""
    at_once: Annotated[int, Meta(ge=1, le=100)] = 4
    """Events on their way to one webhook at the same time; one, after it has failed."""
    most: Annotated[int, Meta(ge=0, le=10_000)] = 20
    """Webhooks of one account."""
    keep_days: Annotated[float, Meta(gt=0, le=3650)] = 30.0
    """Days that events, and what became of them, are kept: so long they can be replayed."""
    plain_http: bool = False
    """Whether addresses may begin with ``http://``; with ``--dev`` they may anyway."""
