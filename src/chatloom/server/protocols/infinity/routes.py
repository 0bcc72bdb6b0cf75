"""Infinity Assistant's addresses."""

from __future__ import annotations

from chatloom.server.protocols.infinity import health, keys

ROUTES = (
    *health.ROUTES,
    *keys.ROUTES,
)
