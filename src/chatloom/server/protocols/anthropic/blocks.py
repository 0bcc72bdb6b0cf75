"""Messages made of blocks, as messages in the words of the OpenAI chat API.

What is said is the same message on both wires, with the same hash: a single
text is a plain string, the texts of an answer are one, and what blocks hold
beside (``cache_control`` …) is for the provider alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from chatloom.core.http import JSON, UNREADABLE
from chatloom.server.chat.message import Message
from chatloom.server.refusal import Refusal, invalid
from chatloom.wire import anthropic as wire

UNPARSED = "unparsed_arguments"
"""The one name in a tool's input that stands for arguments which are no JSON object."""

MOST_MESSAGES = 10_000
"""Of a request, each result of a tool being one; there cannot be more on OpenAI's wire."""

_SAYS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"type", "text"}),
    "image": frozenset({"type", "source"}),
    "document": frozenset({"type", "source", "title"}),
    "tool_use": frozenset({"type", "id", "name", "input"}),
    "tool_result": frozenset({"type", "tool_use_id", "content"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
}
"""What a block says, by its type; all else it holds is for the provider alone."""

_MESSAGE = frozenset(Message.__struct_fields__)
"""What nothing beside it may seem to say."""

_SHOWN = frozenset({"text", "image", "document"})
_BY_ROLE: Mapping[str, frozenset[str]] = {
    "user": _SHOWN | {"tool_result"},
    "assistant": frozenset({"text", "tool_use", "thinking", "redacted_thinking"}),
    "system": frozenset({"text"}),
}


class Block:
    """A block, and where in the request it stands."""

    def __init__(self, fields: dict[str, JSON], place: str, kind: str) -> None:
        self.fields = fields
        self.place = place
        self.kind = kind

    def text(self, name: str) -> str:
        """The text in one of its fields. Raises `Refusal` for none."""
        told = self.fields.get(name)
        if not isinstance(told, str):
            raise self.lacks(name)
        return told

    def name(self, name: str) -> str:
        """The text in one of its fields, which may not be empty."""
        if not (told := self.text(name)):
            raise self.lacks(name)
        return told

    def object(self, name: str) -> dict[str, JSON]:
        """The object in one of its fields. Raises `Refusal` for none."""
        told = self.fields.get(name)
        if not isinstance(told, dict):
            raise self.lacks(name)
        return told

    def lacks(self, name: str) -> Refusal:
        """The refusal of a block whose field *name* is not what it should be."""
        return invalid(
            f"{self.place}: {name} is missing or of the wrong type", param=f"{self.place}.{name}"
        )


def read(told: Sequence[JSON], place: str, kinds: frozenset[str]) -> list[Block]:
    """Read blocks of these *kinds*. Raises `Refusal` for others, and for none at all."""
    if not told:
        raise invalid(f"{place} has no blocks", param=place)
    return [_block(one, f"{place}[{index}]", kinds) for index, one in enumerate(told)]


def _block(told: JSON, place: str, kinds: frozenset[str]) -> Block:
    if not isinstance(told, dict):
        raise invalid(f"{place} is no object", param=place)
    kind = told.get("type")
    if not isinstance(kind, str) or kind not in kinds:
        known = ", ".join(one for one in _SAYS if one in kinds)
        raise invalid(
            f"{place}: blocks of the type {repr(kind)[:100]} cannot be read here; {known} can",
            param=f"{place}.type",
        )
    return Block(told, place, kind)


def extra_of(blocks: Iterable[Block]) -> dict[str, JSON] | None:
    """What *blocks* hold for the provider alone; the last one that says something is right."""
    extra: dict[str, JSON] = {}
    for block in blocks:
        says = _SAYS[block.kind] | _MESSAGE
        extra |= {name: it for name, it in block.fields.items() if it and name not in says}
    return extra or None


def messages_of(told: Sequence[wire.InputMessage]) -> list[Message]:
    """The messages. Raises `Refusal` for blocks that make no sense, and for too many results."""
    messages = [
        message
        for index, one in enumerate(told)
        for message in _messages(one, f"messages[{index}].content")
    ]
    return bounded(messages, "messages")


def bounded(messages: list[Message], place: str) -> list[Message]:
    """The *messages*, which tool results may have made more than came. Raises `Refusal`."""
    if len(messages) > MOST_MESSAGES:
        raise invalid(
            f"{place}: with each tool's result there are more than {MOST_MESSAGES:,} messages",
            param=place,
        )
    return messages


def _messages(told: wire.InputMessage, place: str) -> list[Message]:
    if isinstance(told.content, str):
        return [Message(told.role, told.content)]
    if told.role == "assistant":
        # An answer may have been empty, or nothing but thoughts.
        return [_answer(read(told.content, place, _BY_ROLE[told.role]) if told.content else [])]
    blocks = read(told.content, place, _BY_ROLE[told.role])
    results = [block for block in blocks if block.kind == "tool_result"]
    said = [block for block in blocks if block.kind != "tool_result"]
    messages = [_result(block) for block in results]
    if said:
        messages.append(Message(told.role, content_of(said), extra=extra_of(said)))
    return messages


def _answer(blocks: Sequence[Block]) -> Message:
    told = [block for block in blocks if block.kind in {"text", "tool_use"}]
    text = "".join(block.text("text") for block in told if block.kind == "text")
    calls = [call_of(block) for block in told if block.kind == "tool_use"]
    return Message(
        role="assistant",
        content=text if text or not calls else None,
        tool_calls=calls or None,
        extra=extra_of(told),
    )


def call_of(block: Block) -> dict[str, JSON]:
    """The tool call that a block of the kind ``tool_use`` is."""
    function: dict[str, JSON] = {
        "name": block.name("name"),
        "arguments": arguments_of(block.object("input")),
    }
    return {"id": block.name("id"), "type": "function", "function": function}


def arguments_of(input: dict[str, JSON]) -> str:
    """A tool's *input* as the JSON text it is on OpenAI's wire."""
    unparsed = input.get(UNPARSED)
    if isinstance(unparsed, str) and len(input) == 1:
        return unparsed
    return msgspec.json.encode(input).decode()


def input_of(arguments: str) -> dict[str, JSON]:
    """A tool's input, whatever the model wrote."""
    if not arguments:
        return {}
    try:
        told: JSON = msgspec.json.decode(arguments)
    except UNREADABLE:
        told = None
    return told if isinstance(told, dict) else {UNPARSED: arguments}


def _result(block: Block) -> Message:
    id = block.name("tool_use_id")
    return Message("tool", _result_content(block), tool_call_id=id, extra=extra_of([block]))


def _result_content(block: Block) -> str | list[dict[str, JSON]]:
    told = block.fields.get("content") or ""
    if isinstance(told, list):
        return content_of(read(told, f"{block.place}.content", _SHOWN))
    if not isinstance(told, str):
        raise block.lacks("content")
    return told


def content_of(blocks: Sequence[Block]) -> str | list[dict[str, JSON]]:
    """What *blocks* show, as content; a text alone as a string."""
    parts = [_part(block) for block in blocks]
    text = parts[0].get("text") if len(parts) == 1 else None
    return text if isinstance(text, str) else parts


def _part(block: Block) -> dict[str, JSON]:
    if block.kind == "text":
        return {"type": "text", "text": block.text("text")}
    fields = block.object("source")
    source = Block(fields, f"{block.place}.source", str(fields.get("type")))
    return _image(source) if block.kind == "image" else _document(source, block.fields)


def _image(source: Block) -> dict[str, JSON]:
    url = _data_url(source, "image/") if source.kind == "base64" else source.text("url")
    if not url.startswith(("data:image/", "https://", "http://")):
        raise invalid(f"{source.place}: url is no http(s) address", param=f"{source.place}.url")
    return {"type": "image_url", "image_url": {"url": url}}


def _document(source: Block, fields: Mapping[str, JSON]) -> dict[str, JSON]:
    if source.kind == "text":
        return {"type": "text", "text": source.text("data")}
    if source.kind != "base64":
        raise invalid(
            f"{source.place}: documents come as base64 or text", param=f"{source.place}.type"
        )
    title = fields.get("title")
    file: dict[str, JSON] = {
        "filename": title if isinstance(title, str) and title else "document.pdf",
        "file_data": _data_url(source, "application/pdf"),
    }
    return {"type": "file", "file": file}


def _data_url(source: Block, expected: str) -> str:
    kind = source.text("media_type")
    if not kind.startswith(expected):
        raise invalid(
            f"{source.place}: media_type should be {expected}…, not {kind[:100]!r}",
            param=f"{source.place}.media_type",
        )
    return f"data:{kind};base64,{source.name('data')}"
