"""Where in which tree a turn stands, and what it grew there."""

from __future__ import annotations

import sqlite3

import msgspec

from chatloom.server.chat.message import Message
from chatloom.server.store.sqlite.explain.looking import readable, rows
from chatloom.server.store.sqlite.explain.words import UNREADABLE, first_words, message_of
from chatloom.wire import explanation as wire

_LATE = 10_000
"""Milliseconds that a clock may have been set back meanwhile."""


class _FirstSchema(msgspec.Struct):
    """What an open turn of schema 1 keeps of its request."""

    new: list[Message] = []


def place_of(connection: sqlite3.Connection, turn: sqlite3.Row) -> wire.Place:
    """Explain the place of *turn*."""
    conversation = turn["conversation_id"]
    grown = [_grown(one) for one in rows(connection, "grown", turn["id"], _id_behind(turn))]
    answer = next((one for one in grown if one.id == turn["message_id"]), None)
    end = (answer.depth, answer.id) if answer else (0, None)
    over = rows(connection, "branches_over", conversation, *end)
    return wire.Place(
        conversation_id=conversation,
        title=turn["title"],
        branch_id=turn["branch_id"],
        branch=turn["branch_name"],
        branches=[one["name"] for one in over],
        parent_id=turn["parent_id"],
        parent_hash=turn["parent_hash"].hex() if turn["parent_hash"] else None,
        message_id=turn["message_id"],
        grown=grown,
    )


def _id_behind(turn: sqlite3.Row) -> str:
    """An id behind those of all that *turn* grew.

    Ids tell their time, so that its messages can be found without an index of their own.
    """
    end: int = turn["ended_at"] or turn["started_at"]
    digits = f"{end + _LATE:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _grown(node: sqlite3.Row) -> wire.Grown:
    gone = node["deleted_at"] is not None
    message = message_of(node["body"])
    return wire.Grown(
        id=node["id"],
        parent_id=node["parent_id"],
        depth=node["depth"],
        role=node["role"],
        hash=node["hash"].hex(),
        tokens=node["tokens"],
        first_words="" if gone else first_words(message),
        deleted=gone,
    )


def asked_of(turn: sqlite3.Row) -> list[wire.Asked]:
    """How each message begins that an open turn was asked; what became of them is in the tree."""
    if turn["asked"] is None:  # it is settled
        return []
    asked = readable(turn["asked"], _read_asked, [UNREADABLE])
    messages = asked.new if isinstance(asked, _FirstSchema) else asked
    return [wire.Asked(role=one.role, first_words=first_words(one)) for one in messages]


_read_asked = msgspec.json.Decoder(list[Message] | _FirstSchema).decode
