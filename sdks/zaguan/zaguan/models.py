"""The values that requests and answers are made of.

Requests are strict: what cannot be meant raises pydantic's `ValidationError`
before anything is sent. Answers are read tolerantly: what a server left out has
the default that stands here. Fields that nobody knows are kept in both.
"""

from zaguan._models.anthropic import (
    AnthropicMessage,
    AnthropicUsage,
    ContentBlock,
    CountTokensRequest,
    CountTokensResponse,
    MessagesDelta,
    MessagesRequest,
    MessagesResponse,
    MessagesStreamEvent,
)
from zaguan._models.catalogue import (
    Embedding,
    EmbeddingsRequest,
    EmbeddingsResponse,
    EmbeddingsUsage,
    HealthStatus,
    ModelCapabilities,
    ModelInfo,
)
from zaguan._models.chat import (
    ChatChunk,
    ChatRequest,
    ChatResponse,
    Choice,
    ChoiceDelta,
    ChunkChoice,
    FunctionCall,
    FunctionDelta,
    Message,
    Role,
    TokenDetails,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from zaguan._models.config import Config
from zaguan._models.credits import (
    CreditsBalance,
    CreditsHistory,
    CreditsHistoryEntry,
    CreditsStats,
)

__all__ = [
    "AnthropicMessage",
    "AnthropicUsage",
    "ChatChunk",
    "ChatRequest",
    "ChatResponse",
    "Choice",
    "ChoiceDelta",
    "ChunkChoice",
    "Config",
    "ContentBlock",
    "CountTokensRequest",
    "CountTokensResponse",
    "CreditsBalance",
    "CreditsHistory",
    "CreditsHistoryEntry",
    "CreditsStats",
    "Embedding",
    "EmbeddingsRequest",
    "EmbeddingsResponse",
    "EmbeddingsUsage",
    "FunctionCall",
    "FunctionDelta",
    "HealthStatus",
    "Message",
    "MessagesDelta",
    "MessagesRequest",
    "MessagesResponse",
    "MessagesStreamEvent",
    "ModelCapabilities",
    "ModelInfo",
    "Role",
    "TokenDetails",
    "ToolCall",
    "ToolCallDelta",
    "Usage",
]
