"""From rows to records and back."""

from __future__ import annotations

import sqlite3
from typing import Any, TypeAlias, cast

import msgspec

from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import canonical
from chatloom.server.models.driver import Price, Usage
from chatloom.server.store.contract import (
    Attempt,
    Branch,
    Conversation,
    Key,
    Node,
    Opening,
    Repetition,
    Turn,
    Unfinished,
)

Row: TypeAlias = tuple[Any, ...]

_read_message = msgspec.json.Decoder(Message).decode
_read_usage = msgspec.json.Decoder(Usage).decode


def one(connection: sqlite3.Connection, statement: str, *values: object) -> Row | None:
    """The first row, if any."""
    return cast("Row | None", connection.execute(statement, values).fetchone())


def key(row: Row) -> Key:
    return Key(
        id=row[0],
        account_id=row[1],
        name=row[2],
        scopes=frozenset(msgspec.json.decode(row[3], type=list[str])),
        models=None if row[4] is None else msgspec.json.decode(row[4], type=list[str]),
        created_at=row[5],
        expires_at=row[6],
        revoked_at=row[7],
        last_used_at=row[8],
        parent_id=row[9],
        unread=row[10],
        dev=bool(row[11]),
        hint=row[12] or "",
        secret_expires_at=row[13],
    )


def node(row: Row) -> Node:
    return Node(
        id=row[0],
        conversation_id=row[1],
        parent_id=row[2],
        depth=row[3],
        message=_read_message(row[4]),
        hash=row[5],
        turn_id=row[6],
        tokens=row[7],
        created_at=row[8],
        answered=bool(row[9]),
        deleted_at=row[10],
    )


def of_node(node: Node, account_id: str) -> Row:
    return (
        node.id,
        node.conversation_id,
        account_id,
        node.parent_id,
        node.depth,
        node.message.role,
        canonical(node.message).decode(),
        node.hash,
        node.turn_id,
        node.tokens,
        node.created_at,
        node.answered,
    )


def conversation(row: Row) -> Conversation:
    return Conversation(
        id=row[0],
        account_id=row[1],
        end_user=row[2],
        listed=bool(row[3]),
        title=row[4],
        model=row[5],
        metadata=msgspec.json.decode(row[6]),
        message_count=row[7],
        tokens_in=row[8],
        tokens_out=row[9],
        cost=row[10],
        created_at=row[11],
        updated_at=row[12],
        last_message_at=row[13],
        archived=bool(row[14]),
    )


def branch(row: Row) -> Branch:
    return Branch(
        id=row[0],
        conversation_id=row[1],
        name=row[2],
        head_id=row[3],
        parent_branch_id=row[4],
        forked_from_id=row[5],
        is_main=bool(row[6]),
        active=bool(row[7]),
    )


def turn(row: Row) -> Turn:
    return Turn(
        id=row[0],
        account_id=row[1],
        key_id=row[2],
        conversation_id=row[3],
        parent_id=row[4],
        message_id=row[5],
        protocol=row[6],
        model=row[7],
        served_model=row[8],
        provider=row[9],
        streamed=bool(row[10]),
        outcome=row[11],
        problem=row[12],
        usage=None if row[13] is None else _read_usage(row[13]),
        reserved=row[14],
        cost=row[15],
        priced=row[16] is not None,
        started_at=row[17],
        first_token_at=row[18],
        ended_at=row[19],
        problem_kind=row[20],
        body_digest=row[21],
        told_as=row[22],
    )


def unfinished(row: Row, deltas: list[bytes]) -> Unfinished:
    price_id = row[17]
    price = None if price_id is None else Price(prompt=row[22], completion=row[23], cached=row[24])
    opening = Opening(
        turn_id=row[0],
        account_id=row[1],
        key_id=row[2],
        end_user=row[3],
        conversation_id=row[4],
        starts_conversation=False,  # it has
        listed=bool(row[5]),
        metadata={},
        branch_id=row[6],
        parent_id=row[7],
        protocol=row[8],
        told_as=row[9],
        model=row[10],
        provider=row[11],
        streamed=bool(row[12]),
        request=row[13],
        asked=row[14] or b"",
        repetition=None if row[15] is None else Repetition(row[15], row[16]),
        priced_as=row[21] or "",
        price=price,
        reserved=row[18],
        started_at=row[19],
        unread=row[20] or "cancel",
    )
    return Unfinished(opening=opening, price_id=price_id, deltas=deltas)


def of_opening(opening: Opening, price_id: int | None) -> Row:
    repeated = opening.repetition
    return (
        opening.turn_id,
        opening.account_id,
        opening.key_id,
        opening.end_user,
        opening.conversation_id,
        opening.branch_id,
        opening.parent_id,
        opening.protocol,
        opening.told_as,
        opening.model,
        opening.provider,
        opening.streamed,
        opening.listed,
        opening.request,
        opening.asked,
        repeated.key_digest if repeated else None,
        repeated.body_digest if repeated else None,
        price_id,
        opening.reserved,
        opening.started_at,
    )


def of_attempt(attempt: Attempt, turn_id: str) -> Row:
    return (
        turn_id,
        attempt.number,
        attempt.provider,
        attempt.model,
        attempt.started_at,
        attempt.ended_at,
        attempt.problem,
    )
