"""How a client asks: what may differ from one call to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, TypeVar, cast

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.http import Timeouts

T = TypeVar("T")
Pairs = tuple[tuple[str, str], ...]


class CallOptions(TypedDict, total=False):
    """What ``with_options`` takes; what is left out, or `None` but for times, stays as it is."""

    timeout: float | None
    """Seconds to wait for a connection, and for each read; `None` waits for ever."""
    total_timeout: float | None
    """Seconds for the whole call, retries and a streamed body included; `None` for no limit."""
    max_retries: int | None
    """How often a request is repeated at most."""
    extra_headers: Mapping[str, str] | None
    """Sent beside the client's own; one of the same name replaces it."""
    extra_query: Mapping[str, str | int | float | bool] | None
    """Added to the query string."""
    extra_body: Mapping[str, object] | None
    """Fields of the JSON body, beside or in place of the call's own."""
    idempotency_key: str | None
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
        if (most := options.get("max_retries")) is not None:
            manner = msgspec.structs.replace(manner, max_retries=repetitions(most))
        headers = dict(_mapping("extra_headers", options.get("extra_headers")))
        if (key := options.get("idempotency_key")) is not None:
            headers["idempotency-key"] = key
        return msgspec.structs.replace(
            manner,
            headers=merged(manner.headers, headers),
            query=(*manner.query, *written_query("extra_query", options.get("extra_query"))),
            body={**manner.body, **_mapping("extra_body", options.get("extra_body"))},
        )


def merged(headers: Pairs, more: Mapping[str, str]) -> Pairs:
    """Add headers, each in place of one of the same name. Raises `SettingsError`."""
    added: dict[str, str] = {}
    for name, value in cast("Mapping[object, object]", more).items():
        if not (isinstance(name, str) and isinstance(value, str)):
            raise SettingsError(f"the header {name!r} must be text, not {type(value).__name__}")
        added[name.lower()] = value
    return tuple({**dict(headers), **added}.items())


def written_query(name: str, query: Mapping[str, str | int | float | bool] | None) -> Pairs:
    """Write what a caller adds to a query string. Raises `SettingsError`."""
    for key, value in _mapping(name, query).items():
        if not isinstance(cast("object", value), str | int | float):
            raise SettingsError(f"{name}[{key!r}] must be text or a number, not {value!r:.80}")
    return query_pairs(query or {})


def _mapping(name: str, value: Mapping[str, T] | None) -> Mapping[str, T]:
    if value is not None and not isinstance(cast("object", value), Mapping):
        raise SettingsError(f"{name} must be a mapping, not {type(value).__name__}")
    return value or {}


def query_pairs(query: Mapping[str, object]) -> Pairs:
    """Write values as a query string says them; those that are `None` are left out."""
    return tuple((name, _written(value)) for name, value in query.items() if value is not None)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def repetitions(most: int) -> int:
    """Check how often something may be repeated. Raises `SettingsError`."""
    if not isinstance(cast("object", most), int):
        raise SettingsError(f"max_retries must be a whole number, not {most!r}")
    return max(0, most)


def waiting(name: str, seconds: float | None) -> float | None:
    """Check a time limit. Raises `SettingsError` where it is none."""
    if seconds is not None and not isinstance(cast("object", seconds), int | float):
        raise SettingsError(f"{name} must be a number of seconds, not {seconds!r}")
    if seconds is not None and not seconds > 0:
        raise SettingsError(f"{name} must be more than 0 seconds, not {seconds}")
    # Clocks cannot count much further, and nobody can tell the difference.
    return None if seconds is not None and seconds > 1e9 else seconds
