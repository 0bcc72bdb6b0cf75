"""Sign requests."""

from __future__ import annotations

from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from chatloom.core.secret import Secret


class Authorize:
    """Sign every request with a key.

    *scheme* and *header* are the service's: ``Authorization: Bearer KEY`` unless told otherwise.
    """

    def __init__(
        self, key: Secret, *, header: str = "authorization", scheme: str = "Bearer "
    ) -> None:
        self._key = key
        self._header = header
        self._scheme = scheme

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        credential = self._scheme + self._key.reveal()
        return await outside.send(request.with_header(self._header, credential))
