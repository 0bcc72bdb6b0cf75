"""Everything the database knows of one turn."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from chatloom.core.http import JSON
from chatloom.server.lock import is_held
from chatloom.server.moments import iso
from chatloom.server.store.sqlite.connect import open_for_reading
from chatloom.server.store.sqlite.explain.charge import charge_of
from chatloom.server.store.sqlite.explain.looking import readable, row, rows
from chatloom.server.store.sqlite.explain.naming import find_named
from chatloom.server.store.sqlite.explain.place import asked_of, place_of
from chatloom.server.store.sqlite.statements import statements
from chatloom.wire import explanation as wire

_read_request = msgspec.json.Decoder(dict[str, JSON]).decode


def explain_file(database: Path, name: str) -> wire.Explanation:
    """Explain the turn *name* of a database that a server may have open; nothing is written.

    Its id names a turn, its completion's id does too, and so does the beginning
    of either. Raises `NothingNamedSo`, and `SettingsError` for a file that is not ours.
    """
    with closing(open_for_reading(database)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")  # one view of everything
        turn = row(connection, "turn", _find(connection, name))
        assert turn is not None
        return _explain(connection, turn, running=is_held(database))


def _find(connection: sqlite3.Connection, name: str) -> str:
    start = name.strip().lower().removeprefix("chatcmpl-").removeprefix("msg_")
    sought = statements("explain.sql")["turns_named"]
    return find_named(connection, sought, start, name=name, what="turn")


def _explain(
    connection: sqlite3.Connection, turn: sqlite3.Row, *, running: bool
) -> wire.Explanation:
    return wire.Explanation(
        id=turn["id"],
        outcome=turn["outcome"],
        problem=turn["problem"],
        problem_kind=turn["problem_kind"],
        running=running,
        asker=_asker(turn),
        way=_way(turn),
        attempts=[_attempt(one) for one in rows(connection, "attempts", turn["id"])],
        timing=_timing(turn),
        charge=charge_of(connection, turn),
        unread=turn["unread"] or "cancel",
        idempotency_key=turn["key_digest"] is not None,
        request=readable(turn["request"], _read_request, {"unreadable": True}),
        asked=asked_of(turn),
        journalled=turn["journalled"],
        replayable_until=iso(turn["replay_expires_at"]),
        place=place_of(connection, turn),
    )


def _asker(turn: sqlite3.Row) -> wire.Asker:
    return wire.Asker(
        account_id=turn["account_id"],
        account=turn["account_name"] or "",
        key_id=turn["key_id"],
        key=turn["key_name"] or "",
        key_hint=turn["key_hint"] or "",
        descends_from=msgspec.json.decode(turn["ancestors"], type=list[str]),
        end_user=turn["end_user"],
        organization=turn["organization"],
        request_id=turn["request_id"],
        protocol=turn["protocol"],
        told_as=turn["told_as"],
    )


def _way(turn: sqlite3.Row) -> wire.Way:
    return wire.Way(
        model=turn["model"],
        band=turn["band"],
        provider=turn["provider"],
        served_model=turn["served_model"],
        streamed=bool(turn["streamed"]),
    )


def _attempt(one: sqlite3.Row) -> wire.Attempt:
    started: int = one["started_at"]
    return wire.Attempt(
        number=one["number"],
        provider=one["provider"],
        model=one["model"],
        started_at=iso(started),
        ended_at=iso(one["ended_at"]),
        milliseconds=_between(started, one["ended_at"]),
        problem=one["problem"],
    )


def _timing(turn: sqlite3.Row) -> wire.Timing:
    started: int = turn["started_at"]
    return wire.Timing(
        started_at=iso(started),
        first_token_at=iso(turn["first_token_at"]),
        ended_at=iso(turn["ended_at"]),
        first_token_milliseconds=_between(started, turn["first_token_at"]),
        milliseconds=_between(started, turn["ended_at"]),
    )


def _between(start: int, end: int | None) -> int | None:
    return None if end is None else end - start
