"""Messages, completions, and the models on offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias, cast

from chatloom.core.http import JSON
from chatserver_sdk.answers import dicts, integer, items, mapping, optional_text, text


class MessageRole(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass
class Message:
    """One message of a conversation.

    `content` is ``""`` where the answer has none, as beside tool calls.
    """

    role: MessageRole
    content: str
    name: str | None = None
    tool_calls: list[dict[str, JSON]] | None = None
    tool_call_id: str | None = None
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> Message:
        """Read a message; a role nobody knows counts as the assistant's."""
        rest = dict(data)
        calls = rest.pop("tool_calls", None)
        return cls(
            role=role(rest.pop("role", None)),
            content=text(rest.pop("content", None)),
            name=optional_text(rest.pop("name", None)),
            tool_calls=dicts(calls) if calls else None,
            tool_call_id=optional_text(rest.pop("tool_call_id", None)),
            extra=rest,
        )

    def to_dict(self) -> dict[str, JSON]:
        """Write the message as the API takes it."""
        data: dict[str, JSON] = {"role": MessageRole(self.role).value, "content": self.content}
        if self.name is not None:
            data["name"] = self.name
        if self.tool_calls:
            data["tool_calls"] = cast("list[JSON]", self.tool_calls)
        if self.tool_call_id is not None:
            data["tool_call_id"] = self.tool_call_id
        return data


MessageLike: TypeAlias = Message | Mapping[str, object] | str
"""A message, a dict as the API takes it, or a text that the user says."""


def message_dicts(messages: Sequence[MessageLike]) -> list[dict[str, object]]:
    """Write *messages*, each in whichever form it is, as the API takes them."""
    if isinstance(messages, str):
        raise TypeError("messages is a list; did you mean [text]?")
    return [_message_dict(message) for message in messages]


def _message_dict(message: MessageLike) -> dict[str, object]:
    if isinstance(message, str):
        return {"role": "user", "content": message}
    if isinstance(message, Message):
        return dict(message.to_dict())
    if not isinstance(cast("object", message), Mapping):
        kind = type(message).__name__
        raise TypeError(f"a message is a Message, a dict or a text, not {kind}")
    plain = dict(message)
    if isinstance(role := plain.get("role"), MessageRole):
        plain["role"] = role.value
    return plain


@dataclass
class ChatCompletionRequest:
    """Everything a completion can be asked with, as one value.

    `temperature` is from 0 to 2, `top_p` from 0 to 1.
    """

    model: str
    messages: list[Message]
    temperature: float = 0.7
    max_tokens: int = 4000
    top_p: float = 1.0
    stream: bool = False
    user: str | None = None
    system_prompt: str | None = None
    metadata: dict[str, JSON] | None = None

    def to_dict(self) -> dict[str, JSON]:
        """Write the request as the API takes it."""
        data: dict[str, JSON] = {
            "model": self.model,
            "messages": [message.to_dict() for message in self.messages],
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "top_p": self.top_p,
            "stream": self.stream,
        }
        if self.user:
            data["user"] = self.user
        if self.system_prompt:
            data["system_prompt"] = self.system_prompt
        if self.metadata:
            data["metadata"] = self.metadata
        return data


@dataclass
class UsageInfo:
    """Tokens an answer took."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> UsageInfo:
        """Read a usage; a missing total is the sum."""
        rest = dict(data)
        prompt = integer(rest.pop("prompt_tokens", None))
        completion = integer(rest.pop("completion_tokens", None))
        total = integer(rest.pop("total_tokens", None)) or prompt + completion
        return cls(prompt, completion, total, rest)


@dataclass
class ChatCompletionChoice:
    """One answer of possibly several."""

    index: int
    message: Message
    finish_reason: str | None = None
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> ChatCompletionChoice:
        """Read a choice."""
        rest = dict(data)
        return cls(
            integer(rest.pop("index", None)),
            Message.from_dict(mapping(rest.pop("message", None))),
            optional_text(rest.pop("finish_reason", None)),
            rest,
        )


@dataclass
class ChatCompletionResponse:
    """A completion.

    `system_fingerprint` is the id of the session the exchange belongs to;
    `created` is in seconds since 1970. `metadata` says where the answer stands in its
    conversation; a request's `metadata` may go on from there.
    """

    id: str
    object: str
    created: int
    model: str
    choices: list[ChatCompletionChoice]
    usage: UsageInfo
    system_fingerprint: str | None = None
    metadata: dict[str, JSON] | None = None
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> ChatCompletionResponse:
        """Read a completion."""
        rest = dict(data)
        choices = dicts(rest.pop("choices", None))
        return cls(
            id=text(rest.pop("id", None)),
            object=text(rest.pop("object", None)) or "chat.completion",
            created=integer(rest.pop("created", None)),
            model=text(rest.pop("model", None)),
            choices=[ChatCompletionChoice.from_dict(choice) for choice in choices],
            usage=UsageInfo.from_dict(mapping(rest.pop("usage", None))),
            system_fingerprint=optional_text(rest.pop("system_fingerprint", None)),
            metadata=mapping(rest.pop("metadata", None)) or None,
            extra=rest,
        )


@dataclass
class ModelInfo:
    """A model on offer. `created` is in seconds since 1970, `context_length` in tokens."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str | None = None
    provider: str | None = None
    description: str | None = None
    context_length: int | None = None
    capabilities: list[str] = field(default_factory=list[str])
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> ModelInfo:
        """Read a model; older servers say ``max_tokens`` for its context."""
        rest = dict(data)
        length = rest.pop("context_length", rest.get("max_tokens"))
        return cls(
            id=text(rest.pop("id", None)),
            object=text(rest.pop("object", None)) or "model",
            created=integer(rest.pop("created", None)),
            owned_by=optional_text(rest.pop("owned_by", None)),
            provider=optional_text(rest.pop("provider", None)),
            description=optional_text(rest.pop("description", None)),
            context_length=length if isinstance(length, int) else None,
            capabilities=[str(item) for item in items(rest.pop("capabilities", None))],
            extra=rest,
        )


@dataclass
class ModelsResponse:
    """The models on offer."""

    data: list[ModelInfo]
    object: str = "list"

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> ModelsResponse:
        """Read a list of models."""
        return cls([ModelInfo.from_dict(item) for item in dicts(data.get("data"))])


def role(value: JSON) -> MessageRole:
    """Who speaks; a role nobody knows counts as the assistant's."""
    return _ROLES.get(str(value), MessageRole.ASSISTANT)


_ROLES = {known.value: known for known in MessageRole}
