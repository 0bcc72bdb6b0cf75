"""The SQL, read from the plain files beside this one."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import chain

_HERE = files(__package__ or __name__)

_TOGETHER = 16
"""Rows of one INSERT: running a statement costs as much as two more rows in it."""


@cache
def statements(file: str = "queries.sql") -> dict[str, str]:
    """Every statement of *file*, by the name in the ``-- name:`` line above it."""
    text = (_HERE / file).read_text("utf-8")
    blocks = text.split("-- name: ")[1:]
    named = (block.partition("\n") for block in blocks)
    return {name.strip(): statement.strip().rstrip(";") for name, _, statement in named}


def insert(connection: sqlite3.Connection, name: str, rows: Sequence[Sequence[object]]) -> None:
    """Add rows by the INSERT of this name, in their order, as many to a run as there are."""
    alone = len(rows) % _TOGETHER
    if alone:
        connection.executemany(statements()[name], rows[:alone])
    for start in range(alone, len(rows), _TOGETHER):
        together = chain.from_iterable(rows[start : start + _TOGETHER])
        connection.execute(_of_many(name), list(together))


@cache
def _of_many(name: str) -> str:
    """The INSERT of this name, for many rows."""
    return re.sub(
        r"VALUES (\(.*?\))(?=\s*(ON CONFLICT|$))",
        lambda found: f"VALUES {', '.join([found[1]] * _TOGETHER)}",
        statements()[name],
        flags=re.DOTALL,
    )


def migrations() -> list[tuple[int, str]]:
    """Every migration, numbered, in order."""
    found = [entry for entry in (_HERE / "migrations").iterdir() if entry.name.endswith(".sql")]
    return sorted((int(entry.name[:4]), entry.read_text("utf-8")) for entry in found)
