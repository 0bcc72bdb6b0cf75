"""What goes over the wire, as types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypeAlias, TypedDict

from chatloom.core.http import JSON

__all__ = [
    "ChatArguments",
    "ChatMessage",
    "ContentPart",
    "ImagePart",
    "TextPart",
    "ToolCallMessage",
    "Url",
    "VideoPart",
]


class TextPart(TypedDict):
    """Words."""

    type: Literal["text"]
    text: str


class Url(TypedDict):
    """Where a medium is; ``data:`` addresses hold it themselves."""

    url: str
    detail: NotRequired[str]


class ImagePart(TypedDict):
    """A picture."""

    type: NotRequired[Literal["image_url"]]
    image_url: Url


class VideoPart(TypedDict):
    """A film."""

    type: NotRequired[Literal["video_url"]]
    video_url: Url


ContentPart: TypeAlias = "str | TextPart | ImagePart | VideoPart | Mapping[str, JSON]"
"""A part of a question, maybe of a kind that only the service knows; a text is one in words."""


class CalledFunction(TypedDict):
    """Which function a model calls, and its arguments as JSON."""

    name: str
    arguments: str


class ToolCallMessage(TypedDict):
    """A call of a tool, as an assistant's message has it."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class ChatMessage(TypedDict):
    """What somebody said."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | Sequence[ContentPart] | None
    tool_calls: NotRequired[Sequence[ToolCallMessage]]
    tool_call_id: NotRequired[str]


class ChatArguments(TypedDict, total=False):
    """What may be asked of a model beside the question; `None` is the same as left out."""

    temperature: float | None
    """0.7 unless told otherwise; 0 is sent."""
    max_tokens: int | None
    """4096 unless told otherwise; 0 is sent."""
    top_p: float | None
    tool_choice: Literal["auto", "none", "required"] | Mapping[str, JSON] | None
    parallel_tool_calls: bool | None
    reasoning_effort: str | None
    verbosity: str | None
    provider: str | None
    """Whose model it is to be, where several have one of the name."""
    response: Mapping[str, JSON] | None
    metadata: Mapping[str, JSON] | None
    """What is told beside the question. With a ``conversation_id`` (``session_id``, or
    ``parent_message_id``) the question goes on there, and `chat_history` is not told."""
    test_mode: bool | None
    extra_args: Mapping[str, JSON] | None
    """Any other argument, by its name on the wire."""
