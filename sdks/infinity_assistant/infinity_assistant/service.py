"""Everything that the API offers, in one place."""

from __future__ import annotations

from chatloom.core.engine import Mode
from infinity_assistant.account import Account
from infinity_assistant.chat import Chat
from infinity_assistant.knowledge import Knowledge
from infinity_assistant.memory import Memory


class Service(Chat[Mode], Knowledge[Mode], Memory[Mode], Account[Mode]):
    """Everything that the API offers."""
