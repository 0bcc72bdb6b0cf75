"""Receivers of webhooks on loopback, which answer as a test wants and remember what they got."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from chatloom.webhooks import Event, verify
from transports.scripted import Asked, Peer, serving

PATIENCE = 60.0
"""Seconds until something that should come is given up."""


@dataclass(frozen=True)
class Got:
    """A request, as it came."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def type(self) -> str:
        return str(self.json["type"])

    @property
    def data(self) -> Any:
        return self.json["data"]

    def verified(self, *secrets: str) -> Event:
        """What it tells, if one of *secrets* signed it."""
        return verify(self.headers, self.body, secrets)


Reply: TypeAlias = "Callable[[Peer, Receiver], None]"


def replying(status: str = "204 No Content", *headers: str, body: bytes = b"") -> Reply:
    """A whole answer."""
    lines = [line.encode() for line in headers]
    return lambda peer, _: peer.answer(body, *lines, status=status.encode())


TAKEN = replying()
BROKEN = replying("500 Internal Server Error", body=b"out of order")
GONE = replying("410 Gone")


def moved(place: str) -> Reply:
    """A redirect."""
    return replying("302 Found", f"location: {place}")


def busy(asks: str, status: str = "429 Too Many Requests") -> Reply:
    """An answer that asks to wait; *asks* is the value of ``retry-after``."""
    return replying(status, f"retry-after: {asks}")


def stalling(peer: Peer, receiver: Receiver) -> None:
    """Say nothing before `Receiver.release`, then take the event."""
    receiver.released.wait(PATIENCE)
    TAKEN(peer, receiver)


def failing_late(peer: Peer, receiver: Receiver) -> None:
    """Say nothing before `Receiver.release`, then fail."""
    receiver.released.wait(PATIENCE)
    BROKEN(peer, receiver)


def hanging_up(peer: Peer, _: Receiver) -> None:
    """Close the connection without a word."""
    peer.close()


def endless(peer: Peer, _: Receiver) -> None:
    """Begin an answer that has no end."""
    peer.say(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
    while True:
        peer.say(b"never ending " * 1000)


@dataclass
class Receiver:
    """Somebody who is told events."""

    port: int = 0
    got: list[Got] = field(default_factory=list[Got])
    replies: list[Reply] = field(default_factory=list[Reply])
    """One for each request; those beyond have `otherwise`."""
    otherwise: Reply = TAKEN
    choose: Callable[[Got], Reply | None] | None = None
    """Answers by what came; where it gives `None`, as above."""
    released: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def will(self, *replies: Reply) -> Receiver:
        """Answer so, one after the other, and take what comes then."""
        self.replies += replies
        return self

    def release(self) -> None:
        """Have those who stall go on."""
        self.released.set()

    def wait(self, count: int) -> list[Got]:
        """Wait until so many requests came; those that came."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.got) >= count, PATIENCE)
            assert came, f"{len(self.got)} of {count} came"
            return [*self.got]

    async def told(self, count: int) -> list[Got]:
        """Wait for as much, in an event loop."""
        return await asyncio.to_thread(self.wait, count)

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.got]

    def talk(self, peer: Peer) -> None:
        """Answer whatever comes over one connection."""
        while True:
            reply = self._reply_to(_got(peer.asked()))
            reply(peer, self)

    def _reply_to(self, got: Got) -> Reply:
        with self._changed:
            self.got.append(got)
            self._changed.notify_all()
            chosen = self.choose(got) if self.choose is not None else None
            return chosen or (self.replies.pop(0) if self.replies else self.otherwise)


@contextmanager
def receiving(*replies: Reply, otherwise: Reply = TAKEN) -> Generator[Receiver]:
    """Run a receiver until the block ends: it answers with *replies*, and then *otherwise*."""
    receiver = Receiver(replies=[*replies], otherwise=otherwise)
    with serving(receiver.talk) as server:
        receiver.port = server.port
        try:
            yield receiver
        finally:
            receiver.release()


def _got(asked: Asked) -> Got:
    headers = {name.lower(): value for name, value in asked.headers}
    return Got(asked.target, headers, asked.body)
