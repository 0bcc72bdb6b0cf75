"""A provider on a free port, whose every answer is written down in the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from chatloom.core.http import JSON
from chatloom.core.secret import Secret
from chatloom.server.models.driver import Prompt, Usage
from chatloom.server.models.openai import OpenAI
from chatloom.server.settings import ProviderSettings
from server.models.asking import Answered, asked, prompt
from transports.scripted import Peer, Server, serving

KEY = "sk-very-secret-0123456789"

USAGE: dict[str, JSON] = {
    "prompt_tokens": 9,
    "completion_tokens": 5,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
DETAILS = ("prompt_tokens_details", "completion_tokens_details")
COUNTED = Usage(9, 5, 4, 2, {name: USAGE[name] for name in DETAILS})

Reply: TypeAlias = "Callable[[Peer], None]"


def event(data: object) -> bytes:
    """One event; *data* is bytes as they are, else JSON."""
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return b"data: " + text + b"\n\n"


def said(content: object = None, *, index: int = 0, **fields: Any) -> dict[str, Any]:
    """A chunk in which a choice says some more; *fields* go into its delta."""
    delta = {**({} if content is None else {"content": content}), **fields}
    return {"model": "real-model", "choices": [{"index": index, "delta": delta}]}


def ended(reason: str = "stop", *, index: int = 0, **fields: Any) -> dict[str, Any]:
    """A chunk in which a choice ends."""
    return {"choices": [{"index": index, "delta": {}, "finish_reason": reason}], **fields}


DONE = b"[DONE]"


def streams(*data: object, whole: bool = True) -> Reply:
    """Answer with these events; without *whole* the connection is lost after them."""

    def reply(peer: Peer) -> None:
        peer.say(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        peer.say(b"transfer-encoding: chunked\r\n\r\n")
        for one in data:
            block = event(one)
            peer.say(b"%x\r\n%s\r\n" % (len(block), block))
        if whole:
            peer.say(b"0\r\n\r\n")
        else:
            peer.reset()

    return reply


def silent_after(*data: object, head: bool = True) -> Reply:
    """Send these events, and then nothing more; without *head* not even that."""

    def reply(peer: Peer) -> None:
        if head:
            peer.say(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for one in data:
            peer.say(event(one))
        peer.hold()

    return reply


def answers(body: object, status: int = 200, *headers: bytes) -> Reply:
    """Answer with JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def reply(peer: Peer) -> None:
        line = f"{status} Whatever".encode()
        peer.answer(content, b"content-type: application/json", *headers, status=line)

    return reply


def refuses(status: int, message: str = "no", *headers: bytes, **fields: object) -> Reply:
    """Answer with an error as OpenAI writes it."""
    return answers({"error": {"message": message, **fields}}, status, *headers)


@dataclass
class Provider:
    """The driver under test, and what its provider was asked."""

    driver: OpenAI
    server: Server

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.body) for request in self.server.asked if request.body]

    async def asked(self, given: Prompt | str = "Hello") -> Answered:
        return await asked(self.driver, prompt(given) if isinstance(given, str) else given)


@contextmanager
def provider(*replies: Reply, name: str = "acme", **settings: Any) -> Generator[Provider]:
    """Run a provider that gives these replies in turn, the last one ever after."""
    left = list(replies)

    def talk(peer: Peer) -> None:
        while True:
            peer.asked()
            reply = left.pop(0) if len(left) > 1 else left[0]
            reply(peer)

    with serving(talk) as server:
        fields: dict[str, Any] = {"base_url": f"{server.url}/v1", "max_retries": 0, **settings}
        driver = OpenAI(name, ProviderSettings(**fields), Secret(KEY))
        yield Provider(driver, server)


def heard(*replies: Reply, given: Prompt | None = None, **settings: Any) -> Answered:
    """What the driver makes of these replies."""

    async def run() -> Answered:
        with provider(*replies, **settings) as acme:
            try:
                return await acme.asked(given or prompt())
            finally:
                await acme.driver.close()

    return asyncio.run(run())


def run(work: Coroutine[object, object, None]) -> None:
    """Run a test that has to await."""
    asyncio.run(work)


def kind(answered: Answered) -> str | None:
    """What kind of problem ended it, if any."""
    return answered.error.kind if answered.error else None
