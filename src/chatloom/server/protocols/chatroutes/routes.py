"""ChatRoutes' addresses."""

from __future__ import annotations

from chatloom.server.protocols.chatroutes import (
    branches,
    checkpoints,
    conversations,
    messages,
    people,
    search,
    suggestions,
    tree,
)

ROUTES = (
    *search.ROUTES,
    *conversations.ROUTES,
    *tree.ROUTES,
    *messages.ROUTES,
    *branches.ROUTES,
    *checkpoints.ROUTES,
    *suggestions.ROUTES,
    *people.ROUTES,
)
