"""What befalls the connections that pass a fault proxy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias

How: TypeAlias = Literal["none", "refuse", "reset", "close", "half", "stall"]
"""How a connection ends early.

    none     it does not
    refuse   reset as soon as it is there, before the server is even asked
    reset    reset on both sides, as if a machine on the way had crashed
    close    closed on both sides, as if it were all over: a clean FIN
    half     closed for whoever was to be told more; they may go on talking
    stall    nothing passes any more, and nobody is told
"""
Way: TypeAlias = Literal["request", "answer"]


@dataclass(frozen=True)
class Fault:
    """What befalls one connection: how it ends, after how many bytes, and how slow it is."""

    how: How = "none"
    after: int = 1
    way: Way = "answer"
    """Which way the bytes are counted."""
    latency: float = 0.0
    """Seconds before each block is passed on."""
    rate: float | None = None
    """Bytes a second, each way, in about twenty pieces a second."""


Plan: TypeAlias = Callable[[int], Fault]
"""The fault of each connection, by its number, from 0 on."""


def in_turn(*faults: Fault) -> Plan:
    """Plan these faults one after the other, and the last one ever after."""
    return lambda number: faults[min(number, len(faults) - 1)]


def at_random(
    seed: int,
    after: tuple[int, int],
    how: Sequence[How] = ("reset",),
    ways: Sequence[Way] = ("answer",),
    *,
    share: float = 1.0,
    latency: float = 0.0,
    rate: float | None = None,
) -> Plan:
    """Plan one of *how* after a random number of bytes, for a *share* of all connections.

    The same seed gives each connection the same fault, whatever happens meanwhile.
    """

    def plan(number: int) -> Fault:
        chance = Random(f"{seed}/{number}")
        if chance.random() >= share:
            return Fault(latency=latency, rate=rate)
        bytes_, ending, way = chance.randint(*after), chance.choice(how), chance.choice(ways)
        return Fault(ending, bytes_, way, latency, rate)

    return plan
