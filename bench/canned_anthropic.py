"""What is answered to those who speak Anthropic's wire format: the same texts, in its shapes."""

from __future__ import annotations

from functools import cache

import msgspec

from bench import canned

_EVENT_SIZE = 230
_MESSAGE: dict[str, object] = {
    "id": "msg_01CannedAnswer0123456789",
    "type": "message",
    "role": "assistant",
    "model": "canned-model",
    "stop_sequence": None,
}
_USAGE = {"input_tokens": 187, "output_tokens": 198}


@cache
def reply() -> bytes:
    """The plain reply."""
    said = {"type": "text", "text": canned.answer()}
    message = {**_MESSAGE, "content": [said], "stop_reason": "end_turn", "usage": _USAGE}
    return msgspec.json.encode(message)


@cache
def stream(events: int) -> list[bytes]:
    """As many texts as `canned.stream` has; three events more are around them."""
    begun: dict[str, object] = {**_MESSAGE, "content": [], "stop_reason": None, "usage": _USAGE}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        _event("message_start", message=begun),
        _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        _event("ping"),
        *(_delta(text) for text in canned.texts(events)),
        _event("content_block_stop", index=0),
        _event("message_delta", delta=ended, usage={"output_tokens": 198}),
        _event("message_stop"),
    ]


def _delta(text: str) -> bytes:
    said = _event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})
    # Spaces between a line's field and its value would be part of the value: pad the JSON.
    return said[:-2] + b" " * max(0, _EVENT_SIZE - len(said)) + b"\n\n"


def _event(kind: str, **more: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **more}))
