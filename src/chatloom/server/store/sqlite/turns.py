"""The writes that matter: turns begin, say something, end. Those of one tick are made together."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from chatloom.server.events.reports import of_turn
from chatloom.server.ids import new_id
from chatloom.server.models.driver import Price
from chatloom.server.store.contract import KeyTaken, Node, Opening, Settlement
from chatloom.server.store.spending import BudgetExceeded
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.balances import Balances
from chatloom.server.store.sqlite.outbox import Outbox
from chatloom.server.store.sqlite.statements import insert, statements


class NotTogetherError(Exception):
    """One of these turns fares differently from the others; alone, each does as it should."""


class Turns:
    """The kinds of writes that turns consist of, each for many turns at once.

    What they raise undoes all of them.
    """

    def __init__(self, balances: Balances, outbox: Outbox) -> None:
        self._balances = balances
        self._outbox = outbox

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
    ) -> list[str | None]:
        """Store how turns ended, and tell which branch each concerns; `None` for one ended before.

        Raises `NotTogetherError` where that cannot be told of many.
        """
        sql = statements()
        ended = connection.executemany(sql["end_turn"], map(rows.of_end, settlements)).rowcount
        if ended < len(settlements):
            if len(settlements) > 1:
                raise NotTogetherError
            return [None]
        branches = _grow(connection, [one for one in settlements if one.nodes])
        spent_before: list[int] = []
        for settlement in settlements:
            spent_before.append(self._balances.settle(connection, settlement))
            if not settlement.nodes:
                _charge(connection, settlement)
        _put_by(connection, settlements, spent_before)
        told = [
            branches.get(one.opening.turn_id, one.opening.branch_id or "") for one in settlements
        ]
        for settlement, branch_id in zip(settlements, told, strict=True):
            if self._outbox.is_heard(connection, settlement.opening.account_id):
                self._report(connection, settlement, branch_id)
        return [*told]

    def _report(
        self, connection: sqlite3.Connection, settlement: Settlement, branch_id: str
    ) -> None:
        def branch_of(node: Node) -> str:
            return _branch_of(connection, node.id) or branch_id

        self._outbox.report(connection, of_turn(settlement, branch_id, branch_of))


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


def _grow(connection: sqlite3.Connection, settlements: Sequence[Settlement]) -> dict[str, str]:
    """Add what was said to the trees; tell on which branch each turn said it."""
    insert(connection, "grow_conversation", [rows.of_growth(one) for one in settlements])
    if len(settlements) == 1:
        branches = {settlements[0].opening.turn_id: _advance(connection, settlements[0])}
    else:
        branches = _advance_all(connection, settlements)
    said = [
        rows.of_node(node, one.opening.account_id, branches[one.opening.turn_id])
        for one in settlements
        for node in one.nodes
    ]
    insert(connection, "add_message", said)
    for one in settlements:
        if one.alternatives:
            _branch_out(connection, one, branches[one.opening.turn_id])
    return branches


def _advance_all(
    connection: sqlite3.Connection, settlements: Sequence[Settlement]
) -> dict[str, str]:
    """Move the branches, unless somebody else has moved one of them meanwhile."""
    began = [one for one in settlements if one.opening.starts_conversation]
    insert(connection, "add_main_branch", [rows.of_main_branch(one) for one in began])
    moving = [one for one in settlements if not one.opening.starts_conversation]
    moves = [rows.of_move(one) for one in moving]
    if connection.executemany(statements()["move_branch"], moves).rowcount < len(moves):
        raise NotTogetherError
    return {one.opening.turn_id: one.opening.branch_id or "" for one in settlements}


def _advance(connection: sqlite3.Connection, settlement: Settlement) -> str:
    """Move the branch, or make a new one where somebody else has moved it meanwhile."""
    sql, opening = statements(), settlement.opening
    if connection.execute(sql["move_branch"], rows.of_move(settlement)).rowcount:
        assert opening.branch_id is not None
        return opening.branch_id
    (is_known,) = connection.execute(sql["any_branch"], (opening.conversation_id,)).fetchone()
    if not is_known:
        main = rows.of_main_branch(settlement)
        connection.execute(sql["add_main_branch"], main)
        branch_id = str(main[0])
        if not opening.starts_conversation:
            _take_over(connection, opening, branch_id)
    else:
        parent = _branch_of(connection, opening.parent_id) or opening.branch_id
        branch_id = _add_sibling(connection, settlement, "branch", parent, settlement.head_id)
    if branch_id != opening.branch_id:
        connection.execute(sql["turn_on_branch"], (branch_id, opening.turn_id))
    return branch_id


def _take_over(connection: sqlite3.Connection, opening: Opening, branch_id: str) -> None:
    """Charge a conversation for first turns that failed when nobody else seemed to go on in it."""
    sql, span = statements(), (opening.conversation_id, opening.turn_id)
    taken = connection.execute(sql["taken_before"], span).fetchone()
    if any(taken):
        connection.execute(sql["turns_on_branch"], (*span, branch_id))
        connection.execute(sql["charge_conversation"], (opening.conversation_id, *taken))
        connection.execute(sql["charge_branch"], (opening.conversation_id, branch_id, *taken))


def _branch_of(connection: sqlite3.Connection, message_id: str | None) -> str | None:
    row = rows.one(connection, statements()["branch_of_message"], message_id)
    return None if row is None else row[0]


def _add_sibling(
    connection: sqlite3.Connection,
    settlement: Settlement,
    name: str,
    parent: str | None,
    head_id: str | None,
) -> str:
    """Make a branch that leaves its parent where *settlement* goes on from."""
    opening, id = settlement.opening, new_id()
    connection.execute(
        statements()["add_sibling"],
        (
            id,
            opening.conversation_id,
            name,
            head_id,
            parent or _main_of(connection, opening.conversation_id),
            opening.parent_id,
            settlement.ended_at,
            *rows.taken(settlement),
        ),
    )
    connection.execute(statements()["count_branch"], (1, opening.conversation_id))
    return id


def _main_of(connection: sqlite3.Connection, conversation_id: str) -> str | None:
    row = rows.one(connection, statements()["main_branch"], conversation_id)
    return None if row is None else row[0]


def _branch_out(connection: sqlite3.Connection, settlement: Settlement, branch_id: str) -> None:
    """Give each further answer to a question a branch of its own, free of charge."""
    sql, opening, now = statements(), settlement.opening, settlement.ended_at
    for node in settlement.alternatives:
        id = new_id()
        # Where the question was known before, it may be another branch's.
        parent = _branch_of(connection, node.parent_id) or branch_id
        whence = (node.id, parent, node.parent_id, now, 0, 0, 0)
        connection.execute(
            sql["add_sibling"], (id, opening.conversation_id, "alternative", *whence)
        )
        connection.execute(sql["add_message"], rows.of_node(node, opening.account_id, id))
        connection.execute(sql["count_branch"], (1, opening.conversation_id))


def _charge(connection: sqlite3.Connection, settlement: Settlement) -> None:
    """Charge a conversation for a turn that said nothing, where there is one or will be."""
    sql, opening, taken = statements(), settlement.opening, rows.taken(settlement)
    id = opening.conversation_id
    if not id or not any(taken):
        return
    if not connection.execute(sql["charge_conversation"], (id, *taken)).rowcount:
        # Another first turn may still go on in it, and would not know of this one's cost.
        connection.execute(sql["keep_conversation"], (id,))
        connection.execute(sql["keep_branch"], (id,))
        connection.execute(sql["charge_conversation"], (id, *taken))
    if connection.execute(sql["charge_branch"], (id, opening.branch_id, *taken)).rowcount:
        return
    main = _main_of(connection, id)
    connection.execute(sql["charge_branch"], (id, main, *taken))
    connection.execute(sql["turn_on_branch"], (main, opening.turn_id))


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
