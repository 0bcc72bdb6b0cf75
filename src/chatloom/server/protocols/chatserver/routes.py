"""ChatServer's addresses."""

from __future__ import annotations

from chatloom.server.protocols.chatserver import chat, platform, sessions

ROUTES = (*chat.ROUTES, *sessions.ROUTES, *platform.ROUTES)
