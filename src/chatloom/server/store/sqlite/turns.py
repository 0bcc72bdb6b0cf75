"""The two writes that matter: a turn begins, a turn ends."""

from __future__ import annotations

import sqlite3

import msgspec

from chatloom.server.ids import new_id
from chatloom.server.models.driver import Price
from chatloom.server.store.contract import KeyTaken, Opening, Settlement
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.balances import Balances
from chatloom.server.store.sqlite.statements import statements


def open_turn(connection: sqlite3.Connection, balances: Balances, opening: Opening) -> int | None:
    """Store the turn, its conversation if it starts one, and the reservation.

    Returns the id of the price it was opened at. Raises as `Store.open_turn`.
    """
    sql = statements()
    now = opening.started_at
    balances.reserve(connection, opening)
    if opening.starts_conversation:
        metadata = msgspec.json.encode(opening.metadata).decode()
        connection.execute(
            sql["add_conversation"],
            (opening.conversation_id, opening.account_id, opening.end_user, metadata, now, now),
        )
        connection.execute(
            sql["add_branch"],
            (opening.branch_id, opening.conversation_id, "main", None, None, None, 1, now, now),
        )
    price_id = _price(connection, opening.priced_as, opening.price, now)
    try:
        connection.execute(sql["add_turn"], rows.of_opening(opening, price_id))
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorname == "SQLITE_CONSTRAINT_UNIQUE":  # ids are the primary key
            raise KeyTaken from None
        raise
    _enter(connection, opening, "reserve", opening.reserved, price_id, at=now)
    return price_id


def settle(connection: sqlite3.Connection, balances: Balances, settlement: Settlement) -> bool:
    """Store how the turn ended; False when it had ended before."""
    sql = statements()
    opening = settlement.opening
    usage = settlement.usage
    ended = connection.execute(
        sql["end_turn"],
        (
            settlement.outcome,
            settlement.problem,
            settlement.problem_kind,
            settlement.served_model,
            None if usage is None else msgspec.json.encode(usage),
            settlement.cost,
            settlement.head_id,
            settlement.first_token_at,
            settlement.ended_at,
            settlement.frees_key,
            opening.turn_id,
        ),
    )
    if ended.rowcount == 0:
        return False
    if settlement.nodes:
        _grow(connection, settlement)
    else:
        # One that a failed first turn began, unless another turn still goes on in it.
        connection.execute(sql["drop_empty_branch"], (opening.conversation_id,))
        connection.execute(sql["drop_empty_conversation"], (opening.conversation_id,))
        connection.execute(sql["charge_conversation"], (settlement.cost, opening.conversation_id))
    _charge(connection, balances, settlement)
    connection.executemany(
        sql["add_attempt"], [rows.of_attempt(one, opening.turn_id) for one in settlement.attempts]
    )
    if settlement.journalled:
        connection.execute(sql["forget_journal"], (opening.turn_id,))
    connection.execute(
        sql["add_replay"], (opening.turn_id, settlement.deltas, settlement.deltas_expire_at)
    )
    return True


def _grow(connection: sqlite3.Connection, settlement: Settlement) -> None:
    sql = statements()
    opening = settlement.opening
    usage = settlement.usage
    connection.executemany(
        sql["add_message"], [rows.of_node(node, opening.account_id) for node in settlement.nodes]
    )
    _advance(connection, settlement)
    connection.execute(
        sql["grow_conversation"],
        (
            len(settlement.nodes),
            usage.prompt_tokens if usage else 0,
            usage.completion_tokens if usage else 0,
            settlement.cost,
            settlement.served_model or opening.model,
            settlement.title,
            opening.listed,
            settlement.ended_at,
            settlement.ended_at,
            opening.conversation_id,
        ),
    )


def _advance(connection: sqlite3.Connection, settlement: Settlement) -> None:
    """Move the branch, or make a new one where somebody else has moved it meanwhile."""
    sql = statements()
    opening, now = settlement.opening, settlement.ended_at
    if opening.branch_id is not None:
        moved = connection.execute(
            sql["move_branch"], (settlement.head_id, now, opening.branch_id, opening.parent_id)
        )
        if moved.rowcount:
            return
    (count,) = connection.execute(sql["count_branches"], (opening.conversation_id,)).fetchone()
    connection.execute(
        sql["add_branch"],
        (
            new_id(),
            opening.conversation_id,
            f"branch {count + 1}",
            settlement.head_id,
            opening.branch_id,
            opening.parent_id,
            0,
            now,
            now,
        ),
    )


def _charge(connection: sqlite3.Connection, balances: Balances, settlement: Settlement) -> None:
    opening, usage = settlement.opening, settlement.usage
    _enter(
        connection,
        opening,
        "release" if usage is None else "settle",
        settlement.cost,
        settlement.price_id,
        at=settlement.ended_at,
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        estimated=settlement.estimated,
    )
    balances.settle(opening, settlement.cost)


def _enter(
    connection: sqlite3.Connection,
    opening: Opening,
    kind: str,
    amount: int,
    price_id: int | None,
    *,
    at: int,
    prompt_tokens: int | None = None,
    completion_tokens: int | None = None,
    estimated: bool = False,
) -> None:
    connection.execute(
        statements()["add_entry"],
        (
            opening.turn_id,
            kind,
            opening.account_id,
            opening.key_id,
            opening.end_user,
            amount,
            price_id,
            prompt_tokens,
            completion_tokens,
            opening.unread,
            estimated,
            at,
        ),
    )


def _price(connection: sqlite3.Connection, model: str, price: Price | None, now: int) -> int | None:
    """The row of this price; a new one when it has changed, so that the past keeps its own."""
    if price is None:
        return None
    sql = statements()
    known = rows.one(connection, sql["last_price"], model)
    figures = (price.prompt, price.completion, price.cached)
    if known is not None and known[1:] == figures:
        return int(known[0])
    return connection.execute(sql["add_price"], (model, *figures, now)).lastrowid
