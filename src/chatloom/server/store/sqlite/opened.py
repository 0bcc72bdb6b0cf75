"""What every part of the store works with: a database that is open."""

from __future__ import annotations

import sqlite3

from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.outbox import Outbox
from chatloom.server.store.sqlite.places import Place
from chatloom.server.store.sqlite.statements import statements


class Opened:
    """A database, its statements, and who reads and writes there."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._sql = statements()

    @property
    def _reader(self) -> sqlite3.Connection:
        return self._place.reader

    @property
    def _outbox(self) -> Outbox:
        return self._place.outbox

    def _keep(self, connection: sqlite3.Connection, account_id: str | None, id: str) -> None:
        """Store a conversation whose first turn still runs, and its main branch: they change.

        `None` is for an account that surely has it.
        """
        known = (id, account_id)
        if (
            account_id is None
            or connection.execute(self._sql["conversation_to_be"], known).fetchone()
        ):
            connection.execute(self._sql["keep_conversation"], (id,))
            connection.execute(self._sql["keep_branch"], (id,))

    def _one(self, statement: str, *values: object) -> rows.Row | None:
        return rows.one(self._reader, self._sql[statement], *values)
