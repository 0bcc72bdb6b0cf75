"""What the operations have in common: where they are, and how they ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from chatloom.core.engine import Mode
from chatloom.core.http import Request
from chatloom.core.manner import query_pairs
from chatloom.core.operations import Resource

T = TypeVar("T")

PREFIX = "/api"
TURNS = "/v1/turns"
"""A server that keeps its answers has them at its root."""


class Calls(Resource[Mode]):
    """A group of operations of the API."""

    async def _delete(self, path: str, read: Callable[[bytes], T], **query: str) -> T:
        """Delete what the *query* names. Raises `ValueError` where that is nothing."""
        return await self._send(self._naming("DELETE", path, None, **query), read)

    async def _patch(
        self, path: str, changes: object, read: Callable[[bytes], T], **query: str
    ) -> T:
        """Change what the *query* names. Raises `ValueError` where that is nothing."""
        body = self._engine.encode(changes)
        request = self._naming("PATCH", path, body, **query)
        # It says how things shall be; said twice, they are no different.
        return await self._send(msgspec.structs.replace(request, repeatable=True), read)

    def _naming(self, method: str, path: str, body: bytes | None, **query: str) -> Request:
        for name, value in query.items():
            if not value:
                raise ValueError(f"{name} must not be empty")
        return self._engine.request(method, path, query_pairs(query), body)


def without_nones(**told: object) -> dict[str, object]:
    """What a request tells; what is `None` is not told."""
    return {name: value for name, value in told.items() if value is not None}


def either(name: str, snake: T | None, camel: T | None) -> T | None:
    """What is told in one spelling or the other. Raises `ValueError` where they differ."""
    if snake is not None and camel is not None and snake != camel:
        raise ValueError(f"{name} is told in two spellings, and they differ")
    return camel if snake is None else snake
