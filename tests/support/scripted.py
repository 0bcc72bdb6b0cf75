"""An outside world that answers by script, and only pretends to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeAlias

import msgspec

from chatloom.core.http import Request, Response

Answer: TypeAlias = Response | Exception

NOON = 1_767_268_800.0
"""The calendar's time in every scripted world: 2026-01-01 12:00:00 UTC."""


class Body:
    """A body on its way: its pieces in turn; an exception among them is raised."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self._pieces = iter(pieces)
        self.suspends = False
        self.closed = 0
        self.finished = 0
        self.abandoned = 0

    @property
    def is_held(self) -> bool:
        """Whether the connection was given back in no way so far."""
        return not self.closed and not self.finished and not self.abandoned

    async def read(self) -> bytes:
        if self.suspends:
            await asyncio.sleep(0)
        piece = next(self._pieces, b"")
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def close(self) -> None:
        self.closed += 1

    async def finish(self) -> None:
        self.finished += 1

    def abandon(self) -> None:
        self.abandoned += 1


class Scripted:
    """Answers requests in turn, and remembers them; *suspends* as an event loop's world does."""

    def __init__(
        self, *script: Answer, suspends: bool = False, chances: Sequence[float] = ()
    ) -> None:
        self._script = list(script)
        self._suspends = suspends
        self._chances = list(chances)
        self.requests: list[Request] = []
        self.slept: list[float] = []
        self.is_closed = False

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        if self._suspends:
            await asyncio.sleep(0)
        answer = self.answer(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer.arriving, Body):
            answer.arriving.suspends = self._suspends
        return msgspec.structs.replace(answer)

    def answer(self, request: Request) -> Answer:
        assert self._script, f"the script holds no answer for {request}"
        return self._script.pop(0)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def now(self) -> float:
        return 1000.0 + sum(self.slept)

    def wall_time(self) -> float:
        return NOON + sum(self.slept)

    def random(self) -> float:
        return self._chances.pop(0) if self._chances else 0.0

    def lock(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def close(self) -> None:
        self.is_closed = True


def arriving(*pieces: bytes | Exception, **headers: str) -> Response:
    """A success whose body is on its way; ``x_y`` names the header ``x-y``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(200, named, arriving=Body(*pieces))
