"""The embeddings API of OpenAI, which Zaguan and many providers share.

Only what chatloom acts upon is named; a request's other fields are forwarded.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chatloom.core.http import JSON

MOST_INPUTS = 2048

Token: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
EncodingFormat: TypeAlias = Literal["float", "base64"]


class EmbeddingsRequest(msgspec.Struct, kw_only=True):
    """The body of ``POST /v1/embeddings``.

    `input` is a text, the numbers of its tokens, or a list of up to 2048 of either.
    """

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    input: str | list[str | Token | list[Token]]
    encoding_format: EncodingFormat | None = None
    """How each embedding is told: as a list of floats where it is not said, or as base64 of
    32-bit floats, the lowest byte first."""
    dimensions: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    user: Annotated[str, Meta(max_length=256)] | None = None
    metadata: dict[str, JSON] | None = None


class Embedding(msgspec.Struct, kw_only=True):
    """The embedding of one input, told as the request asked."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(msgspec.Struct, kw_only=True):
    """Tokens that the inputs took."""

    prompt_tokens: int
    total_tokens: int
    estimated: bool | UnsetType = UNSET
    """Beyond OpenAI: the provider did not count, and this is a guess."""


class EmbeddingList(msgspec.Struct, kw_only=True):
    """One embedding for each input, in their order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage
