"""chatloom's own addresses, but for turns, which are told in the voices of all protocols."""

from __future__ import annotations

from chatloom.server.protocols.chatloom import (
    accounts,
    archives,
    budgets,
    conversations,
    keys,
    knowledge,
    people,
    webhooks,
)

ROUTES = (
    *conversations.ROUTES,
    *keys.ROUTES,
    *accounts.ROUTES,
    *people.ROUTES,
    *budgets.ROUTES,
    *archives.ROUTES,
    *knowledge.ROUTES,
    *webhooks.ROUTES,
)
