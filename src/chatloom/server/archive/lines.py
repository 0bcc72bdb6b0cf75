"""The lines of an archive. Times are milliseconds since 1970, money is pico-dollars."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from chatloom.core.http import JSON
from chatloom.server.store.trees import ContextMode, Defaults

VERSION = 1
IMPORTED = "chatloom.imported"
"""The name in a conversation's metadata of what it took where it was exported."""

Id: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Hash: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Moment: TypeAlias = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Text: TypeAlias = Annotated[str, Meta(max_length=1_000_000)]
Short: TypeAlias = Annotated[str, Meta(max_length=10_000)]


class Header(msgspec.Struct, kw_only=True):
    """The first line; a newer version may say more in it."""

    format: Literal["chatloom"]
    version: int
    conversations: Count


class Took(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a conversation took where it was said; nothing of it is charged again."""

    tokens_in: Count = 0
    tokens_out: Count = 0
    picodollars: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0


class _Line(
    msgspec.Struct,
    kw_only=True,
    frozen=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="type",
):
    """What all lines behind the first have in common: they say what they are."""


class Conversation(_Line, kw_only=True, frozen=True, tag="conversation"):
    """A conversation, and how much follows that belongs to it."""

    id: Id
    end_user: Short | None = None
    organization: Short | None = None
    listed: bool = False
    title: Text | None = None
    model: Short | None = None
    metadata: dict[str, JSON] = {}
    defaults: Defaults = Defaults()
    created_at: Moment
    updated_at: Moment
    last_message_at: Moment | None = None
    archived: bool = False
    branches: Count
    messages: Count
    checkpoints: Count = 0
    took: Took = Took()


class Branch(_Line, kw_only=True, frozen=True, tag="branch"):
    """A branch; of a deleted one only what others stand on."""

    id: Id
    name: Text
    head: Id | None = None
    parent: Id | None = None
    forked_from: Id | None = None
    main: bool = False
    active: bool = True
    description: Text | None = None
    context_mode: ContextMode = "FULL"
    created_at: Moment
    updated_at: Moment
    deleted_at: Moment | None = None
    merged_head: Id | None = None
    """Its head when it was last merged, into which branch, by which node if one was needed."""
    merged_into: Id | None = None
    merged_by: Id | None = None
    merged_at: Moment | None = None


class Message(_Line, kw_only=True, frozen=True, tag="message"):
    """A message. `body` is its canonical JSON, without that its hash could not be checked."""

    id: Id
    branch: Id
    parent: Id | None = None
    role: Short
    body: msgspec.Raw
    hash: Hash
    tokens: Count | None = None
    created_at: Moment
    answered: bool = False
    deleted_at: Moment | None = None
    others: Annotated[list[Id], Meta(max_length=100_000)] = []
    """Of a merge node: its second parent, then the messages it brings in."""


class Checkpoint(_Line, kw_only=True, frozen=True, tag="checkpoint"):
    """What a model made of everything up to and with a message, its anchor."""

    id: Id
    branch: Id
    anchor: Id
    summary: str
    tokens: Count
    model: Short | None = None
    created_at: Moment


Line: TypeAlias = Conversation | Branch | Message | Checkpoint


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was checked, and what follows from those before it."""

    line: Line
    conversation_id: str
    depth: int = 0
    """A message's, or a checkpoint's anchor's."""
    body: str = ""
    """A message's canonical JSON."""
