"""ChatServer: OpenAI-compatible chat completions, with sessions and administration."""

from chatserver_sdk.client import AsyncChatServerClient, ChatServerClient, create_client
from chatserver_sdk.exceptions import (
    BadRequestError,
    ChatServerConnectionError,
    ChatServerError,
    ChatServerTimeoutError,
    ForbiddenError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
    StreamInterruptedError,
    UnauthorizedError,
)
from chatserver_sdk.models import (
    ChatCompletionChoice,
    ChatCompletionRequest,
    ChatCompletionResponse,
    Message,
    MessageLike,
    MessageRole,
    ModelInfo,
    ModelsResponse,
    UsageInfo,
)
from chatserver_sdk.streaming import AsyncCompletionStream, CompletionStream, StreamMetadata

__all__ = [
    "AsyncChatServerClient",
    "AsyncCompletionStream",
    "BadRequestError",
    "ChatCompletionChoice",
    "ChatCompletionRequest",
    "ChatCompletionResponse",
    "ChatServerClient",
    "ChatServerConnectionError",
    "ChatServerError",
    "ChatServerTimeoutError",
    "CompletionStream",
    "ForbiddenError",
    "InternalServerError",
    "Message",
    "MessageLike",
    "MessageRole",
    "ModelInfo",
    "ModelsResponse",
    "NotFoundError",
    "RateLimitError",
    "StreamInterruptedError",
    "StreamMetadata",
    "UnauthorizedError",
    "UsageInfo",
    "create_client",
]
