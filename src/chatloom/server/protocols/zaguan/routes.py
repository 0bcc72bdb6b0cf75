"""Zaguan's addresses."""

from __future__ import annotations

from chatloom.server.protocols.zaguan import balance, capabilities, history, stats

ROUTES = (*capabilities.ROUTES, *balance.ROUTES, *history.ROUTES, *stats.ROUTES)
