"""Everything shared code may ask of the outside world."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from chatloom.core.http import Request, Response


class Outside(Protocol):
    """The world beyond the core: a network, clocks, chance, and a way to take turns."""

    async def send(self, request: Request) -> Response:
        """Put *request* on the wire and wait for the answer's head, or for all of it.

        Raises `TransportError` when none arrives; an error status is an answer.
        """
        ...

    async def sleep(self, seconds: float) -> None: ...

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def wall_time(self) -> float:
        """Seconds since 1970, as the calendar counts them."""
        ...

    def random(self) -> float:
        """A number from 0 up to 1 that nobody can foresee."""
        ...

    def lock(self) -> AbstractAsyncContextManager[None]:
        """Make a lock that may be held across an ``await``."""
        ...

    async def close(self) -> None: ...


class Policy(Protocol):
    """What happens around a request: it may change it, delay it, repeat it, or answer it."""

    async def __call__(self, request: Request, outside: Outside, /) -> Response: ...


class Guarded:
    """The outside world, seen through one policy."""

    def __init__(self, policy: Policy, beyond: Outside) -> None:
        self._policy = policy
        self._beyond = beyond
        self.sleep = beyond.sleep
        self.now = beyond.now
        self.wall_time = beyond.wall_time
        self.random = beyond.random
        self.lock = beyond.lock
        self.close = beyond.close

    async def send(self, request: Request) -> Response:
        return await self._policy(request, self._beyond)


def guard(outside: Outside, policies: Sequence[Policy]) -> Outside:
    """Put *policies* around *outside*; the first one sees a request first."""
    for policy in reversed(policies):
        outside = Guarded(policy, outside)
    return outside
