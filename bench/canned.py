"""What is asked and answered in every measurement, in the sizes that real chats have."""

from __future__ import annotations

from functools import cache
from typing import TypedDict

import msgspec

CLIENT_EVENTS = 1001
SERVER_EVENTS = 200
PACE = 0.0005
"""Seconds between two events of a paced stream."""

_EVENT_SIZE = 287
_REPLY_SIZE = 801


class Said(TypedDict):
    """A message."""

    role: str
    content: str


MESSAGES = [
    Said(role="system", content="You are a careful assistant. " + "Answer in plain words. " * 8),
    Said(role="user", content="How does a loom keep its warp threads in order? " * 4),
    Said(role="assistant", content="By heddles, each with an eye for one thread. " * 3),
    Said(role="user", content="And what does the reed do while the weft is beaten in? " * 3),
]
"""About 950 bytes of request."""

SETTINGS = {"temperature": 0.7, "max_tokens": 4000, "top_p": 1.0}

QUESTION = [
    MESSAGES[0],
    Said(role="user", content=" ".join(message["content"] for message in MESSAGES[1:])),
]
"""As much, without a history: each time the server is asked, a conversation begins."""

SHORT_QUESTION = [
    Said(role="system", content=QUESTION[1]["content"] + MESSAGES[0]["content"]),
    Said(role="user", content="Say done."),
]
"""As much again, and little for `loom/echo` to say: what is left is the turn."""

MANY_WORDS = [Said(role="user", content="thread " * 199 + "done")]
"""A question that `loom/echo` answers in 200 tokens."""

_HEAD = {"id": "chatcmpl-CannedAnswer0123456789abcdef", "created": 1763640000}
_USAGE = {
    "prompt_tokens": 187,
    "completion_tokens": 198,
    "total_tokens": 385,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
_WORDS = (" warp", " and", " weft", " cross", " at", " right", " angles", ",")


def request(model: str, messages: list[Said], *, stream: bool) -> bytes:
    """The body of a request."""
    asked: dict[str, object] = {"model": model, "messages": messages, **SETTINGS, "stream": stream}
    return msgspec.json.encode(asked)


def answer() -> str:
    """The text of the plain reply."""
    spare = _REPLY_SIZE - len(_reply(""))
    return ("The reed spaces the threads and beats the weft. " * 20)[:spare]


@cache
def reply() -> bytes:
    """The plain reply."""
    return _reply(answer())


def texts(events: int) -> list[str]:
    """The texts of a stream of so many events."""
    return [_piece(at) for at in range(events - 3)]


@cache
def stream(events: int) -> list[bytes]:
    """So many events, the role, the end and the usage among them, and ``[DONE]`` behind them."""
    pieces = [_choice({"content": text}) for text in texts(events)]
    chunks = [
        _chunk([_choice({"role": "assistant", "content": "", "refusal": None})]),
        *(_chunk([piece]) for piece in pieces),
        _chunk([_choice({}, "stop")]),
        _chunk([], usage=_USAGE),
    ]
    return [*(b"data: " + chunk + b"\n\n" for chunk in chunks), b"data: [DONE]\n\n"]


def _piece(at: int) -> str:
    return _WORDS[at % len(_WORDS)]


def _reply(content: str) -> bytes:
    message = {"role": "assistant", "content": content, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return msgspec.json.encode(
        {
            **_HEAD,
            "object": "chat.completion",
            "model": "canned-model",
            "choices": [choice],
            "usage": _USAGE,
            "service_tier": "default",
            "system_fingerprint": "fp_0123456789",
        }
    )


def _choice(delta: dict[str, str | None], finish: str | None = None) -> dict[str, object]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _chunk(choices: list[dict[str, object]], usage: object = None) -> bytes:
    chunk: dict[str, object] = {
        **_HEAD,
        "object": "chat.completion.chunk",
        "model": "canned-model",
        "system_fingerprint": "fp_0123456789",
        "choices": choices,
        "usage": usage,
        "obfuscation": "",
    }
    # As OpenAI does it: padding that hides a token's length.
    spare = _EVENT_SIZE - len(b"data: \n\n") - len(msgspec.json.encode(chunk))
    chunk["obfuscation"] = "x" * max(0, spare)
    return msgspec.json.encode(chunk)
