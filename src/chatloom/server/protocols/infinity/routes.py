"""Infinity Assistant's addresses."""

from __future__ import annotations

from chatloom.server.protocols.infinity import (
    chat,
    health,
    keys,
    knowledge,
    memory,
    research,
    webhooks,
)

ROUTES = (
    *chat.ROUTES,
    *research.ROUTES,
    *health.ROUTES,
    *keys.ROUTES,
    *memory.ROUTES,
    *knowledge.ROUTES,
    *webhooks.ROUTES,
)
