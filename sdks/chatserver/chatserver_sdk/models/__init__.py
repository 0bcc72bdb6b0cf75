"""The values that requests and answers are made of.

What answers hold is read by ``from_dict``, what requests hold is written by
``to_dict``. Reading is tolerant: what the document does not name is kept in
`extra`, what a server left out gets the default that stands here, and what older
servers call by another name is found, and stays in `extra` under that name. Every
time is aware of its zone.
"""

from chatserver_sdk.models.completions import (
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
from chatserver_sdk.models.platform import (
    AdminResponse,
    AuditEntry,
    AuditLogResponse,
    PlatformAdmin,
    PlatformAdmins,
    PlatformStats,
    SystemHealth,
)
from chatserver_sdk.models.sessions import (
    ChatMessageRecord,
    ChatSessionDetailResponse,
    ChatSessionListResponse,
    ChatSessionSummary,
)

__all__ = [
    "AdminResponse",
    "AuditEntry",
    "AuditLogResponse",
    "ChatCompletionChoice",
    "ChatCompletionRequest",
    "ChatCompletionResponse",
    "ChatMessageRecord",
    "ChatSessionDetailResponse",
    "ChatSessionListResponse",
    "ChatSessionSummary",
    "Message",
    "MessageLike",
    "MessageRole",
    "ModelInfo",
    "ModelsResponse",
    "PlatformAdmin",
    "PlatformAdmins",
    "PlatformStats",
    "SystemHealth",
    "UsageInfo",
]
