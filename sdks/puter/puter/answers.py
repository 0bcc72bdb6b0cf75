"""What the services answer, in any of their shapes.

Newer services first:

    {"success", "result": {"message": {"content"}, "finish_reason", "usage"}}   OpenAI's families
    {"success", "result": {"message": {"content": [{"type": "text", "text"}]}}} Claude's
    {"success", "result": "text"}, {"result": {"content"}}, {"content"} …       older ones
    {"success": false, "error": {"code", "message", "status"}}                  with status 200
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec

from chatloom.core.http import JSON
from puter.types import ChatMessage, ToolCallMessage

__all__ = ["Answer", "ToolCall"]

Object: TypeAlias = Mapping[str, JSON]


class ToolCall(msgspec.Struct, frozen=True):
    """A call of a tool that a model asks for."""

    id: str
    name: str
    arguments: str
    """As JSON."""

    @property
    def told(self) -> ToolCallMessage:
        """It, as a message tells it."""
        function: Literal["function"] = "function"
        called: ToolCallMessage = {
            "id": self.id,
            "type": function,
            "function": {"name": self.name, "arguments": self.arguments},
        }
        return called


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model answered."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: JSON = None
    """In the service's words."""
    metadata: Object = {}
    """Who answered, and where the answer stands, where the service tells."""

    @property
    def message(self) -> ChatMessage:
        """It, as the next request tells it."""
        if not self.tool_calls:
            return {"role": "assistant", "content": self.text}
        calls = [call.told for call in self.tool_calls]
        return {"role": "assistant", "content": self.text or None, "tool_calls": calls}


decoded: Callable[[bytes | str], JSON] = msgspec.json.Decoder().decode
"""Read any JSON."""


def answer(told: JSON) -> Answer:
    """Read an answer. Raises `msgspec.ValidationError` where it holds neither text nor calls."""
    root = mapping(told)
    result = root.get("result")
    calls = tuple(_calls(result))
    text = next((text for text in map(_text, _places(root)) if text is not None), None)
    if text is None and not calls:
        raise msgspec.ValidationError("it holds no text, and calls no tool")
    usage = mapping(result).get("usage") or _message(result).get("usage")
    metadata = mapping(root.get("metadata"))
    return Answer(text=text or "", tool_calls=calls, usage=usage, metadata=metadata)


def mapping(value: JSON) -> Object:
    """An object; an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def _places(root: Object) -> Iterator[JSON]:
    """Where the text of an answer may be, first the most likely."""
    result = root.get("result")
    yield mapping(mapping(result).get("message")).get("content")
    yield mapping(result).get("content")
    yield result if isinstance(result, str) else None
    yield _message(_first(mapping(result).get("choices"))).get("content")
    yield mapping(result).get("text")
    yield root.get("content")
    yield root.get("text")


def _text(content: JSON) -> str | None:
    """A text, or those of a message's parts; `None` where there is none."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    told = [part if isinstance(part, str) else mapping(part).get("text") for part in parts]
    texts = [text for text in told if isinstance(text, str)]
    return "".join(texts) if texts else None


def _message(result: JSON) -> Object:
    return mapping(mapping(result).get("message"))


def _first(value: JSON) -> JSON:
    return value[0] if isinstance(value, list) and value else None


def _calls(result: JSON) -> Iterator[ToolCall]:
    """The calls of an answer, in OpenAI's shape or in Claude's."""
    for message in (_message(result), _message(_first(mapping(result).get("choices")))):
        calls = message.get("tool_calls")
        for number, told in enumerate(calls if isinstance(calls, list) else []):
            function = mapping(mapping(told).get("function"))
            yield tool_call(mapping(told).get("id"), function, "arguments", number)
        parts = message.get("content")
        for number, part in enumerate(parts if isinstance(parts, list) else []):
            if mapping(part).get("type") == "tool_use":
                yield tool_call(mapping(part).get("id"), mapping(part), "input", number)


def tool_call(id: JSON, told: Object, arguments: str, number: int) -> ToolCall:
    """Read a call, whose arguments are told as JSON, or in a text of it."""
    given = told.get(arguments)
    text = given if isinstance(given, str) else msgspec.json.encode(given or {}).decode()
    name = told.get("name")
    return ToolCall(
        id if isinstance(id, str) and id else f"call_{number}",
        name if isinstance(name, str) else "",
        text or "{}",
    )


def is_refusal(told: JSON) -> bool:
    """Whether an answer says that it is no success."""
    return mapping(told).get("success") is False


def refusal_status(told: JSON) -> int:
    """The status that a failure means which came with status 200."""
    status = mapping(mapping(told).get("error")).get("status")
    if isinstance(status, int) and 400 <= status <= 599:
        return status
    return _STATUSES.get(str(mapping(mapping(told).get("error")).get("code")), 400)


_STATUSES = {
    "token_missing": 401,
    "token_auth_failed": 401,
    "reauth_required": 401,
    "insufficient_funds": 402,
    "forbidden": 403,
    "not_found": 404,
    "too_many_requests": 429,
    "rate_limit_exceeded": 429,
    "internal_error": 500,
}
"""By code, where an older service tells no status."""


def models(told: JSON) -> dict[str, str | None]:
    """The models of a service, each with its provider where that is told."""
    listed = mapping(told).get("models")
    if not isinstance(listed, list):
        raise msgspec.ValidationError("it holds no models")
    found: dict[str, str | None] = {}
    for one in listed:
        id = one if isinstance(one, str) else mapping(one).get("id")
        provider = mapping(one).get("provider")
        if isinstance(id, str):
            found[id] = provider if isinstance(provider, str) else None
    return found
