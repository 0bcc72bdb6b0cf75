"""An answer with what it came in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from chatloom.core.http import Response

T = TypeVar("T")


class Raw(Generic[T]):
    """An answer, and beside it the HTTP response it was read from."""

    def __init__(self, parsed: T, response: Response) -> None:
        self.parsed = parsed
        """What the call answers otherwise."""
        self._response = response

    @property
    def status_code(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; repeated ones joined by ``", "``."""
        return self._response.headers

    @property
    def body(self) -> bytes:
        return self._response.body

    @property
    def request_id(self) -> str | None:
        """What to tell the server's operator."""
        return self._response.headers.get("x-request-id")

    @property
    def attempts(self) -> int:
        """How often the request was sent; 0 where a cache had the answer."""
        return self._response.attempts

    def __repr__(self) -> str:
        return f"<Raw {self.status_code} {self.parsed!r}>"
