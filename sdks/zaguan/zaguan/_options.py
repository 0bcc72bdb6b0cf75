"""Options that the document does not name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from chatloom.core.outside import Policy
from chatloom.policies.hooks import Hooks

if TYPE_CHECKING:
    from chatloom.policies.cache import Cache
    from chatloom.policies.meter import Meter
    from chatloom.policies.pace import Pace
    from chatloom.transports.recorded import Cassette


class ZaguanOptions(TypedDict, total=False):
    """Those of `chatloom.engines.ClientOptions` but `http_client`, an argument of its own here."""

    max_retries: int | None
    """How often a request is repeated at most; 2 unless told otherwise."""
    total_timeout: float | None
    """Seconds for a whole call, retries and a streamed body included; `None` for no limit."""
    default_headers: Mapping[str, str] | None
    """Sent with every request; one of the same name as the client's own replaces it."""
    default_query: Mapping[str, str | int | float | bool] | None
    """Added to the query string of every request."""
    policies: Sequence[Policy] | None
    """Middleware around each attempt; the first one sees a request first."""
    hooks: Hooks | None
    """Functions to call as requests go out and answers come in."""
    pace: Pace | None
    """Sends no faster than this; clients may share one."""
    cache: Cache | None
    """Answers again what was answered before."""
    meter: Meter | None
    """Measures every call and tells exporters."""
    cassette: Cassette | None
    """Where what goes over the wire is recorded, or played from."""
