"""Many calls at once, on many objects, against the server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from chatloom.policies.ration import Ration
from puter import PuterAI
from support.live import Live
from support.puter import unset as unset

CLIENTS, CALLS = 10, 50
MOST, PERIOD = 20, 0.25
ROUNDING = 1e-6


class Watched(Ration):
    """A ration that notes when it lets requests through, on the client's own clock.

    When they arrive says less: those of one moment may be late, and those of the next not.
    """

    all: list[Watched]

    def __init__(self, requests: int, period: float) -> None:
        super().__init__(requests, period)
        self.moments: list[float] = []
        self.all.append(self)

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        return await super().__call__(request, Noting(outside, self.moments))


class Noting:
    """Notes the moment at which a request goes on: then and there, or when it has slept."""

    def __init__(self, outside: Outside, moments: list[float]) -> None:
        self._outside = outside
        self._moments = moments
        self._moment = 0.0
        self.wall_time = outside.wall_time
        self.random = outside.random
        self.lock = outside.lock
        self.close = outside.close

    def now(self) -> float:
        self._moment = self._outside.now()
        return self._moment

    async def sleep(self, seconds: float) -> None:
        self._moment += seconds
        await self._outside.sleep(seconds)

    async def send(self, request: Request) -> Response:
        self._moments.append(self._moment)
        return await self._outside.send(request)


async def asked_at_once(clients: Sequence[PuterAI]) -> list[str]:
    calls = [
        client.async_chat(f"{name}.{number}")
        for number in range(CALLS)
        for name, client in enumerate(clients)
    ]
    answers = await asyncio.gather(*calls)
    for client in clients:
        await client.aclose()
    return answers


def test_a_crowd_keeps_its_histories_and_its_rate(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rations: list[Watched] = []
    monkeypatch.setattr(Watched, "all", rations, raising=False)
    monkeypatch.setattr("puter.engines.Ration", Watched)
    server: Live = serve()
    clients = [
        PuterAI(
            "ann",
            "correct horse",
            api_base=server.url,
            rate_limit_requests=MOST,
            rate_limit_period=PERIOD,
        )
        for _ in range(CLIENTS)
    ]
    for client in clients:
        client.current_model = "loom/echo"

    answers = asyncio.run(asked_at_once(clients))

    assert answers == [f"{name}.{number}" for number in range(CALLS) for name in range(CLIENTS)]
    for name, client in enumerate(clients):
        told = [(one["role"], one["content"]) for one in client.chat_history]
        pairs = list(zip(told[::2], told[1::2], strict=True))
        said = [f"{name}.{number}" for number in range(CALLS)]
        expected = [(("user", text), ("assistant", text)) for text in said]
        assert sorted(pairs) == sorted(expected)
        assert client.usage.attempts == CALLS + 1
    assert server.rows("SELECT outcome, count(*) FROM turn GROUP BY outcome") == [
        ("complete", CLIENTS * CALLS)
    ]
    assert len(rations) == CLIENTS
    for ration in rations:
        moments = sorted(ration.moments)
        assert len(moments) == CALLS + 1  # the login among them
        gaps = (last - first for first, last in zip(moments, moments[MOST:], strict=False))
        assert all(gap >= PERIOD - ROUNDING for gap in gaps)
