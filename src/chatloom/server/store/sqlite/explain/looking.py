"""Looking rows up by the names in ``explain.sql``."""

from __future__ import annotations

import sqlite3
from typing import cast

from chatloom.server.store.sqlite.statements import statements


def rows(connection: sqlite3.Connection, statement: str, *values: object) -> list[sqlite3.Row]:
    """Every row."""
    return connection.execute(statements("explain.sql")[statement], values).fetchall()


def row(connection: sqlite3.Connection, statement: str, *values: object) -> sqlite3.Row | None:
    """The first row, if any."""
    found = connection.execute(statements("explain.sql")[statement], values).fetchone()
    return cast("sqlite3.Row | None", found)
