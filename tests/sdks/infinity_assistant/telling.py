"""What a server of Infinity Assistant says on a stream, and a client that hears it."""

from __future__ import annotations

import json
from typing import Any

from chatloom.core.engine import Engine, Sync
from chatloom.core.http import Response
from chatloom.core.manner import Manner
from infinity_assistant import ChatStream
from infinity_assistant.exceptions import documented
from infinity_assistant.service import Service
from support.scripted import Scripted, arriving

END = b"data: [DONE]\n\n"
DONE = {"type": "done"}


def event(told: Any, name: str = "") -> bytes:
    head = b"event: " + name.encode() + b"\n" if name else b""
    return head + b"data: " + json.dumps(told, ensure_ascii=False).encode() + b"\n\n"


def text(content: str) -> dict[str, str]:
    return {"type": "text", "content": content}


def metadata(**told: Any) -> dict[str, Any]:
    return {"type": "metadata", "metadata": told}


ONCE, UPON = event(text("once ")), event(text("upon"))
BESIDE = event(metadata(conversationId="c1", messageId="m1", model="m", tokensUsed=2))
WHOLE = {
    "success": True,
    "response": "once upon",
    "conversationId": "c1",
    "messageId": "m1",
    "metadata": {"conversationId": "c1", "messageId": "m1", "model": "m", "tokensUsed": 2},
}


def service(*script: Response, most: int | None = None) -> tuple[Service[Sync], Scripted]:
    outside = Scripted(*script)
    engine = Engine(Sync, outside, named=documented, manner=Manner(max_retries=most))
    return Service(engine), outside


def streamed(*pieces: bytes | Exception, **headers: str) -> ChatStream:
    client, _ = service(arriving(*pieces, **headers))
    return client.chat_stream(message="hi")


PLAIN: dict[str, Any] = {
    "response": "once upon",
    "conversationId": "c1",
    "rateLimit": {"allowed": True},
    "metadata": {"model": "infinity-agent", "tokensUsed": 2},
}
"""An answer of the real server, which knows no streams there."""
