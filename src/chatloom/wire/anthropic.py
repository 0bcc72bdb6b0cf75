"""The Messages API of Anthropic.

Only what chatloom acts upon is named; a request's other fields are forwarded,
and so are the fields of its blocks that are no part of what they say.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chatloom.core.http import JSON

Fraction = Annotated[float, Meta(ge=0, le=1)]
Block: TypeAlias = dict[str, JSON]
"""A block of a request's content; its ``type`` says what else it holds."""


class InputMessage(msgspec.Struct):
    """A message of a request."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class InputTool(msgspec.Struct, kw_only=True):
    """A tool on offer; `type` is ``custom``, or names one that Anthropic defines."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, JSON] | None = None
    strict: bool | None = None


class ToolChoice(msgspec.Struct, kw_only=True):
    """How freely the model may call tools; ``tool`` is the one with this `name`."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class CountRequest(msgspec.Struct, kw_only=True):
    """The body of ``POST /v1/messages/count_tokens``."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[InputMessage], Meta(min_length=1, max_length=10_000)]
    system: str | list[Block] | None = None
    tools: Annotated[list[InputTool], Meta(max_length=128)] | None = None
    tool_choice: ToolChoice | None = None


class MessageRequest(CountRequest, kw_only=True):
    """The body of ``POST /v1/messages``."""

    max_tokens: Annotated[int, Meta(ge=1)]
    temperature: Fraction | None = None
    top_p: Fraction | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=64)] | None = None
    stream: bool | None = None
    thinking: dict[str, JSON] | None = None
    output_config: dict[str, JSON] | None = None
    metadata: dict[str, JSON] | None = None


class TokenCount(msgspec.Struct):
    """How many tokens a request has."""

    input_tokens: int


class MessageUsage(msgspec.Struct, kw_only=True):
    """Tokens an answer took; those read from a cache are not among `input_tokens`."""

    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    estimated: bool | UnsetType = UNSET
    """Beyond Anthropic: the provider did not count, and this is a guess."""


class TextBlock(msgspec.Struct, tag_field="type", tag="text"):
    """Text of an answer."""

    text: str


class ThinkingBlock(msgspec.Struct, tag_field="type", tag="thinking"):
    """What the model thought before it answered; nobody signs it here."""

    thinking: str
    signature: str = ""


class ToolUseBlock(msgspec.Struct, tag_field="type", tag="tool_use"):
    """A tool that the model wants called."""

    id: str
    name: str
    input: dict[str, JSON]


ContentBlock: TypeAlias = TextBlock | ThinkingBlock | ToolUseBlock

StopReason: TypeAlias = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]


class MessageAnswer(msgspec.Struct, kw_only=True):
    """The answer to a plain request, and what ``message_start`` holds of one."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    model: str
    content: list[ContentBlock]
    stop_reason: StopReason | None = None
    stop_sequence: str | None = None
    usage: MessageUsage
    conversation_id: str
    """Beyond Anthropic: where it is kept."""


class MessageStart(msgspec.Struct, tag_field="type", tag="message_start"):
    """An answer begins."""

    message: MessageAnswer


class BlockStart(msgspec.Struct, tag_field="type", tag="content_block_start"):
    """A block of the answer begins."""

    index: int
    content_block: ContentBlock


class TextDelta(msgspec.Struct, tag_field="type", tag="text_delta"):
    """Some more text."""

    text: str


class ThinkingDelta(msgspec.Struct, tag_field="type", tag="thinking_delta"):
    """Some more of what the model thought."""

    thinking: str


class InputDelta(msgspec.Struct, tag_field="type", tag="input_json_delta"):
    """Some more of a tool's input, as JSON text that is whole with the block's end."""

    partial_json: str


class BlockDelta(msgspec.Struct, tag_field="type", tag="content_block_delta"):
    """A block grows."""

    index: int
    delta: TextDelta | ThinkingDelta | InputDelta


class BlockStop(msgspec.Struct, tag_field="type", tag="content_block_stop"):
    """A block is whole."""

    index: int


class Stop(msgspec.Struct):
    """How an answer ended."""

    stop_reason: StopReason | None
    stop_sequence: str | None = None


class MessageDelta(msgspec.Struct, tag_field="type", tag="message_delta"):
    """How the answer ended, and what it took."""

    delta: Stop
    usage: MessageUsage


class MessageStop(msgspec.Struct, tag_field="type", tag="message_stop"):
    """The answer is whole."""


class Ping(msgspec.Struct, tag_field="type", tag="ping"):
    """The server is still there; chatloom says so in comments."""


class ErrorDescription(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What went wrong. There may be more fields, by the type of error."""

    type: str
    message: str
    details: dict[str, JSON] | None = None
    """Holds ``error_code``, a word for programs, and what else is known."""


class MessageError(msgspec.Struct, tag_field="type", tag="error", omit_defaults=True):
    """The body of an error, and the event that ends a stream which failed."""

    error: ErrorDescription
    request_id: str | None = None
    usage: MessageUsage | None = None
    """Beyond Anthropic: what a stream had taken until it failed."""


Event: TypeAlias = (
    MessageStart
    | BlockStart
    | BlockDelta
    | BlockStop
    | MessageDelta
    | MessageStop
    | Ping
    | MessageError
)
"""What an event of a stream holds; its name is the tag."""
