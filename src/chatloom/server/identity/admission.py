"""Letting a known key pass, or not: its scope, its addresses, how often it asks."""

from __future__ import annotations

from chatloom.server.call import Call
from chatloom.server.identity.keys import is_control
from chatloom.server.identity.powers import (
    limited_administrator,
    rates_of,
    require,
    require_route,
    require_unlimited,
)
from chatloom.server.identity.tiers import Tier
from chatloom.server.refusal import Refusal
from chatloom.server.store.keys import Key, RateLimit


async def admit(call: Call) -> None:
    """Let *call* pass, whose key and route are known. Raises `Refusal`."""
    key, route, services = call.key, call.route, call.services
    if is_control(key):
        require(key, route.scope)
        return
    rates = _rates(key, services.tiers.of(key.tier))
    if rates and route.scope == "keys" and "key_id" in call.parts:
        # Counted apart: who asks too often with a key below must not keep it from being revoked.
        rates = {f"{key.id} over keys": min(rates.values(), key=lambda one: one.per_minute)}
    if rates:
        call.standing = services.limits.take(rates)
    require(key, route.scope)
    require_route(key, route.method, route.path)
    if route.method != "GET" and route.scope in _OVER_KEYS:
        await _require_standing(call)
    if route.scope == "platform" and key.owner is not None:
        await _require_administrator(call, key.owner)


_OVER_KEYS = frozenset({"keys", "admin", "platform"})
"""Scopes by which others are given power, or lose it."""


async def _require_standing(call: Call) -> None:
    """Keep a replaced secret, and an administrator with limits, from changing who may do what."""
    key = call.key
    if key.secret_expires_at is not None:
        raise Refusal(
            "forbidden",
            "this API key was replaced by a newer one, which alone changes keys",
            code="replaced_api_key",
        )
    if call.route.scope == "admin":
        require_unlimited(key)
        if await call.services.store.budget("key", key.id) is not None:
            raise limited_administrator()


async def _require_administrator(call: Call, owner: str) -> None:
    """A platform key that belongs to somebody works while they are an administrator."""
    if not await call.services.store.is_administrator(owner):
        raise Refusal(
            "forbidden",
            "whom this API key belongs to is no platform administrator",
            code="not_an_administrator",
        )


def _rates(key: Key, tier: Tier) -> dict[str, RateLimit]:
    """The limits that a request counts against; the tier's where a key has none of its own.

    Those of the keys above count, too: else whoever may make keys could ask as often as he likes.
    """
    rates = rates_of(key)
    if tier.rate is not None:
        rates = {**dict.fromkeys((key.id, *key.ancestors), tier.rate), **rates}
    return rates
