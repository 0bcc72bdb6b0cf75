"""The key of a client, which may be replaced while it lives.

A call has one key, however often it is sent: it is noted on the request before
anything else happens, and written into the header last, behind hooks and middleware.
"""

from __future__ import annotations

from typing import cast

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from chatloom.core.secret import Secret
from chatloom.policies.authorize import Authorize


class CurrentKey(Secret):
    """The key of a client as it is now; empty while there is none."""

    __slots__ = ()

    def __init__(self, key: str | Secret | None) -> None:
        super().__init__("")
        self.replace(key)

    def replace(self, key: str | Secret | None) -> None:
        """Sign with *key* from now on; with `None`, not at all. Raises `SettingsError`."""
        value = key.reveal() if isinstance(key, Secret) else key or ""
        if not isinstance(cast("object", value), str):
            raise SettingsError(f"api_key must be text, not {type(value).__name__}")
        self._value = value  # at once: no other thread sees half of it

    def now(self) -> Secret | None:
        """The key as it stays for one call."""
        value = self._value
        return Secret(value) if value else None

    def __bool__(self) -> bool:
        return True  # the engine asks for no policy where there is no key


class Keyed(Request, frozen=True):
    """A request of a call that has its key."""

    key: Secret | None = None


class Note:
    """Note the key of the call; it stands before all other policies."""

    def __init__(self, current: CurrentKey) -> None:
        self._current = current

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        return await outside.send(Keyed(**msgspec.structs.asdict(request), key=self._current.now()))


class Sign:
    """Sign with the key that was noted, else with the one of this moment."""

    def __init__(self, current: CurrentKey) -> None:
        self._current = current

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        key = request.key if isinstance(request, Keyed) else self._current.now()
        if key is None:
            return await outside.send(request)
        return await Authorize(key, header="x-api-key", scheme="")(request, outside)
