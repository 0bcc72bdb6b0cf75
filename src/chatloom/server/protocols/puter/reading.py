"""Messages as Puter's clients tell them, in the words that every protocol's become.

A message may be a bare text, a part of one too, and a part may say what it is by its
fields alone. What an answer said comes back in the words of either family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from chatloom.core.http import JSON
from chatloom.server.call import convert
from chatloom.server.chat.message import Message
from chatloom.server.models.driver import Parameters
from chatloom.server.protocols.anthropic.blocks import Block, bounded, call_of
from chatloom.server.protocols.puter.images import is_image_url
from chatloom.server.refusal import Refusal, invalid
from chatloom.wire import puter as wire

_NOT_FORWARDED = frozenset(wire.ChatArguments.__struct_fields__) | {
    *("auth_token", "compaction", "context_management", "custom", "image_config"),
    *("moderation", "store", "vision"),
}
"""What is said to chatloom, or to Puter's service alone."""


def read_arguments(told: Mapping[str, JSON]) -> wire.ChatArguments:
    """Read what ``complete`` is called with. Raises `Refusal`."""
    asked = convert(told, wire.ChatArguments, within="args")
    if asked.previous_response_id is not None:
        raise invalid(
            "args.previous_response_id: there are no responses here; a talk goes on by"
            " metadata.conversation_id",
            param="args.previous_response_id",
        )
    return asked


def parameters_of(asked: wire.ChatArguments, told: Mapping[str, JSON]) -> Parameters:
    """What the model is asked for."""
    longest = asked.max_completion_tokens
    return Parameters(
        max_tokens=asked.max_tokens if longest is None else longest,
        temperature=asked.temperature,
        top_p=asked.top_p,
        tools=cast("list[dict[str, JSON]]", told.get("tools") or []),
        tool_choice=asked.tool_choice,
        parallel_tool_calls=asked.parallel_tool_calls,
    )


def extra_of(asked: wire.ChatArguments, told: Mapping[str, JSON]) -> dict[str, JSON]:
    """What is for the provider alone."""
    extra = {name: value for name, value in told.items() if name not in _NOT_FORWARDED}
    effort = asked.reasoning_effort or (asked.reasoning and asked.reasoning.effort)
    verbosity = asked.verbosity or (asked.text and asked.text.verbosity)
    if effort:
        extra["reasoning_effort"] = effort
    if verbosity:
        extra["verbosity"] = verbosity
    return extra


def messages_of(told: Sequence[JSON]) -> list[Message]:
    """The messages. Raises `Refusal` for parts that make no sense, and for too many results."""
    messages = [
        message
        for index, one in enumerate(told)
        for message in _messages(one, f"args.messages[{index}]")
    ]
    return bounded(messages, "args.messages")


def _messages(told: JSON, place: str) -> list[Message]:
    if isinstance(told, str):
        return [Message("user", told)]
    if not isinstance(told, dict):
        raise invalid(f"{place} is neither a text nor an object", param=place)
    message = convert(told, wire.PuterMessage, within=place)
    calls = cast("list[dict[str, JSON]]", told.get("tool_calls") or [])
    if message.role == "tool" and not message.tool_call_id:
        raise _lacks(place, "tool_call_id")
    if message.role == "assistant":
        return [_answer(message, calls, place)]
    if message.content is None:
        raise _lacks(place, "content")
    parts = _parts(message.content, f"{place}.content")
    results = [_result(part) for part in parts if part.kind == "tool_result"]
    said = [part for part in parts if part.kind != "tool_result"]
    if said:
        content = _content(said)
        results.append(Message(message.role, content, tool_call_id=message.tool_call_id))
    return results


def _parts(content: str | list[JSON], place: str) -> list[Block]:
    if isinstance(content, str):
        return [Block({"text": content}, place, "text")]
    if not content:
        raise invalid(f"{place} has no parts", param=place)
    return [_part(one, f"{place}[{index}]") for index, one in enumerate(content)]


def _part(told: JSON, place: str) -> Block:
    if isinstance(told, str):
        return Block({"text": told}, place, "text")
    if not isinstance(told, dict):
        raise invalid(f"{place} is neither a text nor an object", param=place)
    kind = told.get("type", next((one for one in _SHOWN if one in told), None))
    if not isinstance(kind, str) or kind not in _KINDS:
        raise invalid(
            f"{place}: such a part cannot be read here; there are {', '.join(_KINDS)}",
            param=f"{place}.type",
        )
    return Block(told, place, kind)


def _answer(message: wire.PuterMessage, calls: list[dict[str, JSON]], place: str) -> Message:
    """An answer that was given before; its text is one, however many parts it came in."""
    parts = _parts(message.content, f"{place}.content") if message.content else []
    for part in parts:
        if part.kind not in {"text", "tool_use", "thinking"}:
            raise invalid(f"{part.place}: an answer has no {part.kind}", param=part.place)
    calls = [*calls, *(call_of(part) for part in parts if part.kind == "tool_use")]
    text = "".join(part.text("text") for part in parts if part.kind == "text")
    if message.content is None and not calls:
        raise _lacks(place, "content")
    return Message("assistant", text if text or not calls else None, tool_calls=calls or None)


def _result(part: Block) -> Message:
    content = part.fields.get("content") or ""
    if not isinstance(content, str | list):
        raise part.lacks("content")
    parts = _parts(content, f"{part.place}.content")
    return Message("tool", _content(parts), tool_call_id=part.name("tool_use_id"))


def _content(parts: Sequence[Block]) -> str | list[dict[str, JSON]]:
    """What *parts* show; a text alone as itself."""
    told: list[dict[str, JSON]] = []
    for part in parts:
        show = _SHOWN.get(part.kind)
        if show is None:
            raise invalid(f"{part.place}: only an answer has {part.kind}", param=part.place)
        told.append({"type": part.kind, part.kind: show(part)})
    return parts[0].text("text") if len(parts) == 1 and parts[0].kind == "text" else told


def _image(part: Block) -> JSON:
    shown = part.object("image_url")
    url = shown.get("url")
    if not isinstance(url, str) or not is_image_url(url):
        raise invalid(
            f"{part.place}: image_url.url must be an http(s) address, or an image as data:image/…",
            param=f"{part.place}.image_url.url",
        )
    return shown


def _video(part: Block) -> JSON:
    shown = part.object("video_url")
    url = shown.get("url")
    if not isinstance(url, str) or not url.startswith(("data:video/", "https://", "http://")):
        raise invalid(
            f"{part.place}: video_url.url must be an http(s) address or a data:video/ URL",
            param=f"{part.place}.video_url.url",
        )
    return shown


_SHOWN: Mapping[str, Callable[[Block], JSON]] = {
    "text": lambda part: part.text("text"),
    "image_url": _image,
    "video_url": _video,
    "file": lambda part: part.object("file"),
    "input_audio": lambda part: part.object("input_audio"),
}
"""The parts that show something, by what they are."""
_KINDS = (*_SHOWN, "tool_use", "tool_result", "thinking")


def _lacks(place: str, name: str) -> Refusal:
    where = f"{place}.{name}"
    return invalid(f"{where} is missing or of the wrong type", param=where)
