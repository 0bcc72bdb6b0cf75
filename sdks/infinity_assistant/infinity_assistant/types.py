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

__all__ = [
    "ApiKey",
    "ApiKeyListResponse",
    "ApiKeyResponse",
    "ChatDoneChunk",
    "ChatMetadata",
    "ChatMetadataChunk",
    "ChatMode",
    "ChatRequest",
    "ChatResponse",
    "ChatStreamChunk",
    "ChatTextChunk",
    "DeleteResponse",
    "HealthResponse",
    "KnowledgeEntry",
    "KnowledgeEntryResponse",
    "KnowledgeFilters",
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
    "NewApiKey",
    "NewWebhook",
    "ResearchDepth",
    "ResearchRequest",
    "ResearchResponse",
    "ResearchResult",
    "Storable",
    "UserTier",
    "Webhook",
    "WebhookListResponse",
    "WebhookResponse",
]

UserTier: TypeAlias = Literal["free", "pro", "enterprise"]
ChatMode: TypeAlias = Literal["search", "assist", "build"]
ResearchDepth: TypeAlias = Literal["shallow", "medium", "deep"]


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


class ChatMetadata(TypedDict, total=False):
    """How an answer came about; `processingTime` is in milliseconds."""

    conversationId: str
    messageId: str
    model: str
    tokensUsed: int
    processingTime: float
    finishReason: str
    timestamp: str
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


class ResearchRequest(TypedDict):
    """What to find out, how thoroughly, and from how many sources."""

    query: str
    depth: NotRequired[ResearchDepth]
    sources: NotRequired[int]


class ResearchResult(TypedDict):
    """A source; `relevance` is from 0 to 1."""

    title: str
    url: str
    summary: NotRequired[str]
    relevance: NotRequired[float]


class ResearchResponse(TypedDict):
    """What was found out."""

    success: bool
    results: list[ResearchResult]
    summary: str
    error: NotRequired[str | None]


class DeleteResponse(TypedDict):
    """Something is gone."""

    success: bool
    message: NotRequired[str]


class HealthResponse(TypedDict):
    """How the service is: ``healthy``, ``degraded`` or ``critical``."""

    status: str
    timestamp: str
    version: NotRequired[str]
    service: NotRequired[str]
    checks: NotRequired[JSON]
