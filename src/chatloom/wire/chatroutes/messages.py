"""Messages asked, answered, changed."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chatloom.wire.chatroutes.common import (
    Cursor,
    Given,
    Id,
    MaxTokens,
    Model,
    Temperature,
    Text,
    Told,
)
from chatloom.wire.chatroutes.kept import Branch, Message


class NewMessage(Given):
    """A message to answer, on the main branch, on the branch named, or behind the message named."""

    content: Text
    model: Model | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None
    branch_id: Id | None = None
    parent_message_id: Id | None = None


class MessagePage(Given):
    """Which messages of a branch's path are meant; all of them, a page at a time.

    In the order `asc` they begin with the path's first one, in the order `desc` with the last.
    Who names no limit, as clients do that know no pages, is told 10,000 at once.
    """

    branch_id: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] | None = None
    cursor: Cursor | None = None
    order: Literal["asc", "desc"] = "asc"


class MessageChange(Given):
    """What a message should have said. Its branch goes on from there; the old path is kept."""

    content: Text


class Usage(Told):
    """Tokens that an answer took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Exchange(Told):
    """A question and its answer; `message` is the answer, as `assistant_message` is."""

    message: Message
    user_message: Message | None
    assistant_message: Message
    usage: Usage
    model: str


class HoldingMessage(Told):
    """A message, by its name; `kept_branch` is the one that keeps the old path of an edit."""

    message: Message
    kept_branch: Branch | UnsetType = UNSET


class Messages(Told):
    """A page of a branch's messages."""

    messages: list[Message]
    has_next: bool
    next_cursor: str | None


class MessageList(Messages):
    """The same at the top and under `data`: clients look in either place."""

    data: Messages
    success: Literal[True] = True


class Content(msgspec.Struct, kw_only=True, tag_field="type", tag="content"):
    """A piece of an answer."""

    content: str
    model: str


class Complete(msgspec.Struct, kw_only=True, tag_field="type", tag="complete"):
    """The end of an answer, which is stored by now."""

    message: Message
    usage: Usage
    model: str
    userMessage: Message | None  # noqa: N815 - as it goes over the wire


class Failed(msgspec.Struct, kw_only=True, tag_field="type", tag="error", omit_defaults=True):
    """An answer that fails; nothing comes behind it."""

    error: str
    message: str
    code: str
    turnId: str | None = None  # noqa: N815 - as it goes over the wire
    usage: Usage | None = None
