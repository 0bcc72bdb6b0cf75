"""Infinity Assistant's addresses."""

from __future__ import annotations

from chatloom.server.protocols.infinity import health, keys, knowledge, memory

ROUTES = (
    *health.ROUTES,
    *keys.ROUTES,
    *memory.ROUTES,
    *knowledge.ROUTES,
)
