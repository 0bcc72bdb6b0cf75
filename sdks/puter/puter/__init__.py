"""Puter: chat with many models through one service."""

from puter.ai import PuterAI
from puter.answers import Answer, ToolCall
from puter.config import ConfigOptions, PuterConfig, config
from puter.drivers import Driver
from puter.exceptions import (
    PuterAnswerError,
    PuterAPIError,
    PuterAuthError,
    PuterConnectionError,
    PuterError,
    PuterRateLimitError,
    PuterSecondFactorError,
    PuterStatusError,
    PuterStreamError,
    PuterTimeoutError,
    PuterToolError,
    PuterToolLimitError,
    PuterTruncatedError,
    PuterUnreachableError,
)
from puter.plugins import Plugin, installed_plugins
from puter.serializers import Serializer
from puter.streaming import AsyncChatStream, ChatStream
from puter.tools import Tool
from puter.types import ChatMessage, ContentPart
from puter.usage import ModelUsage, Usage

__all__ = [
    "Answer",
    "AsyncChatStream",
    "ChatMessage",
    "ChatStream",
    "ConfigOptions",
    "ContentPart",
    "Driver",
    "ModelUsage",
    "Plugin",
    "PuterAI",
    "PuterAPIError",
    "PuterAnswerError",
    "PuterAuthError",
    "PuterConfig",
    "PuterConnectionError",
    "PuterError",
    "PuterRateLimitError",
    "PuterSecondFactorError",
    "PuterStatusError",
    "PuterStreamError",
    "PuterTimeoutError",
    "PuterToolError",
    "PuterToolLimitError",
    "PuterTruncatedError",
    "PuterUnreachableError",
    "Serializer",
    "Tool",
    "ToolCall",
    "Usage",
    "config",
    "installed_plugins",
]
