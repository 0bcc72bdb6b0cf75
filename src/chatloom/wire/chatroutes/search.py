"""Finding messages by their words."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from chatloom.wire.chatroutes.common import Cursor, Given, Id, Told


class SearchQuery(Given):
    """What is looked for in one's conversations: words, all of which a message must hold.

    A word that ends in ``*`` stands for all that begin so, words in quotes for themselves in
    this order.
    """

    q: Annotated[str, Meta(min_length=1, max_length=1000)]
    conversation_id: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Cursor | None = None


class Hit(Told):
    """A message that was found; `snippet` is what stands around the first word."""

    conversation_id: str
    conversation_title: str
    branch_id: str | None
    message_id: str
    role: str
    snippet: str
    created_at: str


class Hits(Told):
    """A page of what was found, the newest first."""

    hits: list[Hit]
    has_next: bool
    next_cursor: str | None
