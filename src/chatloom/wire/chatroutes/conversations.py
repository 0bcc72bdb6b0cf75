"""Conversations, begun, listed and read."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from chatloom.core.http import JSON
from chatloom.wire.chatloom import Money
from chatloom.wire.chatroutes.common import Given, MaxTokens, Model, Temperature, Title, Told
from chatloom.wire.chatroutes.kept import Branch, Message


class NewConversation(Given):
    """A conversation to begin. `system_prompt` leads everything that a model is told in it."""

    title: Title
    model: Model | None = None
    system_prompt: Annotated[str, Meta(max_length=1_000_000)] | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None
    metadata: dict[str, JSON] | None = None


class ConversationChange(Given):
    """What becomes of a conversation; what is left out stays as it is."""

    title: Title | None = None
    model: Model | None = None
    system_prompt: Annotated[str, Meta(max_length=1_000_000)] | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None
    metadata: dict[str, JSON] | None = None


class ConversationPage(Given):
    """Which conversations are meant; pages count from 1.

    `owned` are those of the key's account, `shared` those of others: there are none yet.
    """

    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 10
    filter: Literal["all", "owned", "shared"] = "all"


class Conversation(Told):
    """A conversation; `messages` and `branches` only where one is read by itself.

    `messages` are those of its main branch from its beginning; `has_more_messages` says that
    there are more than these, which the list of messages goes on with at `messages_cursor`.
    """

    id: str
    user_id: str
    title: str
    model: str
    system_prompt: str | None
    temperature: float | None
    max_tokens: int | None
    metadata: dict[str, JSON]
    created_at: str
    updated_at: str
    message_count: int
    branch_count: int
    tokens_in: int
    tokens_out: int
    cost: Money
    messages: list[Message] | UnsetType = UNSET
    has_more_messages: bool | UnsetType = UNSET
    messages_cursor: str | UnsetType | None = UNSET
    branches: list[Branch] | UnsetType = UNSET
    has_more_branches: bool | UnsetType = UNSET


class HoldingConversation(Told):
    """A conversation, by its name."""

    conversation: Conversation


class Conversations(Told):
    """A page of conversations, the last used first."""

    conversations: list[Conversation]
    total: int
    page: int
    limit: int
    has_next: bool


class ConversationList(Conversations):
    """The same at the top and under `data`: clients look in either place."""

    data: Conversations
    success: Literal[True] = True
