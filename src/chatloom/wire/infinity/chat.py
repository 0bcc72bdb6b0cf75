"""Chat, in one piece and in both ways of streaming it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from chatloom.core.http import JSON
from chatloom.wire.chatloom import Money
from chatloom.wire.infinity.common import Given, Id, Part, Told

LONGEST_MESSAGE = 5000
"""Characters that a message may have."""

Mode: TypeAlias = Literal["search", "assist", "build"]


class Preferences(Given):
    """What the user wants; what else stands here is told to the model as it is.

    `memory` is whether what is remembered of the user may enter the context.
    """

    memory: bool = True
    language: Annotated[str, Meta(max_length=100)] | None = None
    tone: Annotated[str, Meta(max_length=200)] | None = None


class Driving(Given):
    """How the user is driving; what else stands here is told to the model as it is."""

    enabled: bool = True


class ChatRequest(Given):
    """Something to be answered. `user_tier` means nothing: what one may do is the key's."""

    message: Annotated[str, Meta(min_length=1, max_length=LONGEST_MESSAGE)]
    conversation_id: Id | None = None
    user_id: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    user_tier: str | None = None
    mode: Mode | None = None
    user_context: dict[str, JSON] | None = None
    preferences: dict[str, JSON] | None = None
    essence: dict[str, JSON] | str | None = None
    session_id: Id | None = None
    driving_mode: bool | dict[str, JSON] | None = None
    stream: bool = False
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class ChatUsage(Part):
    """Tokens that an answer took."""

    prompt_tokens: int
    completion_tokens: int


class ChatMetadata(Part):
    """How an answer came about; `processing_time` is in milliseconds."""

    model: str
    tokens_used: int
    usage: ChatUsage | None
    finish_reason: str | None
    processing_time: int
    mode: Mode | None
    driving_mode: bool
    cost: Money | None
    turn_id: str
    conversation_id: str
    message_id: str | None
    memories_used: list[str]
    """Keys of what was remembered and told to the model."""
    knowledge_used: list[str]
    """Ids of the entries that were told to the model."""


class ChatAnswer(Told):
    """An answer in one piece."""

    response: str
    conversation_id: str
    message_id: str
    metadata: ChatMetadata


class TextFrame(Part, tag_field="type", tag="text"):
    """A piece of a streamed answer."""

    content: str


class MetadataFrame(Part, tag_field="type", tag="metadata"):
    """What is told of a streamed answer once it is stored."""

    metadata: ChatMetadata


class ErrorFrame(Part, tag_field="type", tag="error"):
    """A streamed answer that fails; nothing comes behind it."""

    error: str
    message: str
    code: str
    turn_id: str | UnsetType = UNSET


class StartEvent(Part, tag_field="type", tag="start"):
    """``event: start``."""

    conversation_id: str


class ChunkEvent(Part, tag_field="type", tag="chunk"):
    """``event: chunk``."""

    text: str


class DoneEvent(Part, tag_field="type", tag="done"):
    """``event: done``."""

    conversation_id: str
    message_id: str | None
    metadata: ChatMetadata


class HistoryQuery(Given):
    """Whose messages are meant."""

    conversation_id: Id
    user_id: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class HistoryMessage(Part):
    """A message of a conversation."""

    id: str
    role: str
    content: str
    created_at: str


class History(Told):
    """The messages of a conversation's main branch."""

    conversation_id: str
    messages: list[HistoryMessage]
