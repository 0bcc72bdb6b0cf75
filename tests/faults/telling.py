"""A server that tells many receivers what happens, and is killed again and again meanwhile.

What should have been told is known from clients, from turns and from stored messages and memories,
not from the outbox.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeAlias
from urllib.parse import quote

from faults.addressees import (
    Addressee,
    Seen,
    asking,
    breaking,
    expecting,
    failing,
    leaving,
    redirecting,
    stalling,
    taking,
)
from faults.judging import rows, wait_until_settled
from faults.killing import Mortal, living
from faults.listening import KEY
from faults.sizes import size
from faults.talkers import TALKERS, Known
from support.hooks import Owner
from support.http import Caller
from support.live import environment
from transports.scripted import free_port

EVENTS = size(150, 1000)
KILLS = size(2, 20)
TIMES = size(3, 6)
"""What each client says in each life."""
AT_ONCE = 4
SCHEDULE = [0.05, 0.1, 0.2, 0.4, *[0.5] * 20]
SETTINGS = f"""
    [webhooks]
    schedule = {SCHEDULE}
    timeout = 2.0
    at_once = {AT_ONCE}
    """
PATIENCE = 600.0
"""Seconds until something that should happen is given up."""

Thing: TypeAlias = tuple[str, str]
"""Something that happened: its type, and what it is about."""
_ABOUT = {"chat": "messageId", "turn": "turnId", "memory": "key", "user": "key"}


def thing_of(seen: Seen) -> Thing:
    """What a request tells of."""
    about = _ABOUT.get(seen.got.type.partition(".")[0], "webhookId")
    return seen.got.type, seen.got.data[about]


@dataclass
class Story:
    """All that happened."""

    folder: Path
    owner: Owner
    addressees: list[Addressee]
    known: Known = field(default_factory=Known)
    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    """Of all turns, as ``/v1/turns`` tells them."""
    logs: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    """Each one's, oldest first, before anything was replayed."""
    webhooks: dict[str, Any] = field(default_factory=dict[str, Any])
    """As they were then."""
    replayed: int = 0

    @property
    def database(self) -> Path:
        return self.folder / "killed.db"

    @property
    def healthy(self) -> Addressee:
        return self.addressees[0]

    @property
    def gone(self) -> Addressee:
        return self.addressees[-1]

    def first_told(self, one: Addressee) -> list[Seen]:
        """The requests that came before anything was replayed."""
        return [seen for seen in one.seen if one is not self.gone or seen.life < one.life]

    def happened(self) -> set[Thing]:
        """What there was to tell of conversations, turns and memories."""
        said = {"user": "chat.message", "assistant": "chat.response"}
        messages = rows(self.database, "SELECT role, id FROM message")
        keys = [key for (key,) in rows(self.database, "SELECT key FROM memory")]
        preferred = [key for key in keys if key.startswith("preferences.")]
        return {
            *((said[role], id) for role, id in messages),
            *(("memory.stored", key) for key in keys),
            *(("user.preferences.updated", key) for key in preferred),
            *((f"turn.{outcome}", id) for id, outcome in self.outcomes.items()),
        }

    def expected(self, one: Addressee) -> set[Thing]:
        """What somebody wants to be told of all that happened."""
        others = {("webhook.disabled", self.gone.id)} if one is not self.gone else set[Thing]()
        wanted = tuple(name.rstrip("*") for name in one.wanted)
        return {thing for thing in self.happened() | others if thing[0].startswith(wanted)}


@contextmanager
def a_story(folder: Path) -> Generator[Story]:
    """Have it all happen, and leave the server running until the block ends."""
    with ExitStack() as stack:
        addressees = list(_addressees(stack))
        server = stack.enter_context(living(_server(folder)))
        owner = Owner(Caller(f"http://127.0.0.1:{server.port}"), KEY)
        for one in addressees:
            made = owner.make(one.url, one.wanted)
            one.id, one.secret = made["id"], made["secret"]
        story = Story(folder, owner, addressees)
        _live(story, server)
        _look(story)
        _replay(story)
        yield story


def _server(folder: Path) -> Mortal:
    (folder / "server.toml").write_text(SETTINGS)
    port = free_port()
    command = [sys.executable, "-W", "error", "-m", "chatloom", "serve", "--dev"]
    command += ["--db", "killed.db", "--config", "server.toml", "--port", str(port)]
    return Mortal(command, port, folder=folder, environ=environment(folder))


def _addressees(stack: ExitStack) -> Iterator[Addressee]:
    healthy = stack.enter_context(expecting("healthy", taking))
    yield healthy
    yield stack.enter_context(expecting("failing", failing))
    yield stack.enter_context(expecting("stalling", stalling(size(100, 50))))
    yield stack.enter_context(expecting("redirecting", redirecting(healthy.url)))
    yield stack.enter_context(
        expecting("breaking", breaking, "chat.response", "turn.*", "webhook.disabled")
    )
    yield stack.enter_context(expecting("asking", asking, "chat.message", "memory.stored"))
    yield stack.enter_context(expecting("gone", leaving(EVENTS // 3)))


def _live(story: Story, server: Mortal) -> None:
    """Talk, and kill the server again and again while it tells of that."""
    chance, life = Random(7), 0
    stalls = story.addressees[2]
    while life <= KILLS or len(story.happened()) < EVENTS:
        if life < KILLS and life % 2 == 0:
            stalls.hold(chance.randint(1, 6 * TIMES))
        with ThreadPoolExecutor(len(TALKERS)) as threads:
            topics = [f"{talker.__name__} {life}" for talker in TALKERS]
            talking = [
                threads.submit(talker, story.owner.server, topic, TIMES)
                for talker, topic in zip(TALKERS, topics, strict=True)
            ]
            if life < KILLS:
                if life % 2:
                    time.sleep(chance.uniform(0.0, 1.0))
                else:
                    stalls.wait_for_held()
                server.kill()
                for one in story.addressees:
                    one.end_life()
                server.start()
        for talk in talking:
            story.known.learn(talk.result())
        life += 1
        _ask_for_turns(story)


def _ask_for_turns(story: Story) -> None:
    wait_until_settled(story.database)
    for (id,) in rows(story.database, "SELECT id FROM turn"):
        if id not in story.outcomes:
            told = story.owner.server.call("GET", f"/v1/turns/{id}", key=KEY)
            assert told.status == 200
            story.outcomes[id] = told.json["outcome"]


def _look(story: Story) -> None:
    """Wait until nothing waits, and read what became of everything."""
    _wait(story.owner, story.addressees)
    for one in story.addressees:
        story.logs[one.name] = log_of(story.owner, one)
        story.webhooks[one.name] = story.owner.told("GET", f"/{one.id}")


def _replay(story: Story) -> None:
    """Have the one that was gone be there again, and told what it missed."""
    gone = story.gone
    gone.plan = taking
    gone.life += 1  # as if it were another
    story.owner.told("PATCH", f"/{gone.id}", {"active": True})
    story.replayed = story.owner.told("POST", f"/{gone.id}/replay", {})["count"]
    _wait(story.owner, [gone])


def _wait(owner: Owner, addressees: Sequence[Addressee]) -> None:
    """Wait until there is nothing to tell; the last one first, whose end is told to others."""
    deadline = time.monotonic() + PATIENCE
    for one in reversed(addressees):
        while owner.told("GET", f"/{one.id}/deliveries?state=waiting&limit=1")["deliveries"]:
            assert time.monotonic() < deadline, f"something waits still for {one.name}"
            time.sleep(0.05)


def log_of(owner: Owner, one: Addressee) -> list[Any]:
    found, more = list[Any](), ""
    while True:
        page = owner.told("GET", f"/{one.id}/deliveries?limit=200{more}")
        found += page["deliveries"]
        if not page["has_more"]:
            return found[::-1]
        more = f"&cursor={quote(page['next_cursor'])}"
