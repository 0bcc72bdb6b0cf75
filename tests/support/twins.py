"""Both clients of an SDK, asking the same of a server that answers by script, over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from chatloom.core.raw import Raw
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
    prefix: str
    """What all their addresses begin with."""

    @property
    def targets(self) -> list[str]:
        """Methods and addresses, without what they all begin with."""
        return [f"{one.method} {one.target.removeprefix(self.prefix)}" for one in self.asked]

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(one.body) if one.body else None for one in self.asked]


@dataclass(frozen=True)
class Twins:
    """The clients of an SDK that are one, but for how they wait."""

    blocking: Callable[[str], Any]
    """Makes a client for an address; it repeats nothing."""
    awaited: Callable[[str], Any]
    error: type[Exception]
    """What all errors of the SDK are."""
    authorization: str
    """What every request must have come with."""
    prefix: str = ""
    """What the address that a client is given ends with."""

    def outcome(self, call: Call, *answers: object) -> Outcome:
        """Have both clients *call*; the server gives either of them these answers in turn.

        An error that both end with stands for the answer.
        """

        def talk(peer: Peer) -> None:
            for answer in answers:
                peer.asked()
                reply = answer if isinstance(answer, Reply) else _success(answer)
                peer.answer(reply.body, *reply.headers, status=reply.status)

        with serving(talk) as server:
            url = f"{server.url}{self.prefix}"
            blocking = self._ask(call, url)
            first = list(server.asked)
            awaited = asyncio.run(self._ask_and_await(call, url))
            second = server.asked[len(first) :]
        assert _comparable(blocking) == _comparable(awaited)
        told = [[(one.method, one.target, one.body) for one in asked] for asked in (first, second)]
        assert told[0] == told[1]
        assert all(one.all("authorization") == [self.authorization] for one in server.asked)
        return Outcome(blocking, first, self.prefix)

    def _ask(self, call: Call, url: str) -> Any:
        with self.blocking(url) as client:
            try:
                return call(client)
            except (self.error, ValueError) as error:
                return error

    async def _ask_and_await(self, call: Call, url: str) -> Any:
        async with self.awaited(url) as client:
            try:
                return await call(client)
            except (self.error, ValueError) as error:
                return error


def _success(answer: object) -> Reply:
    return Reply(json.dumps(answer).encode(), headers=(b"content-type: application/json",))


def _comparable(answer: Any) -> Any:
    if isinstance(answer, Raw):
        raw = cast("Raw[object]", answer)
        return raw.status_code, raw.parsed
    return (type(answer), str(answer)) if isinstance(answer, Exception) else answer
