"""Models on offer, what they can do, whether the service is well, and embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field, model_validator

from chatloom.core.http import JSON
from zaguan._models.base import Answer, Count, Question, agreeing


class ModelInfo(Answer):
    """A model on offer. `created` is in seconds since 1970, `context_length` in tokens."""

    id: str
    object: str = "model"
    owned_by: str | None = None
    description: str | None = None
    metadata: dict[str, JSON] | None = None

    created: Count | None = None
    provider: str | None = None
    context_length: Count | None = None
    capabilities: JSON = None


class ModelCapabilities(Answer):
    """What a model can do; what a server does not tell, it cannot.

    Sound is told in two spellings, and both are filled. Costs are US dollars per
    million tokens.
    """

    model_id: str
    supports_vision: bool = False
    supports_tools: bool = False
    supports_reasoning: bool = False
    max_context_tokens: Count | None = None
    provider_specific: dict[str, JSON] | None = None

    provider: str | None = None
    band: str | None = None
    supports_streaming: bool | None = None
    supports_audio_in: bool | None = None
    supports_audio_out: bool | None = None
    supports_audio_input: bool | None = None
    supports_audio_output: bool | None = None
    max_output_tokens: Count | None = None
    input_cost: float | None = None
    output_cost: float | None = None
    features: JSON = None
    modalities: JSON = None

    @model_validator(mode="before")
    @classmethod
    def _in_both_spellings(cls, told: object) -> object:
        heard = agreeing(told, "supports_audio_in", "supports_audio_input")
        return agreeing(heard, "supports_audio_out", "supports_audio_output")


class HealthStatus(Answer):
    """How the service is."""

    status: str = ""
    timestamp: str | float | None = None
    version: str | None = None


class EmbeddingsRequest(Question):
    """What to embed: texts, or their tokens as numbers."""

    model: str
    input: str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]
    encoding_format: str = "float"
    dimensions: int | None = None
    user: str | None = None
    metadata: Mapping[str, str] | None = None


class Embedding(Answer):
    """One vector: numbers, or base64 text where that was asked for."""

    index: Count = 0
    object: str = "embedding"
    embedding: list[float] | str


class EmbeddingsUsage(Answer):
    """Tokens that embedding took; `estimated` where nobody counted."""

    prompt_tokens: Count = 0
    total_tokens: Count = 0
    estimated: bool | None = None


class EmbeddingsResponse(Answer):
    """A vector for each text, in their order."""

    object: str = "list"
    data: list[Embedding]
    model: str = ""
    usage: EmbeddingsUsage = Field(default_factory=EmbeddingsUsage)
