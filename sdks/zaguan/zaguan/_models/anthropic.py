"""The Messages API of Anthropic, which CoreX speaks, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from chatloom.core.http import JSON
from zaguan._models.base import Answer, Count, Model, Question


class ContentBlock(Answer):
    """Part of a message: by its `type`, text, thinking, a tool's use or result, or more."""

    type: str = "text"
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, JSON] | None = None


class AnthropicMessage(Question):
    """One message of a conversation; what an answer held can be given back."""

    role: Literal["user", "assistant", "system"]
    content: str | Sequence[ContentBlock | Mapping[str, object]]


class CountTokensRequest(Question):
    """What to count. Fields that are not named here travel, too."""

    model: str
    messages: list[AnthropicMessage]
    system: str | Sequence[Mapping[str, object]] | None = None
    tools: Sequence[Mapping[str, object]] | None = None
    tool_choice: Mapping[str, object] | None = None
    thinking: Mapping[str, object] | None = None
    output_config: Mapping[str, object] | None = None


class MessagesRequest(CountTokensRequest):
    """What to answer, in at most `max_tokens`, and how."""

    max_tokens: int
    stream: bool | None = False
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    stop_sequences: Sequence[str] | None = None
    metadata: Mapping[str, object] | None = None


class AnthropicUsage(Answer):
    """Tokens an answer took; zeros where the server told none.

    `estimated` where nobody counted, and the figures are a guess.
    """

    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    estimated: bool | None = None


class MessagesResponse(Answer):
    """An answer; `conversation_id` is where a chatloom server keeps it."""

    id: str = ""
    type: str = "message"
    role: str = "assistant"
    content: list[ContentBlock] = Field(default_factory=list[ContentBlock])
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: AnthropicUsage = Field(default_factory=AnthropicUsage)
    conversation_id: str | None = None

    @property
    def text(self) -> str:
        """The text of all its blocks."""
        return "".join(block.text for block in self.content if block.text)


class MessagesDelta(Model):
    """What an event adds: to a block by its `type`, or to the message how it ended."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class MessagesStreamEvent(Answer):
    """One event of a streamed answer.

    By its `type`: ``message_start`` has the `message`; ``content_block_start`` the
    `content_block` at an `index`, to which each ``content_block_delta`` adds its
    `delta`; ``message_delta`` says how it ended, and the `usage`.
    """

    type: str
    index: Count | None = None
    message: MessagesResponse | None = None
    content_block: ContentBlock | None = None
    delta: MessagesDelta | None = None
    usage: AnthropicUsage | None = None

    @property
    def text(self) -> str:
        """What it adds to the text."""
        told = self.content_block if self.delta is None else self.delta
        return "" if told is None else told.text or ""


class CountTokensResponse(Answer):
    """How many tokens a request would take."""

    input_tokens: Count
