"""Balances and their limits, moved once a transaction however many turns it holds."""

from __future__ import annotations

import sqlite3
from typing import TypeAlias

from chatloom.server.store.contract import BudgetExceeded, Concern, Opening
from chatloom.server.store.sqlite.statements import statements

_Payer: TypeAlias = tuple[str, str, str | None]
"""The account, key and end user that a turn concerns."""

_Limit: TypeAlias = tuple[Concern, int, int]
"""Whom a budget concerns, the budget, and what was taken of it before this transaction."""


class Balances:
    """What the turns of one transaction move, by whom it concerns, within everybody's budgets.

    Used by the writer's thread alone.
    """

    def __init__(self) -> None:
        self._moves: dict[_Payer, list[int]] = {}
        self._limits: dict[_Payer, list[_Limit]] = {}
        self._limited: bool | None = None

    def begin(self) -> None:
        """Forget what an undone transaction would have moved."""
        self._moves.clear()
        self._limits.clear()
        self._limited = None

    def reserve(self, connection: sqlite3.Connection, opening: Opening) -> None:
        """Set aside what *opening* may cost. Raises `BudgetExceeded`, and then moves nothing."""
        if self._limited is None:
            (self._limited,) = connection.execute(statements()["any_budget"]).fetchone()
        if self._limited:
            self._check(connection, opening)
        self._move(opening, opening.reserved, 0)

    def settle(self, opening: Opening, spent: int) -> None:
        """Turn what was set aside for *opening* into what was spent."""
        self._move(opening, -opening.reserved, spent)

    def finish(self, connection: sqlite3.Connection) -> None:
        """Write the sums; the last thing a transaction does."""
        moves = self._by_subject()
        if moves:
            connection.executemany(
                statements()["move_balance"], [(*subject, *move) for subject, move in moves.items()]
            )

    def _check(self, connection: sqlite3.Connection, opening: Opening) -> None:
        payer = (opening.account_id, opening.key_id, opening.end_user)
        subjects = dict(_subjects(payer))
        if payer not in self._limits:
            found = connection.execute(
                statements()["budgets_of"],
                (opening.account_id, opening.key_id, subjects.get("end_user")),
            )
            self._limits[payer] = [
                (concern, amount, spent + reserved) for concern, _, amount, spent, reserved in found
            ]
        if not self._limits[payer]:
            return
        moves = self._by_subject()
        for concern, budget, taken in self._limits[payer]:
            scope = "end_user" if concern == "end_users" else concern
            left = budget - taken - sum(moves.get((scope, subjects[scope]), ()))
            wanted = None if opening.price is None else opening.reserved
            if wanted is None or wanted > max(left, 0):
                raise BudgetExceeded(concern, budget, left, wanted)

    def _move(self, opening: Opening, reserved: int, spent: int) -> None:
        payer = (opening.account_id, opening.key_id, opening.end_user)
        move = self._moves.get(payer)
        if move is None:
            self._moves[payer] = [reserved, spent]
        else:
            move[0] += reserved
            move[1] += spent

    def _by_subject(self) -> dict[tuple[str, str], list[int]]:
        sums: dict[tuple[str, str], list[int]] = {}
        for payer, (reserved, spent) in self._moves.items():
            for subject in _subjects(payer):
                move = sums.setdefault(subject, [0, 0])
                move[0] += reserved
                move[1] += spent
        return sums


def _subjects(payer: _Payer) -> list[tuple[str, str]]:
    account, key, end_user = payer
    subjects = [("account", account), ("key", key)]
    return subjects if end_user is None else [*subjects, ("end_user", f"{account}/{end_user}")]
