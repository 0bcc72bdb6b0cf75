"""What all of ChatRoutes' messages are made of."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chatloom.core.http import JSON

T = TypeVar("T")

Title: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")
]
"""A name, in one line without control characters."""
Description: TypeAlias = Annotated[
    str, Meta(max_length=10_000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")
]
"""Some lines."""
Model: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Temperature: TypeAlias = Annotated[float, Meta(ge=0, le=2)]
MaxTokens: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Text: TypeAlias = Annotated[str, Meta(min_length=1)]
Cursor: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]

ContextMode: TypeAlias = Literal["FULL", "PARTIAL", "MINIMAL"]
"""What of a branch a model is told: the whole path, its recent part, or the branch alone."""
Strategy: TypeAlias = Literal["append", "pick", "summarize"]


class Given(msgspec.Struct, kw_only=True, rename="camel"):
    """What a request says; fields that nobody knows are let pass."""


class Told(msgspec.Struct, kw_only=True, rename="camel"):
    """What an answer says."""


class Answer(msgspec.Struct, Generic[T], kw_only=True):
    """A success."""

    data: T
    success: Literal[True] = True


class Done(msgspec.Struct, kw_only=True):
    """A success that has nothing to tell."""

    success: Literal[True] = True


class Failure(msgspec.Struct, kw_only=True, rename="camel"):
    """A refusal; `error` is text, as the published clients expect it."""

    error: str
    message: str
    code: str
    details: dict[str, JSON] | UnsetType = UNSET
    retry_after: float | UnsetType = UNSET
    success: Literal[False] = False
