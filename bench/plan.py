"""What is measured, how often, and the figures to reach.

To measure one thing more, add a line here; a new kind of client is a class in
`bench.clients`, a new server a context manager in `bench.servers`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Scenario: TypeAlias = Literal["request", "burst", "paced"]


class Target(msgspec.Struct, frozen=True):
    """A figure to reach."""

    least_gain: float | None = None
    """How many times less than the peer ours is to take, at least."""
    most_cost: float | None = None
    """How many times as much as the peer ours may take, at most."""
    most_floors: float | None = None
    """How many times as much as the floor, at most."""


class ClientMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that clients do. The peer comes first, then ours, then the floor."""

    title: str
    scenario: Scenario
    names: tuple[str, str, str]
    counts: tuple[int, int, int]
    """Requests, or streams, of each; enough for about half a second."""
    target: Target


class ServerMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that servers do. Questions are those of `bench.servers`."""

    title: str
    peer: str
    ours: str
    connections: int
    target: Target
    why: str
    """Where the target comes from."""


_SYNC = ("openai", "chatloom", "floor")
_ASYNC = ("openai-async", "chatloom-async", "floor-async")

CLIENTS = (
    ClientMeasure(
        title="request, sync",
        scenario="request",
        names=_SYNC,
        counts=(300, 2500, 6000),
        target=Target(least_gain=10, most_floors=4),
    ),
    ClientMeasure(
        title="request, async, 64 at once",
        scenario="request",
        names=_ASYNC,
        counts=(320, 3200, 9600),
        target=Target(least_gain=12),
    ),
    ClientMeasure(
        title="chunk in a burst, sync",
        scenario="burst",
        names=_SYNC,
        counts=(4, 60, 100),
        target=Target(least_gain=15),
    ),
    ClientMeasure(
        title="chunk in a burst, async",
        scenario="burst",
        names=_ASYNC,
        counts=(4, 60, 100),
        target=Target(least_gain=15),
    ),
    ClientMeasure(
        title="chunk every 0.5 ms, sync",
        scenario="paced",
        names=_SYNC,
        counts=(1, 1, 1),
        target=Target(least_gain=3),
    ),
    ClientMeasure(
        title="chunk every 0.5 ms, async",
        scenario="paced",
        names=_ASYNC,
        counts=(1, 1, 1),
        target=Target(least_gain=3),
    ),
)

SERVERS = (
    ServerMeasure(
        title="server, provider, 64 requests at once",
        peer="bare request",
        ours="provider request",
        connections=64,
        target=Target(most_cost=1.6),
        why="10 times nginx's 17 µs, where the bare gateway takes 107",
    ),
    ServerMeasure(
        title="server, provider, 16 streams at once",
        peer="bare stream",
        ours="provider stream",
        connections=16,
        target=Target(most_cost=2.1),
        why="1.2 ms with the journal on, where the bare gateway takes 569 µs",
    ),
    ServerMeasure(
        title="server, loom/echo, 64 requests at once",
        peer="bare local request",
        ours="echo request",
        connections=64,
        target=Target(most_cost=2.7),
        why="40 µs for a stored turn, on top of the 23 µs of a bare answer from memory",
    ),
    ServerMeasure(
        title="server, loom/echo, 16 streams at once",
        peer="bare local stream",
        ours="echo stream",
        connections=16,
        target=Target(most_cost=4.8),
        why="1.2 ms with the journal on, where a bare stream from memory takes 249 µs;"
        " loom/echo says 64 tokens at a time, the bare stream one",
    ),
)
