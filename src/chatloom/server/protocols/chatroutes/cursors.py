"""Where ChatRoutes' lists go on."""

from __future__ import annotations

import msgspec

from chatloom.server.protocols.cursors import Number


class BehindMessage(msgspec.Struct, tag="m", array_like=True, forbid_unknown_fields=True):
    """In a branch's messages."""

    id: str


class BehindBranch(msgspec.Struct, tag="b", array_like=True, forbid_unknown_fields=True):
    """In a conversation's branches."""

    conversation_id: str
    id: str


class InTree(msgspec.Struct, tag="t", array_like=True, forbid_unknown_fields=True):
    """In a tree, whose messages and branches come side by side; `None` where there are no more."""

    conversation_id: str
    position: Number | None
    branch_id: str | None


class BehindHit(msgspec.Struct, tag="h", array_like=True, forbid_unknown_fields=True):
    """In what was found."""

    position: Number
