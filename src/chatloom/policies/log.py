"""Write down what is sent and how it fared."""

from __future__ import annotations

from collections.abc import Callable

from chatloom.core.errors import TransportError
from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside


class Log:
    """Tell each attempt to *write*: method, path, status and time, and nothing that was said."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        began = outside.now()
        try:
            response = await outside.send(request)
        except TransportError as error:
            self._write(f"{error} ({outside.now() - began:.3f} s)")
            raise
        took = outside.now() - began
        known = response.headers.get("x-request-id", "-")
        self._write(f"{request}: {response.status} in {took:.3f} s, request {known}")
        return response
