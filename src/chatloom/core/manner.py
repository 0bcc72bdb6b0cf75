"""How a client asks: what may differ from one call to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.http import Timeouts

Pairs = tuple[tuple[str, str], ...]


class CallOptions(TypedDict, total=False):
    """What ``with_options`` takes; what is left out stays as it is."""

    timeout: float | None
    """Seconds to wait for a connection, and for each read; `None` waits for ever."""
    total_timeout: float | None
    """Seconds for the whole call, retries and a streamed body included; `None` for no limit."""
    max_retries: int
    """How often a request is repeated at most."""
    extra_headers: Mapping[str, str]
    """Sent beside the client's own; one of the same name replaces it."""
    extra_query: Mapping[str, str | int | float | bool]
    """Added to the query string."""
    extra_body: Mapping[str, object]
    """Fields of the JSON body, beside or in place of the call's own."""
    idempotency_key: str
    """The ``Idempotency-Key`` of every POST, in place of one made for each call."""


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a client asks."""

    timeouts: Timeouts = Timeouts()
    total_timeout: float | None = None
    max_retries: int | None = None
    """`None` leaves it to the client's `Retry`."""
    headers: Pairs = ()
    """Names in lower case."""
    query: Pairs = ()
    body: Mapping[str, object] = {}
    """Fields of every JSON body, which win over the call's own."""

    def changed(self, options: CallOptions) -> Manner:
        """Ask as *options* say, and otherwise as before. Raises `SettingsError`."""
        manner = self
        if "timeout" in options:
            limit = waiting("timeout", options["timeout"])
            manner = msgspec.structs.replace(manner, timeouts=Timeouts(limit, limit))
        if "total_timeout" in options:
            total = waiting("total_timeout", options["total_timeout"])
            manner = msgspec.structs.replace(manner, total_timeout=total)
        if "max_retries" in options:
            manner = msgspec.structs.replace(manner, max_retries=max(0, options["max_retries"]))
        headers = dict(options.get("extra_headers", {}))
        if "idempotency_key" in options:
            headers["idempotency-key"] = options["idempotency_key"]
        return msgspec.structs.replace(
            manner,
            headers=merged(manner.headers, headers),
            query=(*manner.query, *query_pairs(options.get("extra_query", {}))),
            body={**manner.body, **options.get("extra_body", {})},
        )


def merged(headers: Pairs, more: Mapping[str, str]) -> Pairs:
    """Add headers, each in place of one of the same name."""
    return tuple({**dict(headers), **{name.lower(): more[name] for name in more}}.items())


def query_pairs(query: Mapping[str, object]) -> Pairs:
    """Write values as a query string says them; those that are `None` are left out."""
    return tuple((name, _written(value)) for name, value in query.items() if value is not None)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def waiting(name: str, seconds: float | None) -> float | None:
    """Check a time limit. Raises `SettingsError` where it is none."""
    if seconds is not None and not seconds > 0:
        raise SettingsError(f"{name} must be more than 0 seconds, not {seconds}")
    # Clocks cannot count much further, and nobody can tell the difference.
    return None if seconds is not None and seconds > 1e9 else seconds
