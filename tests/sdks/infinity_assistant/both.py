"""Both clients of Infinity Assistant, asking the same of a server that answers by script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from chatloom.core.raw import Raw
from infinity_assistant import (
    AsyncInfinityAssistantClient,
    InfinityAssistantClient,
    InfinityAssistantError,
)
from transports.scripted import Asked, Peer, serving

Call = Callable[[Any], Any]
"""Uses a client, and gives what it answers with, or what an async one lets one await."""


@dataclass(frozen=True)
class Reply:
    """An answer that is no plain success with JSON."""

    body: bytes
    status: bytes = b"200 OK"
    headers: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What both clients were told, and what either had asked."""

    answer: Any
    asked: list[Asked]

    @property
    def targets(self) -> list[str]:
        """Methods and addresses, without what they all begin with."""
        return [f"{one.method} {one.target.removeprefix('/api')}" for one in self.asked]

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(one.body) if one.body else None for one in self.asked]


def outcome(call: Call, *answers: object) -> Outcome:
    """Have both clients *call*; the server gives either of them these answers in turn.

    An error that both end with stands for the answer.
    """

    def talk(peer: Peer) -> None:
        for answer in answers:
            peer.asked()
            reply = answer if isinstance(answer, Reply) else Reply(json.dumps(answer).encode())
            peer.answer(reply.body, *reply.headers, status=reply.status)

    with serving(talk) as server:
        url = f"{server.url}/api"
        blocking = _blocking(call, url)
        first = list(server.asked)
        awaited = asyncio.run(_awaited(call, url))
        second = server.asked[len(first) :]
    assert _comparable(blocking) == _comparable(awaited)
    told = [[(one.method, one.target, one.body) for one in asked] for asked in (first, second)]
    assert told[0] == told[1]
    assert all(one.all("x-api-key") == ["key"] for one in server.asked)
    assert not any(one.all("authorization") for one in server.asked)
    return Outcome(blocking, first)


def _blocking(call: Call, url: str) -> Any:
    with InfinityAssistantClient("key", url, max_retries=0) as client:
        try:
            return call(client)
        except (InfinityAssistantError, ValueError) as error:
            return error


async def _awaited(call: Call, url: str) -> Any:
    async with AsyncInfinityAssistantClient("key", url, max_retries=0) as client:
        try:
            return await call(client)
        except (InfinityAssistantError, ValueError) as error:
            return error


def _comparable(answer: Any) -> Any:
    if isinstance(answer, Raw):
        raw = cast("Raw[object]", answer)
        return raw.status_code, raw.parsed
    return (type(answer), str(answer)) if isinstance(answer, Exception) else answer
