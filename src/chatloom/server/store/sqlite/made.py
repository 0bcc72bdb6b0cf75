"""What requests with an idempotency key made that cost nothing: so that it is made once."""

from __future__ import annotations

import sqlite3

from chatloom.server.store.sqlite.statements import statements
from chatloom.server.store.trees import KeyReused, Repeatable

_SQL = "trees.sql"


def made_before(connection: sqlite3.Connection, by: Repeatable | None) -> str | None:
    """What the same request made before. Raises `KeyReused`."""
    if by is None:
        return None
    key = (by.account_id, by.key_digest)
    found = connection.execute(statements(_SQL)["made_before"], key).fetchone()
    if found is None:
        return None
    if found[0] != by.body_digest:
        raise KeyReused
    return str(found[1])


def note_made(connection: sqlite3.Connection, by: Repeatable | None, made: str) -> None:
    """Note what a request made."""
    if by is not None:
        values = (by.account_id, by.key_digest, by.body_digest, made, by.expires_at)
        connection.execute(statements(_SQL)["add_made"], values)
