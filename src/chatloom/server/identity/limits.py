"""How often a key may ask: a bucket of tokens for each key, filled as time goes by.

A request takes a token from its key's bucket, and from those of the keys that
it descends from; where one is empty, none is taken.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from chatloom.server.refusal import Refusal
from chatloom.server.store.keys import RateLimit

_REMEMBERED = 100_000
_ENOUGH = 1 - 1e-6
"""Tokens for a request: whoever waited exactly as long as told must not fail for a rounding."""


class Standing(msgspec.Struct, frozen=True):
    """Where a key stands: told in the headers of every answer it gets."""

    limit: int
    """Requests a minute."""
    remaining: int
    """Requests that may come at once now."""
    reset: int
    """Seconds until all of its burst may."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Say so, in the names that services commonly use."""
        return [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % self.remaining),
            (b"x-ratelimit-reset", b"%d" % self.reset),
        ]


class _Bucket:
    __slots__ = ("filled_at", "tokens")

    def __init__(self, tokens: float, now: float) -> None:
        self.tokens = tokens
        self.filled_at = now


class Limits:
    """The buckets of one server."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, rates: dict[str, RateLimit]) -> Standing:
        """Let one request of a key pass; *rates* are its own and its ancestors', by their ids.

        Returns where the one stands that has the least left. Raises `Refusal`.
        """
        now = self._now()
        standings: list[tuple[_Bucket, RateLimit]] = []
        for id, rate in rates.items():
            standings.append((self._filled(id, rate, now), rate))
        slowest, slow = max(standings, key=lambda one: _wait(*one))
        if slowest.tokens < _ENOUGH:
            raise _refused(_standing(slowest, slow), _wait(slowest, slow))
        for bucket, _ in standings:
            bucket.tokens -= 1
        return _standing(*min(standings, key=lambda one: one[0].tokens))

    def _filled(self, id: str, rate: RateLimit, now: float) -> _Bucket:
        bucket = self._buckets.get(id)
        if bucket is None:
            bucket = self._buckets[id] = _Bucket(rate.burst, now)
            if len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
            return bucket
        self._buckets.move_to_end(id)
        gained = (now - bucket.filled_at) * rate.per_minute / 60
        bucket.tokens = min(float(rate.burst), bucket.tokens + gained)
        bucket.filled_at = now
        return bucket


def _wait(bucket: _Bucket, rate: RateLimit) -> float:
    """Seconds until *bucket* holds a token; less than none where it holds more."""
    return _seconds(1 - bucket.tokens, rate)


def _seconds(tokens: float, rate: RateLimit) -> float:
    return tokens * 60 / rate.per_minute


def _standing(bucket: _Bucket, rate: RateLimit) -> Standing:
    missing = _seconds(rate.burst - bucket.tokens, rate)
    return Standing(rate.per_minute, int(bucket.tokens), -int(-missing // 1))


def _refused(standing: Standing, wait: float) -> Refusal:
    refusal = Refusal(
        "rate_limited",
        f"this API key may ask {standing.limit} times a minute; ask again in {wait:.1f} seconds",
        code="rate_limit_exceeded",
        type="rate_limit_exceeded",
        retry_after=wait,
        repeatable=True,
        extras={"limit": standing.limit, "remaining": 0},
    )
    refusal.headers += standing.headers()
    return refusal
