"""What is done with branches: changes, merges, comparisons, checkpoints and suggestions."""

from __future__ import annotations

from typing import Literal, NotRequired, TypeAlias, TypedDict

from chatroutes.types.conversation import Branch, ContextMode, Message, Money

MergeStrategy: TypeAlias = Literal["append", "pick", "summarize"]


class UpdateBranchRequest(TypedDict, total=False):
    """What becomes of a branch; what is left out stays as it is."""

    title: str
    description: str
    contextMode: ContextMode
    isActive: bool


class MergeBranchRequest(TypedDict, total=False):
    """How a branch is merged; without a target, into the one it was forked from.

    `append` brings in all that the target has not, `pick` the messages named in
    `messageIds`, `summarize` what a `model` makes of them.
    """

    strategy: MergeStrategy
    targetBranchId: str
    messageIds: list[str]
    model: str


class DiffSide(TypedDict):
    """What one of two branches has beyond their last common message.

    `hasMore` says that `messages` is not all of it; counts, tokens and cost are of all.
    """

    branch: Branch
    messages: list[Message]
    messageCount: int
    hasMore: bool
    tokensIn: int
    tokensOut: int
    cost: Money


class Diff(TypedDict):
    """Two branches compared; what they share is counted in `sharedMessageCount`."""

    commonMessageId: str | None
    sharedMessageCount: int
    branch: DiffSide
    against: DiffSide


class Checkpoint(TypedDict):
    """A summary of what stands up to and with a message; every name in both spellings."""

    id: str
    summary: str
    conversation_id: str
    branch_id: str
    anchor_message_id: str
    token_count: int
    created_at: str
    conversationId: str
    branchId: str
    anchorMessageId: str
    tokenCount: int
    createdAt: str
    model: NotRequired[str | None]


class BranchPoint(TypedDict):
    """Where in a text: characters from `start` up to and without `end`."""

    start: int
    end: int


class BranchSuggestion(TypedDict):
    """A branch that could be taken; `confidence` is from 0 to 1."""

    id: str
    title: str
    description: str
    triggerText: str
    branchPoint: BranchPoint
    confidence: float
    reasoning: str
    estimatedDivergence: Literal["low", "medium", "high"]


class SuggestionMetadata(TypedDict):
    """How suggestions were found; `totalBranchPointsFound` counts those left out, too."""

    detectionMethod: Literal["pattern", "hybrid", "llm"]
    totalBranchPointsFound: int
    modelUsed: str | None


class SuggestBranchesRequest(TypedDict):
    """A text in which points are looked for where a talk could branch."""

    text: str
    suggestionsCount: NotRequired[int]
    hybridDetection: NotRequired[bool]
    threshold: NotRequired[float]
    llmModel: NotRequired[str]
    llmProvider: NotRequired[str]
    llmApiKey: NotRequired[str]


class SuggestBranchesResponse(TypedDict):
    """Branches that could be taken, the surest first."""

    suggestions: list[BranchSuggestion]
    metadata: SuggestionMetadata


class CheckpointCreateRequest(TypedDict):
    """A checkpoint to make."""

    branchId: str
    anchorMessageId: str
    model: NotRequired[str]


class HealthResponse(TypedDict):
    """Whether suggestions can be had."""

    status: str
    version: str
    service: str


class SearchHit(TypedDict):
    """A message that was found; `snippet` is what stands around the first word."""

    conversationId: str
    conversationTitle: str
    branchId: str | None
    messageId: str
    role: str
    snippet: str
    createdAt: str


class SearchResponse(TypedDict):
    """A page of what was found, the newest first; `nextCursor` asks for the next one."""

    hits: list[SearchHit]
    hasNext: bool
    nextCursor: str | None
