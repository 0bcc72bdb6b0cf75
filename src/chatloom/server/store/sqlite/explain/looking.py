"""Looking rows up by the names in ``explain.sql``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar, cast

import msgspec

from chatloom.server.store.sqlite.statements import statements

T = TypeVar("T")
U = TypeVar("U")


def readable(text: bytes | None, decode: Callable[[bytes], T], otherwise: U) -> T | U:
    """What JSON says, or *otherwise* where there is none, or it is damaged; doctor tells of it."""
    if not text:
        return otherwise
    try:
        return decode(text)
    except msgspec.MsgspecError:
        return otherwise


def rows(connection: sqlite3.Connection, statement: str, *values: object) -> list[sqlite3.Row]:
    """Every row."""
    return connection.execute(statements("explain.sql")[statement], values).fetchall()


def row(connection: sqlite3.Connection, statement: str, *values: object) -> sqlite3.Row | None:
    """The first row, if any."""
    found = connection.execute(statements("explain.sql")[statement], values).fetchone()
    return cast("sqlite3.Row | None", found)
