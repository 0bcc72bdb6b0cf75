"""The key of a call, where that of its client may be replaced.

A call has one key, however often it is sent: it is noted on the request before
anything else happens, and written into the header last, behind hooks and middleware.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from chatloom.core.secret import CurrentKey, Secret

if TYPE_CHECKING:
    from chatloom.policies.cache import Cache


class Keyed(Request, frozen=True):
    """A request of a call that has its key."""

    key: Secret | None = None


class Note:
    """Note the key of the call; it stands before all other policies."""

    def __init__(self, current: CurrentKey) -> None:
        self._current = current

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        return await outside.send(Keyed(**msgspec.structs.asdict(request), key=self._current.now()))


class PerKey:
    """Look into a cache in which no key finds what another was answered."""

    def __init__(self, cache: Cache, scope: bytes) -> None:
        self._cache = cache
        self._scope = scope

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        from hashlib import sha256

        key = request.key if isinstance(request, Keyed) else None
        own = sha256(self._scope + (key.reveal() if key else "").encode()).digest()
        return await self._cache.within(own)(request, outside)
