"""How requests are written, and answers read."""

from __future__ import annotations

from typing import Protocol

from chatloom.core.http import JSON

__all__ = ["Serializer"]


class Serializer(Protocol):
    """A data format in place of JSON, or another way to write it; streams stay JSON, by lines."""

    @property
    def content_type(self) -> str:
        """What requests say they are."""
        ...

    def encode(self, payload: object, /) -> bytes:
        """Write a request: dicts and lists of texts, numbers, true, false and null."""
        ...

    def decode(self, body: bytes, /) -> JSON:
        """Read an answer. Raises `ValueError` for what is none."""
        ...
