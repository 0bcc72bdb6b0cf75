"""How a message begins."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chatloom.server.chat.message import Message
from chatloom.server.store.sqlite.explain.looking import readable

_LONGEST = 100
"""Characters of a message."""

UNREADABLE = Message("?", "(unreadable)")


def message_of(body: bytes | None) -> Message:
    """A stored message, or what stands for one that is damaged."""
    return readable(body, _read_message, UNREADABLE)


def first_words(message: Message) -> str:
    """How *message* begins, in one line; of one that only calls tools, which ones."""
    text = " ".join((message.text or message.refusal or "").split())
    if not text:
        text = ", ".join(_called(message.tool_calls or ()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _called(calls: Sequence[object]) -> list[str]:
    read = [msgspec.convert(call, _Call) for call in calls]
    return [f"calls {call.function.name}" for call in read]


class _Function(msgspec.Struct):
    name: str = ""


class _Call(msgspec.Struct):
    function: _Function = msgspec.field(default_factory=_Function)


_read_message = msgspec.json.Decoder(Message).decode
