"""The audit log: each entry's hash covers its predecessor's, so that nothing can be taken out."""

from __future__ import annotations

import hashlib
import sqlite3

import msgspec

from chatloom.core.http import JSON
from chatloom.server.ids import milliseconds
from chatloom.server.store.administration import Deed, Entry
from chatloom.server.store.contract import Problem
from chatloom.server.store.sqlite.rows import Row
from chatloom.server.store.sqlite.statements import statements

_SQL = "administration.sql"


def record(connection: sqlite3.Connection, deed: Deed | None) -> None:
    """Add *deed* to the log, in the transaction that does it."""
    if deed is None:
        return
    last = connection.execute(statements(_SQL)["last_entry"]).fetchone()
    told = (
        milliseconds(),
        deed.account_id,
        deed.actor,
        deed.action,
        deed.resource,
        deed.resource_id,
        _encode(deed.detail).decode(),
    )
    own = _hash(last[0] if last else b"", told)
    connection.execute(statements(_SQL)["add_entry"], (*told, own))


def entry(row: Row) -> Entry:
    """Read an entry."""
    id, at, account, actor, action, resource, resource_id, detail, own = row
    return Entry(
        id=id,
        at=at,
        hash=own,
        deed=Deed(
            actor=actor,
            action=action,
            resource=resource,
            resource_id=resource_id,
            account_id=account,
            detail=_read(detail),
        ),
    )


def check_entries(connection: sqlite3.Connection) -> tuple[int, list[Problem]]:
    """How many entries there are, and the first place at which they are not what was written."""
    count, before = 0, b""
    problems: list[Problem] = []
    for id, *told, own in connection.execute(statements(_SQL)["every_entry"]):
        count += 1
        if not problems and (_hash(before, tuple(told)) != own or id != count):
            detail = "it, or an entry before it, was changed or taken out"
            problems.append(Problem("audit", str(id), detail))
        before = own
    return count, problems


def _hash(before: bytes, told: tuple[object, ...]) -> bytes:
    return hashlib.sha256(before + _encode(told)).digest()


_encode = msgspec.json.Encoder(order="sorted").encode
_read = msgspec.json.Decoder(dict[str, JSON]).decode
