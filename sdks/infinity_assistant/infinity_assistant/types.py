"""What is asked and answered.

Everything is a plain dict with the names of the wire. Keys that nobody names here are
kept; those that not every server tells are `NotRequired`. Times are ISO 8601.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NotRequired, TypeAlias, TypedDict

from chatloom.core.http import JSON
from infinity_assistant._kept import (
    KnowledgeEntry,
    KnowledgeEntryResponse,
    KnowledgeFilters,
    KnowledgeFormat,
    KnowledgeListResponse,
    KnowledgeRequest,
    KnowledgeResult,
    KnowledgeSearchRequest,
    KnowledgeSearchResponse,
    KnowledgeUpdate,
    MemoryEntry,
    MemoryListResponse,
    MemoryRetrieveRequest,
    MemoryRetrieveResponse,
    MemoryStoreRequest,
    MemoryStoreResponse,
    Storable,
)
from infinity_assistant._owned import (
    ApiKey,
    ApiKeyListResponse,
    ApiKeyResponse,
    NewApiKey,
    NewWebhook,
    Webhook,
    WebhookListResponse,
    WebhookResponse,
)
from infinity_assistant._researched import (
    Money,
    ResearchCitation,
    ResearchDepth,
    ResearchMetadata,
    ResearchRequest,
    ResearchResponse,
    ResearchResult,
    UnreadSource,
)

__all__ = [
    "ApiKey",
    "ApiKeyListResponse",
    "ApiKeyResponse",
    "ChatDoneChunk",
    "ChatHistoryResponse",
    "ChatMessage",
    "ChatMetadata",
    "ChatMetadataChunk",
    "ChatMode",
    "ChatRequest",
    "ChatResponse",
    "ChatStreamChunk",
    "ChatTextChunk",
    "ChatUsage",
    "DeleteResponse",
    "HealthResponse",
    "KnowledgeEntry",
    "KnowledgeEntryResponse",
    "KnowledgeFilters",
    "KnowledgeFormat",
    "KnowledgeListResponse",
    "KnowledgeRequest",
    "KnowledgeResult",
    "KnowledgeSearchRequest",
    "KnowledgeSearchResponse",
    "KnowledgeUpdate",
    "MemoryEntry",
    "MemoryListResponse",
    "MemoryRetrieveRequest",
    "MemoryRetrieveResponse",
    "MemoryStoreRequest",
    "MemoryStoreResponse",
    "Money",
    "NewApiKey",
    "NewWebhook",
    "ResearchCitation",
    "ResearchDepth",
    "ResearchMetadata",
    "ResearchRequest",
    "ResearchResponse",
    "ResearchResult",
    "Storable",
    "UnreadSource",
    "UserTier",
    "Webhook",
    "WebhookListResponse",
    "WebhookResponse",
]

UserTier: TypeAlias = Literal["free", "pro", "enterprise"]
ChatMode: TypeAlias = Literal["search", "assist", "build"]


class ChatRequest(TypedDict):
    """What is said, and in which circumstances. A `userTier` is the caller's own word."""

    message: str
    conversationId: NotRequired[str]
    userId: NotRequired[str]
    userTier: NotRequired[UserTier]
    mode: NotRequired[ChatMode]
    userContext: NotRequired[Mapping[str, object]]
    preferences: NotRequired[Mapping[str, object]]
    essence: NotRequired[Mapping[str, object] | str]
    sessionId: NotRequired[str]
    drivingMode: NotRequired[bool | Mapping[str, object]]
    """Switched, or its own settings with ``enabled`` among them."""
    model: NotRequired[str]


class ChatUsage(TypedDict):
    """Tokens that an answer took."""

    promptTokens: int
    completionTokens: int


class ChatMetadata(TypedDict, total=False):
    """How an answer came about; `processingTime` is in milliseconds.

    The model was told the memories with the keys `memoriesUsed`, and of the entries with
    the ids `knowledgeUsed`.
    """

    conversationId: str
    messageId: str | None
    turnId: str
    model: str
    mode: ChatMode | None
    tokensUsed: int
    usage: ChatUsage | None
    cost: Money | None
    processingTime: float
    finishReason: str | None
    timestamp: str
    memoriesUsed: list[str]
    knowledgeUsed: list[str]
    drivingMode: JSON
    phase: JSON
    memory: JSON


class ChatResponse(TypedDict):
    """An answer; an id is empty where the server told none."""

    success: bool
    response: str
    conversationId: str
    messageId: str
    metadata: ChatMetadata
    rateLimit: NotRequired[dict[str, JSON]]
    error: NotRequired[str | None]


class ChatTextChunk(TypedDict):
    """A piece of an answer's text."""

    type: Literal["text"]
    content: str


class ChatMetadataChunk(TypedDict):
    """What the server tells beside the text, possibly in several pieces."""

    type: Literal["metadata"]
    metadata: ChatMetadata


class ChatDoneChunk(TypedDict):
    """The end of an answer that is whole."""

    type: Literal["done"]


ChatStreamChunk: TypeAlias = ChatTextChunk | ChatMetadataChunk | ChatDoneChunk


class ChatMessage(TypedDict):
    """Something that was said, by whom `role` says."""

    id: str
    role: str
    content: str
    createdAt: NotRequired[str]


class ChatHistoryResponse(TypedDict):
    """What was said in a conversation, the first first."""

    success: bool
    conversationId: str
    messages: list[ChatMessage]


class DeleteResponse(TypedDict):
    """Something is gone; `deleted` may say whether it was there."""

    success: bool
    message: NotRequired[str]
    deleted: NotRequired[bool]


class HealthResponse(TypedDict):
    """How the service is: ``healthy``, ``degraded`` or ``critical``."""

    status: str
    timestamp: str
    version: NotRequired[str]
    service: NotRequired[str]
    checks: NotRequired[JSON]
