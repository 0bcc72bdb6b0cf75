"""Balances, moved once a transaction however many turns it holds."""

from __future__ import annotations

import sqlite3

from chatloom.server.store.contract import Opening
from chatloom.server.store.sqlite.statements import statements


class Balances:
    """What the turns of one transaction move, by whom it concerns.

    Used by the writer's thread alone.
    """

    def __init__(self) -> None:
        self._moves: dict[tuple[str, str], list[int]] = {}

    def begin(self) -> None:
        """Forget what an undone transaction would have moved."""
        self._moves.clear()

    def move(self, opening: Opening, reserved: int, spent: int) -> None:
        """Move the balances that *opening* concerns, in pico-dollars."""
        subjects = [("account", opening.account_id), ("key", opening.key_id)]
        if opening.end_user is not None:
            subjects.append(("end_user", f"{opening.account_id}/{opening.end_user}"))
        for subject in subjects:
            move = self._moves.setdefault(subject, [0, 0])
            move[0] += reserved
            move[1] += spent

    def finish(self, connection: sqlite3.Connection) -> None:
        """Write the sums; the last thing a transaction does."""
        if self._moves:
            connection.executemany(
                statements()["move_balance"],
                [(*subject, *move) for subject, move in self._moves.items()],
            )
