"""From rows to records and back.

Rows that every turn writes hold nothing but int, str and bytearray: for all
else, `None` and bytes too, `sqlite3` looks for an adapter, at half a
microsecond each. So they say "" or -1 for `None`; their statements know.
"""

from __future__ import annotations

import sqlite3
from typing import Any, TypeAlias, cast

import msgspec

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import canonical
from chatloom.server.ids import new_id
from chatloom.server.models.driver import Price, Usage
from chatloom.server.store.contract import (
    Attempt,
    Branch,
    Conversation,
    Node,
    Opening,
    Repetition,
    Settlement,
    Turn,
    Unfinished,
)
from chatloom.server.store.trees import Defaults

Row: TypeAlias = tuple[Any, ...]

_read_message = msgspec.json.Decoder(Message).decode
_read_names = msgspec.json.Decoder(list[str]).decode
_read_defaults = msgspec.json.Decoder(Defaults).decode
_read_usage = msgspec.json.Decoder(Usage).decode


def one(connection: sqlite3.Connection, statement: str, *values: object) -> Row | None:
    """The first row, if any."""
    return cast("Row | None", connection.execute(statement, values).fetchone())


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
        branch_id=row[11],
    )


def position(row: Row) -> int:
    """Where a message stands among all, in the order they were stored."""
    return int(row[13])


def of_node(node: Node, account_id: str, branch_id: str) -> Row:
    return (
        node.id,
        node.conversation_id,
        account_id,
        node.parent_id or "",
        node.depth,
        node.message.role,
        canonical(node.message).decode(),
        bytearray(node.hash),
        node.turn_id or "",
        -1 if node.tokens is None else node.tokens,
        node.created_at,
        int(node.answered),
        branch_id,
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
        organization=row[15],
        branch_count=row[16],
        defaults=_read_defaults(row[17]),
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
        description=row[8],
        context_mode=row[9],
        created_at=row[10],
        updated_at=row[11],
        tokens_in=row[12],
        tokens_out=row[13],
        cost=row[14],
        merged_head_id=row[15],
        merged_into_id=row[16],
        merged_by_id=row[17],
        merged_at=row[18],
        deleted_at=row[19],
        head_depth=row[20],
        fork_depth=row[21],
    )


def of_branch(branch: Branch) -> Row:
    return (
        branch.id,
        branch.conversation_id,
        branch.name,
        branch.head_id,
        branch.parent_branch_id,
        branch.forked_from_id,
        int(branch.is_main),
        branch.description,
        branch.context_mode,
        branch.created_at,
        branch.updated_at,
    )


def usage(told: bytes | None) -> Usage | None:
    return None if told is None else _read_usage(told)


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
        usage=usage(row[13]),
        reserved=row[14],
        cost=row[15],
        priced=row[16] is not None,
        started_at=row[17],
        first_token_at=row[18],
        ended_at=row[19],
        problem_kind=row[20],
        body_digest=row[21],
        told_as=row[22],
        end_user=row[23],
        branch_id=row[24],
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
        starts_conversation=row[25] is not None,
        listed=bool(row[5]),
        metadata={} if row[25] is None else msgspec.json.decode(row[25]),
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
        organization=row[26],
        band=row[27],
        ancestors=tuple(_read_names(row[28] or "[]")),
        apart=bool(row[29]),
    )
    return Unfinished(opening=opening, price_id=price_id, deltas=deltas)


def of_opening(opening: Opening, price_id: int) -> Row:
    repeated = opening.repetition
    return (
        opening.turn_id,
        opening.account_id,
        opening.key_id,
        opening.end_user or "",
        opening.conversation_id,
        opening.branch_id or "",
        opening.parent_id or "",
        opening.protocol,
        opening.told_as,
        opening.model,
        opening.provider,
        int(opening.streamed),
        int(opening.listed),
        bytearray(repeated.key_digest) if repeated else None,
        bytearray(repeated.body_digest) if repeated else None,
        price_id,
        opening.reserved,
        opening.started_at,
        bytearray(opening.request),
        _json(opening.metadata) if opening.starts_conversation else "",
        bytearray(opening.asked),
        opening.organization or "",
        opening.band,
        opening.request_id,
        int(opening.apart),
    )


def of_reserve(opening: Opening, price_id: int) -> Row:
    return (
        opening.turn_id,
        opening.account_id,
        opening.key_id,
        opening.end_user or "",
        opening.reserved,
        price_id,
        opening.unread,
        opening.started_at,
        opening.organization or "",
    )


def of_end(settlement: Settlement) -> Row:
    usage = settlement.usage
    return (
        settlement.outcome,
        settlement.problem or "",
        settlement.problem_kind or "",
        settlement.served_model or "",
        None if usage is None else bytearray(msgspec.json.encode(usage)),
        settlement.cost,
        settlement.head_id or "",
        settlement.first_token_at,
        settlement.ended_at,
        settlement.opening.turn_id,
    )


def of_growth(settlement: Settlement) -> Row:
    opening, usage = settlement.opening, settlement.usage
    return (
        opening.conversation_id,
        opening.account_id,
        opening.end_user or "",
        int(opening.listed),
        settlement.title,
        settlement.served_model or opening.model,
        _json(opening.metadata),
        len(settlement.nodes) + len(settlement.alternatives),
        usage.prompt_tokens if usage else 0,
        usage.completion_tokens if usage else 0,
        settlement.cost,
        opening.started_at,
        settlement.ended_at,
        settlement.ended_at,
        opening.organization or "",
    )


def of_main_branch(settlement: Settlement) -> Row:
    opening = settlement.opening
    return (
        opening.branch_id or new_id(),
        opening.conversation_id,
        settlement.head_id,
        opening.started_at,
        settlement.ended_at,
        *taken(settlement),
    )


def taken(settlement: Settlement) -> tuple[int, int, int]:
    """What a turn takes, as its branch counts it: tokens in and out, cost."""
    usage = settlement.usage
    if usage is None:
        return 0, 0, settlement.cost
    return usage.prompt_tokens, usage.completion_tokens, settlement.cost


def of_move(settlement: Settlement) -> Row:
    opening = settlement.opening
    return (
        settlement.head_id,
        settlement.ended_at,
        *taken(settlement),
        opening.conversation_id,
        opening.branch_id or "",
        opening.parent_id or "",
    )


def of_charge(settlement: Settlement, spent_before: int) -> Row:
    opening, usage = settlement.opening, settlement.usage
    return (
        opening.turn_id,
        "release" if usage is None else "settle",
        opening.account_id,
        opening.key_id,
        opening.end_user or "",
        settlement.cost,
        settlement.price_id or 0,
        usage.prompt_tokens if usage else -1,
        usage.completion_tokens if usage else -1,
        opening.unread,
        int(settlement.estimated),
        settlement.ended_at,
        opening.organization or "",
        spent_before,
    )


def of_attempt(attempt: Attempt, settlement: Settlement) -> Row:
    return (
        settlement.opening.turn_id,
        attempt.number,
        attempt.provider,
        attempt.model,
        attempt.started_at,
        attempt.ended_at,
        attempt.problem or "",
    )


def of_replay(settlement: Settlement) -> Row:
    id, deltas = settlement.opening.turn_id, bytearray(settlement.deltas)
    return id, deltas, settlement.deltas_expire_at


def _json(metadata: dict[str, JSON]) -> str:
    return msgspec.json.encode(metadata).decode() if metadata else "{}"
