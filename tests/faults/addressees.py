"""Receivers of webhooks that answer badly, by plan, and remember each request and its answer."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from openai import OpenAI
from standardwebhooks import Webhook as Judge

from support.http import Caller
from support.receivers import (
    BROKEN,
    GONE,
    PATIENCE,
    TAKEN,
    Got,
    Receiver,
    Reply,
    busy,
    hanging_up,
    moved,
)
from transports.scripted import Peer, Server, serving

_REST = "/rest"
_EACH = 10
"""Of so many requests one is verified by OpenAI's package as well, which takes its time."""


@dataclass(frozen=True)
class Way:
    """A way to answer."""

    status: int | None
    """What whoever asked was told; `None` where that was nothing, or nothing whole."""
    reply: Reply
    stalls: bool = False
    pause: int = 0
    """Seconds that it asks to be left alone for."""


def _stalling(peer: Peer, _: Receiver) -> None:
    peer.hold(PATIENCE)


def _breaking_off(peer: Peer, _: Receiver) -> None:
    peer.say(b"HTTP/1.1 20")
    peer.reset()


def _cutting_short(peer: Peer, _: Receiver) -> None:
    peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nthat")
    peer.close()


TAKES = Way(204, TAKEN)
FAILS = Way(500, BROKEN)
STALLS = Way(None, _stalling, stalls=True)
LEAVES = Way(410, GONE)
HANGS_UP = Way(None, hanging_up)
BREAKS_OFF = Way(None, _breaking_off)
CUTS_SHORT = Way(200, _cutting_short)
"""Breaks off behind a status that says all: the event is taken."""

Plan: TypeAlias = Callable[[int, int], Way]
"""How the nth event is answered, when it was answered so often before; both count from 0."""


def taking(_event: int, _before: int) -> Way:
    """Take all."""
    return TAKES


def failing(event: int, before: int) -> Way:
    """Fail with each event so often: never, once, twice."""
    return FAILS if before < event % 3 else TAKES


def redirecting(target: str) -> Plan:
    """Send each event elsewhere at first."""
    elsewhere = Way(302, moved(target))
    return lambda _event, before: TAKES if before else elsewhere


def breaking(event: int, before: int) -> Way:
    """Lose the connection over every other event."""
    return TAKES if before else (HANGS_UP, TAKES, BREAKS_OFF, TAKES, CUTS_SHORT, TAKES)[event % 6]


def stalling(each: int) -> Plan:
    """Say nothing to the first attempt of one event of so many."""
    return lambda event, before: STALLS if not before and event % each == each // 2 else TAKES


def asking(event: int, before: int) -> Way:
    """Ask for a pause over every third event, and now and then for a whole second."""
    if before or event % 3:
        return TAKES
    pause = int(event % 30 == 0)
    return Way(429, busy(f"{pause}"), pause=pause)


def leaving(after: int) -> Plan:
    """Be gone after so many events, and never come back."""
    left = threading.Event()

    def plan(event: int, _before: int) -> Way:
        if event >= after:
            left.set()
        return LEAVES if left.is_set() else TAKES

    return plan


@dataclass(frozen=True)
class Seen:
    """A request, and how it was answered."""

    got: Got
    way: Way
    life: int
    """How often the server had been killed when it was sent."""

    @property
    def is_taken(self) -> bool:
        return self.way.status in {200, 204}


@dataclass
class Addressee(Receiver):
    """A receiver with a plan."""

    name: str = ""
    plan: Plan = taking
    wanted: list[str] = field(default_factory=lambda: ["*"])
    id: str = ""
    """Its webhook's."""
    secret: str = ""
    seen: list[Seen] = field(default_factory=list[Seen])
    refused: list[str] = field(default_factory=list[str])
    """What others' packages say against requests that came."""
    life: int = 0
    server: Server | None = None
    """Where it is reached."""
    _numbers: dict[str, int] = field(default_factory=dict[str, int])
    _answered: Counter[str] = field(default_factory=Counter[str])
    _ended: int = 0
    _holding_in: int = 0
    _holds: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.choose = self._choose_way

    def talk(self, peer: Peer) -> None:
        """Answer whatever comes over one connection."""
        try:
            super().talk(peer)
        finally:
            with self._changed:
                self._ended += 1

    def hold(self, nth: int) -> None:
        """Do not answer the nth request from now on, counted from 1."""
        self._holds.clear()
        self._holding_in = nth

    def wait_for_held(self) -> None:
        """Wait until it is there: until somebody's patience ends, something is on its way."""
        assert self._holds.wait(PATIENCE), f"{self.name} is told nothing"

    def end_life(self) -> None:
        """Read what a killed server has sent, and count the next one's as another life's."""
        assert self.server is not None
        # Connections are accepted in their order: all of the dead come before this one.
        assert Caller(self.server.url).call("GET", _REST).status == 204
        deadline = time.monotonic() + PATIENCE
        while self._ended < self.server.connections:
            assert time.monotonic() < deadline, f"{self.name} reads still"
            time.sleep(0.005)
        self.life += 1

    def _choose_way(self, got: Got) -> Reply:
        """Look at a request, and answer by plan. Only one thread does so at a time."""
        if got.path == _REST:
            return TAKEN
        self._judge(got)
        way = self._way(got.headers.get("webhook-id", ""))
        self.seen.append(Seen(got, way, self.life))
        return way.reply

    def _way(self, id: str) -> Way:
        event = self._numbers.setdefault(id, len(self._numbers))
        before = self._answered[id]
        self._answered[id] += 1
        self._holding_in -= 1
        if self._holding_in == 0:
            self._holds.set()
            return STALLS
        return self.plan(event, before)

    def _judge(self, got: Got) -> None:
        """Have others verify a request; now, as they refuse what is old."""
        try:
            assert got.headers["x-infinity-webhook-id"] == self.id, "it is another's"
            told: Any = Judge(self.secret).verify(got.body, got.headers)
            assert told == got.json
            assert (told["id"], told["type"]) == (got.id, got.headers["x-infinity-event"])
            if len(self.seen) % _EACH == 0:
                event: Any = _openai.webhooks.unwrap(got.body, got.headers, secret=self.secret)
                assert (event.id, event.type) == (got.id, got.type)
        except Exception as error:
            self.refused.append(f"{error!r}: {got}")


_openai = OpenAI(api_key="none")


@contextmanager
def expecting(name: str, plan: Plan, *wanted: str) -> Generator[Addressee]:
    """Run an addressee until the block ends."""
    addressee = Addressee(name=name, plan=plan, wanted=list(wanted or ("*",)))
    with serving(addressee.talk) as server:
        addressee.port, addressee.server = server.port, server
        yield addressee
