"""What every call of CoreX has in common: its id, and answers read into models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self, TypeVar, cast
from uuid import UUID

import msgspec
from pydantic import BaseModel, ValidationError

from chatloom.core.engine import Mode
from chatloom.core.http import JSON
from chatloom.core.manner import merged
from chatloom.core.operations import Resource
from chatloom.core.outside import Outside

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

TURNS = "/v1/turns"
_REQUEST_ID = "x-request-id"


class Calls(Resource[Mode]):
    """A group of operations, each call with an ``X-Request-Id``."""

    def _call(self, request_id: str | None, headers: Mapping[str, str] | None = None) -> Self:
        """Offer the same for one call, under one id however often it is sent.

        *headers* are sent, too, unless the client was told otherwise.
        """
        engine = self._engine
        manner = engine.manner
        given = dict(manner.headers)
        named = request_id or given.get(_REQUEST_ID) or _uuid4(engine.outside)
        added = {**(headers or {}), **given, _REQUEST_ID: named}
        manner = msgspec.structs.replace(manner, headers=merged(manner.headers, added))
        return self._through(engine.in_manner(manner))


def _uuid4(outside: Outside) -> str:
    """Make a UUID of the outside's chance, 53 bits of it at a time."""
    bits = 0
    for _ in range(3):
        bits = bits << 53 | int(outside.random() * 2**53)
    return str(UUID(int=bits & (2**128 - 1), version=4))


def model(kind: type[M]) -> Callable[[bytes], M]:
    """Read an answer as *kind*."""
    return understood(lambda body: kind.model_validate_json(body))


def understood(read: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """Have what *read* cannot make sense of told as the engine expects it."""

    def reading(body: bytes) -> T:
        try:
            return read(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = "".join(f"{part}: " for part in first["loc"])
            raise msgspec.ValidationError(f"{place}{first['msg']}") from error

    return reading


def decoded(body: bytes) -> JSON:
    """Read any JSON."""
    return cast("JSON", msgspec.json.decode(body))


def written(request: BaseModel, **fields: object) -> dict[str, object]:
    """Write a request as the API takes it; what is `None` is left out."""
    payload = request.model_dump(mode="json", by_alias=True, exclude_none=True, warnings=False)
    return payload | fields
