"""How often somebody may try to log in: by name, and by address.

Each attempt is counted before anybody knows how it ends, so that many at once
are not let through; one that succeeds is taken back.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from chatloom.server.refusal import Refusal
from chatloom.server.store.keys import RateLimit

BY_NAME = RateLimit(per_minute=2, burst=10)
"""Failures with one name, whether anybody has it or not."""
BY_ADDRESS = RateLimit(per_minute=20, burst=100)
"""Failures from one address, behind which there may be many people."""
_REMEMBERED = 100_000


class Attempts:
    """Those of one server."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._free_at: OrderedDict[str, float] = OrderedDict()
        """By whom: when all attempts that were counted will be forgotten."""

    def count(self, *, name: str | None = None, address: str | None = None) -> Attempt:
        """Count an attempt. Raises `Refusal` where there were too many; then none is counted."""
        concerned: list[tuple[str, RateLimit]] = []
        if name is not None:
            concerned.append((f"name {name}", BY_NAME))
        if address is not None:
            concerned.append((f"address {_network(address)}", BY_ADDRESS))
        now = self._now()
        wait = max((self._wait(who, limit, now) for who, limit in concerned), default=0.0)
        if wait > 0:
            raise _too_many(wait)
        for who, limit in concerned:
            self._free_at[who] = max(now, self._free_at.get(who, now)) + _each(limit)
            self._free_at.move_to_end(who)
        while len(self._free_at) > _REMEMBERED:
            self._free_at.popitem(last=False)
        return Attempt(self, concerned)

    def _wait(self, who: str, limit: RateLimit, now: float) -> float:
        """Seconds until one more attempt may be made."""
        return self._free_at.get(who, now) - now - (limit.burst - 1) * _each(limit) - _A_MOMENT

    def take_back(self, concerned: list[tuple[str, RateLimit]]) -> None:
        """Count an attempt no longer."""
        for who, limit in concerned:
            if who in self._free_at:
                self._free_at[who] -= _each(limit)


class Attempt:
    """One that is counted."""

    def __init__(self, attempts: Attempts, concerned: list[tuple[str, RateLimit]]) -> None:
        self._attempts = attempts
        self._concerned = concerned

    def succeeded(self) -> None:
        """Count it no longer; once."""
        self._attempts.take_back(self._concerned)
        self._concerned = []


_A_MOMENT = 1e-6
"""Seconds: whoever waited exactly as long as told must not fail for a rounding."""


def _each(limit: RateLimit) -> float:
    return 60 / limit.per_minute


def _network(address: str) -> str:
    """Whom an address belongs to: in IPv6 everybody has billions of them."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((int(known), 64), strict=False))


def _too_many(wait: float) -> Refusal:
    return Refusal(
        "rate_limited",
        f"too many failed attempts; try again in {-int(-wait // 1)} seconds",
        code="too_many_attempts",
        type="rate_limit_exceeded",
        retry_after=wait,
        repeatable=True,
    )
