"""Zaguan: what it has beside the completions and models that it shares with ChatServer."""

from __future__ import annotations

from chatloom.server.protocols import capabilities
from chatloom.server.protocols import credits as spent

ROUTES = (*capabilities.ROUTES, *spent.ROUTES)
