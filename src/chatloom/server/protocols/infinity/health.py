"""Whether the service is well: each part is really tried."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from chatloom import __version__
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.moments import iso_now
from chatloom.server.routes import Route
from chatloom.wire import infinity as wire

_PATIENCE = 5.0
"""Seconds that a check may take."""


async def health(call: Call) -> Reply:
    """Answer ``GET /api/health``; an answer that says ``critical`` is a 503."""
    services = call.services
    checks = {
        "database": await _checked(_takes_writes(call)),
        "models": await _checked(_offers_models(call)),
        "turns": wire.Check(status="healthy", milliseconds=0.0),
    }
    if services.turns.closing:
        checks["turns"].status, checks["turns"].detail = "critical", "the server is stopping"
    states = {check.status for check in checks.values()}
    status: wire.State = "healthy"
    if states != {"healthy"}:
        status = "critical" if "critical" in states else "degraded"
    told = wire.Health(
        success=status != "critical",
        status=status,
        timestamp=iso_now(),
        version=__version__,
        checks=checks,
    )
    return json_reply(told, 503 if status == "critical" else 200)


async def _checked(trying: Callable[[], Awaitable[str | None]]) -> wire.Check:
    """Try something; what it returns is a reason to be called degraded."""
    began = time.perf_counter()
    status: wire.State = "healthy"
    try:
        async with asyncio.timeout(_PATIENCE):
            detail = await trying()
        status = "healthy" if detail is None else "degraded"
    except TimeoutError:
        status, detail = "critical", "it does not answer"
    except Exception as error:
        status, detail = "critical", type(error).__name__
    spent = round((time.perf_counter() - began) * 1000, 3)
    return wire.Check(status=status, milliseconds=spent, detail=detail)


def _takes_writes(call: Call) -> Callable[[], Awaitable[str | None]]:
    async def trying() -> None:
        await call.services.store.touch_keys([])

    return trying


def _offers_models(call: Call) -> Callable[[], Awaitable[str | None]]:
    async def trying() -> str | None:
        return None if await call.services.registry.models() else "no model is on offer"

    return trying


ROUTES = (
    Route(
        method="GET",
        path="/api/health",
        owner="infinity",
        summary="Say how the service's parts are",
        endpoint=health,
        scope="public",
        answer=wire.Health,
    ),
)
