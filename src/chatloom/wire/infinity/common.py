"""What all of Infinity Assistant's messages are made of."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chatloom.core.http import JSON

Words: TypeAlias = Annotated[str, Meta(min_length=1, max_length=500)]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Cursor: TypeAlias = Annotated[str, Meta(min_length=1, max_length=500)]


class Given(msgspec.Struct, kw_only=True, rename="camel"):
    """What a request says; fields that nobody knows are let pass."""


class Told(msgspec.Struct, kw_only=True, rename="camel"):
    """What an answer says."""

    success: Literal[True] = True


class Part(msgspec.Struct, kw_only=True, rename="camel"):
    """A part of what is told."""


class Failure(msgspec.Struct, kw_only=True):
    """A refusal; `error` is text, as the published clients expect it."""

    error: str
    message: str
    code: str
    details: dict[str, JSON] | UnsetType = UNSET
    success: Literal[False] = False
