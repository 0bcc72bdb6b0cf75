"""Both clients of ChatServer."""

from __future__ import annotations

from chatserver_sdk import AsyncChatServerClient, ChatServerClient, ChatServerError
from support.twins import Twins

outcome = Twins(
    blocking=lambda url: ChatServerClient("key", url, max_retries=0),
    awaited=lambda url: AsyncChatServerClient("key", url, max_retries=0),
    error=ChatServerError,
    authorization="Bearer key",
).outcome
