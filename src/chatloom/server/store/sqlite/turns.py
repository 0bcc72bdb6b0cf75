"""The writes that matter: turns begin, say something, end. Those of one tick are made together."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from chatloom.server.ids import new_id
from chatloom.server.models.driver import Price
from chatloom.server.store.contract import KeyTaken, Opening, Settlement
from chatloom.server.store.spending import BudgetExceeded
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.balances import Balances
from chatloom.server.store.sqlite.statements import insert, statements


class NotTogetherError(Exception):
    """One of these turns fares differently from the others; alone, each does as it should."""


class Turns:
    """The kinds of writes that turns consist of, each for many turns at once.

    What they raise undoes all of them.
    """

    def __init__(self, balances: Balances) -> None:
        self._balances = balances

    def open(
        self, connection: sqlite3.Connection, openings: Sequence[Opening]
    ) -> list[int | BudgetExceeded | None]:
        """Store turns and what they reserve; return what each is priced at, or why it is refused.

        Raises `KeyTaken` for a single one.
        """
        prices: dict[str, tuple[Price, int]] = {}
        results: list[int | BudgetExceeded | None] = []
        stored: list[tuple[Opening, int]] = []
        for opening in openings:
            try:
                self._balances.reserve(connection, opening)
            except BudgetExceeded as refusal:
                results.append(refusal)
                continue
            price_id = _price(connection, opening, prices)
            results.append(price_id)
            stored.append((opening, price_id or 0))
        _add_turns(connection, stored)
        insert(connection, "add_reserve", [rows.of_reserve(*one) for one in stored])
        return results

    def append(
        self, connection: sqlite3.Connection, said: Sequence[tuple[str, int, bytes]]
    ) -> list[None]:
        """Add deltas to the journals of turns."""
        insert(connection, "append", [(id, last, bytearray(deltas)) for id, last, deltas in said])
        return [None] * len(said)

    def settle(
        self, connection: sqlite3.Connection, settlements: Sequence[Settlement]
    ) -> list[bool]:
        """Store how turns ended; False for one that had ended before.

        Raises `NotTogetherError` where that cannot be told of many.
        """
        sql = statements()
        ended = connection.executemany(sql["end_turn"], map(rows.of_end, settlements)).rowcount
        if ended < len(settlements):
            if len(settlements) > 1:
                raise NotTogetherError
            return [False]
        _grow(connection, [one for one in settlements if one.nodes])
        spent_before: list[int] = []
        for settlement in settlements:
            spent_before.append(self._balances.settle(connection, settlement))
            if not settlement.nodes:
                _charge(connection, settlement)
        _put_by(connection, settlements, spent_before)
        return [True] * len(settlements)


def _add_turns(connection: sqlite3.Connection, stored: Sequence[tuple[Opening, int]]) -> None:
    try:
        insert(connection, "add_turn", [rows.of_opening(*one) for one in stored])
    except sqlite3.IntegrityError as error:
        if len(stored) == 1 and "turn.key_digest" in str(error):
            raise KeyTaken from None
        raise


def _price(
    connection: sqlite3.Connection, opening: Opening, newest: dict[str, tuple[Price, int]]
) -> int | None:
    """The row of a turn's price; a new one when it has changed, so that the past keeps its own."""
    price, model = opening.price, opening.priced_as
    if price is None:
        return None
    if model not in newest or newest[model][0] != price:
        newest[model] = (price, _price_row(connection, model, price, opening.started_at))
    return newest[model][1]


def _price_row(connection: sqlite3.Connection, model: str, price: Price, now: int) -> int:
    figures = (price.prompt, price.completion, price.cached)
    last = rows.one(connection, statements()["last_price"], model)
    if last is not None and last[1:] == figures:
        return int(last[0])
    added = connection.execute(statements()["add_price"], (model, *figures, now)).lastrowid
    assert added is not None
    return added


def _grow(connection: sqlite3.Connection, settlements: Sequence[Settlement]) -> None:
    """Add what was said to the trees."""
    said = [rows.of_node(node, one.opening) for one in settlements for node in one.nodes]
    insert(connection, "add_message", said)
    insert(connection, "grow_conversation", [rows.of_growth(one) for one in settlements])
    if len(settlements) == 1:
        _advance(connection, settlements[0])
    elif settlements:
        _advance_all(connection, settlements)


def _advance_all(connection: sqlite3.Connection, settlements: Sequence[Settlement]) -> None:
    """Move the branches, unless somebody else has moved one of them meanwhile."""
    began = [one for one in settlements if one.opening.starts_conversation]
    insert(connection, "add_main_branch", [rows.of_main_branch(one) for one in began])
    moving = [one for one in settlements if not one.opening.starts_conversation]
    moves = [rows.of_move(one) for one in moving]
    if connection.executemany(statements()["move_branch"], moves).rowcount < len(moves):
        raise NotTogetherError


def _advance(connection: sqlite3.Connection, settlement: Settlement) -> None:
    """Move the branch, or make a new one where somebody else has moved it meanwhile."""
    sql, opening, now = statements(), settlement.opening, settlement.ended_at
    if connection.execute(sql["move_branch"], rows.of_move(settlement)).rowcount:
        return
    (count,) = connection.execute(sql["count_branches"], (opening.conversation_id,)).fetchone()
    if count == 0:
        connection.execute(sql["add_main_branch"], rows.of_main_branch(settlement))
        return
    fork = (opening.branch_id, opening.parent_id, 0, now, now)
    connection.execute(
        sql["add_branch"],
        (new_id(), opening.conversation_id, f"branch {count + 1}", settlement.head_id, *fork),
    )


def _charge(connection: sqlite3.Connection, settlement: Settlement) -> None:
    """Charge a conversation for a turn that said nothing, where there is one or will be."""
    sql, id, cost = statements(), settlement.opening.conversation_id, settlement.cost
    if id and cost and not connection.execute(sql["charge_conversation"], (cost, id)).rowcount:
        # Another first turn may still go on in it, and would not know of this one's cost.
        connection.execute(sql["keep_conversation"], (id, cost))
        connection.execute(sql["keep_branch"], (id,))


def _put_by(
    connection: sqlite3.Connection,
    settlements: Sequence[Settlement],
    spent_before: Sequence[int],
) -> None:
    """Keep books of turns, and what was said for those who ask again."""
    sql = statements()
    freed = [(one.opening.turn_id,) for one in settlements if one.frees_key]
    told = [(one.opening.turn_id,) for one in settlements if one.journalled]
    if freed:
        connection.executemany(sql["free_key"], freed)
    if told:
        connection.executemany(sql["forget_journal"], told)
    insert(connection, "add_entry", list(map(rows.of_charge, settlements, spent_before)))
    tries = [rows.of_attempt(one, each) for each in settlements for one in each.attempts]
    insert(connection, "add_attempt", tries)
    insert(connection, "add_replay", [rows.of_replay(one) for one in settlements])
