"""Where a talk could branch."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from chatloom.wire.chatroutes.common import Given, Model, Told
from chatloom.wire.unshown import Unshown


class SuggestionRequest(Unshown, Given):
    """A text in which points are looked for where a talk could branch.

    `hybrid_detection` has a model look, too; `llm_model` names one of this server's. Providers and
    their keys are the server's own: `llm_provider` and `llm_api_key` are not used, nor kept.
    """

    text: Annotated[str, Meta(min_length=1, max_length=100_000)]
    suggestions_count: Annotated[int, Meta(ge=1, le=10)] = 3
    hybrid_detection: bool = False
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.7
    llm_model: Model | None = None
    llm_provider: str | None = None
    llm_api_key: str | None = None


class BranchPoint(msgspec.Struct):
    """Where in the text: characters from `start` up to and without `end`."""

    start: int
    end: int


class Suggestion(Told):
    """A branch that could be taken; `confidence` is from 0 to 1."""

    id: str
    title: str
    description: str
    trigger_text: str
    branch_point: BranchPoint
    confidence: float
    reasoning: str
    estimated_divergence: Literal["low", "medium", "high"]


class SuggestionMetadata(Told):
    """How suggestions were found; `total_branch_points_found` counts those left out, too."""

    detection_method: Literal["pattern", "hybrid", "llm"]
    total_branch_points_found: int
    model_used: str | None


class Suggestions(Told):
    """Branches that could be taken, the surest first."""

    suggestions: list[Suggestion]
    metadata: SuggestionMetadata


class SuggestionList(Suggestions):
    """The same at the top and under `data`: clients look in either place."""

    data: Suggestions
    success: Literal[True] = True


class SuggestionHealth(msgspec.Struct):
    """Whether suggestions can be had."""

    version: str
    status: Literal["healthy"] = "healthy"
    service: Literal["autobranch"] = "autobranch"
