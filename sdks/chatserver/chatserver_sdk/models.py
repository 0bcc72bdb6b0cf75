"""The values that requests and answers are made of.

What answers hold is read by ``from_dict``, what requests hold is written by
``to_dict``. Reading is tolerant: what the document does not name is kept in
`extra`, what a server left out gets the default that stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TypeAlias, cast

from chatloom.core.http import JSON

__all__ = [
    "ChatCompletionChoice",
    "ChatCompletionRequest",
    "ChatCompletionResponse",
    "Message",
    "MessageLike",
    "MessageRole",
    "ModelInfo",
    "ModelsResponse",
    "UsageInfo",
]


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
        calls = data.get("tool_calls")
        return cls(
            role=_role(data.get("role")),
            content=_text(data.get("content")),
            name=_optional_text(data.get("name")),
            tool_calls=_dicts(calls) if calls else None,
            tool_call_id=_optional_text(data.get("tool_call_id")),
            extra=_rest(cls, data),
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
        prompt = _integer(data.get("prompt_tokens"))
        completion = _integer(data.get("completion_tokens"))
        total = _integer(data.get("total_tokens")) or prompt + completion
        return cls(prompt, completion, total, _rest(cls, data))


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
        return cls(
            _integer(data.get("index")),
            Message.from_dict(_dict(data.get("message"))),
            _optional_text(data.get("finish_reason")),
            _rest(cls, data),
        )


@dataclass
class ChatCompletionResponse:
    """A completion.

    `system_fingerprint` is the id of the session the exchange belongs to;
    `created` is in seconds since 1970.
    """

    id: str
    object: str
    created: int
    model: str
    choices: list[ChatCompletionChoice]
    usage: UsageInfo
    system_fingerprint: str | None = None
    extra: dict[str, JSON] = field(default_factory=dict[str, JSON], repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> ChatCompletionResponse:
        """Read a completion."""
        return cls(
            id=_text(data.get("id")),
            object=_text(data.get("object")) or "chat.completion",
            created=_integer(data.get("created")),
            model=_text(data.get("model")),
            choices=[ChatCompletionChoice.from_dict(item) for item in _dicts(data.get("choices"))],
            usage=UsageInfo.from_dict(_dict(data.get("usage"))),
            system_fingerprint=_optional_text(data.get("system_fingerprint")),
            extra=_rest(cls, data),
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
        length = data.get("context_length", data.get("max_tokens"))
        return cls(
            id=_text(data.get("id")),
            object=_text(data.get("object")) or "model",
            created=_integer(data.get("created")),
            owned_by=_optional_text(data.get("owned_by")),
            provider=_optional_text(data.get("provider")),
            description=_optional_text(data.get("description")),
            context_length=length if isinstance(length, int) else None,
            capabilities=[str(item) for item in _items(data.get("capabilities"))],
            extra=_rest(cls, data),
        )


@dataclass
class ModelsResponse:
    """The models on offer."""

    data: list[ModelInfo]
    object: str = "list"

    @classmethod
    def from_dict(cls, data: Mapping[str, JSON]) -> ModelsResponse:
        """Read a list of models."""
        return cls([ModelInfo.from_dict(item) for item in _dicts(data.get("data"))])


def _rest(kind: type, data: Mapping[str, JSON]) -> dict[str, JSON]:
    known = _NAMES.get(kind)
    if known is None:
        known = _NAMES[kind] = frozenset(one.name for one in fields(kind))
    if data.keys() <= known:
        return {}
    return {name: value for name, value in data.items() if name not in known}


_NAMES: dict[type, frozenset[str]] = {}


def _role(value: JSON) -> MessageRole:
    return _ROLES.get(str(value), MessageRole.ASSISTANT)


_ROLES = {role.value: role for role in MessageRole}


def _text(value: JSON) -> str:
    """Text, or the text parts of a list of parts, joined."""
    if isinstance(value, str):
        return value
    return "".join(_text(part.get("text")) for part in _dicts(value))


def _optional_text(value: JSON) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: JSON) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _dict(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


def _items(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []


def _dicts(value: JSON) -> list[dict[str, JSON]]:
    return [item for item in _items(value) if isinstance(item, dict)]
