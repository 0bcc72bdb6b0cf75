"""Keeping apart what was answered to one key and to another."""

from __future__ import annotations

from hashlib import sha256

from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside, Policy
from chatloom.policies.cache import Cache
from infinity_assistant.keys import Keyed


class PerKey(Cache):
    """A cache of a client whose key may be replaced: no key finds what another was answered."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def within(self, scope: bytes) -> Policy:
        async def cached(request: Request, outside: Outside, /) -> Response:
            key = request.key if isinstance(request, Keyed) else None
            own = sha256(scope + (key.reveal() if key else "").encode()).digest()
            return await self._cache.within(own)(request, outside)

        return cached
