"""Both clients of ChatRoutes, and how their service tells a success."""

from __future__ import annotations

from typing import Any

from chatroutes import AsyncChatRoutes, ChatRoutes, ChatRoutesError
from support.twins import Twins

outcome = Twins(
    blocking=lambda url: ChatRoutes("key", url, retry_attempts=0),
    awaited=lambda url: AsyncChatRoutes("key", url, retry_attempts=0),
    error=ChatRoutesError,
    authorization="ApiKey key",
    prefix="/api/v1",
).outcome


def enveloped(**data: Any) -> dict[str, Any]:
    """A success, as the service tells it."""
    return {"success": True, "data": data}
