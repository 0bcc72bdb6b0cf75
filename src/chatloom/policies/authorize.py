"""Sign requests."""

from __future__ import annotations

from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from chatloom.core.secret import Secret
from chatloom.policies.keyed import Keyed

_TELLING = 12
"""Characters from which on a key is a secret; shorter ones, of tests, occur in any text."""


class Authorize:
    """Sign every request with a key: its call's, where that was noted.

    *scheme* and *header* are the service's: ``Authorization: Bearer KEY`` unless told otherwise.
    """

    def __init__(
        self, key: Secret, *, header: str = "authorization", scheme: str = "Bearer "
    ) -> None:
        self._key = key
        self._header = header
        self._scheme = scheme

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        own = request.key if isinstance(request, Keyed) else self._key.now()
        if own is None:
            return await outside.send(request)
        key = own.reveal()
        if request.header(self._header) is None:  # else the caller's own, from extra_headers
            request = request.with_header(self._header, self._scheme + key)
        response = await outside.send(request)
        if response.status >= 400 and len(key) >= _TELLING:
            # Some servers repeat the key they refuse, and errors carry the answer's body.
            body = await response.read()
            response.body = body.replace(key.encode(), b"[key]")
        return response
