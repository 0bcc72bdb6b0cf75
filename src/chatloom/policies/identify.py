"""Give each call a name of its own."""

from __future__ import annotations

from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside

KEY = "idempotency-key"


class Identify:
    """Give every POST an ``Idempotency-Key``, unless the caller gave one.

    It stands outside of `Retry`, so that repetitions carry the same key
    (draft-ietf-httpapi-idempotency-key-header).
    """

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        if request.method == "POST" and request.header(KEY) is None:
            request = request.with_header(KEY, _unforeseeable(outside))
        return await outside.send(request)


def _unforeseeable(outside: Outside) -> str:
    return f"{int(outside.random() * 2**53):014x}{int(outside.random() * 2**53):014x}"
