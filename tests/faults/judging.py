"""What must be so whatever happened: of a database, and of what a client was told."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from faults.listening import KEY, Told, listen
from faults.provider import answer
from support.commands import Shell
from support.http import Caller

_UNSETTLED = """
    SELECT turn.id, turn.outcome, group_concat(ledger.kind, ' ') AS kinds
    FROM turn LEFT JOIN ledger ON ledger.turn_id = turn.id
    GROUP BY turn.id
    HAVING turn.outcome IS NULL
        OR sum(ledger.kind = 'reserve') IS NOT 1
        OR sum(ledger.kind IN ('settle', 'release')) IS NOT 1
"""


def rows(database: Path, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Read from a database beside whoever has it open."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement, values).fetchall()


def wait_until_settled(database: Path, seconds: float = 60) -> None:
    """Wait for turns that go on without their readers."""
    deadline = time.monotonic() + seconds
    while rows(database, "SELECT 1 FROM turn WHERE outcome IS NULL"):
        assert time.monotonic() < deadline, "there are turns that do not end"
        time.sleep(0.05)


def check_books(database: Path) -> None:
    """Check that all is well: ``doctor`` clean, no open turn, each turn settled once."""
    run = Shell(database.parent)("doctor", "--json", "--db", str(database))
    assert (run.code, run.json["problems"], run.json["open_turns"]) == (0, [], []), run.out
    assert rows(database, _UNSETTLED) == []


def check_told(server: Caller, told: Told, *, resumed: bool) -> None:
    """Check that a client was told nothing that is not stored, and all of it where it *resumed*."""
    if told.turn is None:
        assert told.text == ""
        return
    stored = server.call("GET", f"/v1/turns/{told.turn}", key=KEY)
    assert stored.status == 200, (told, stored)
    text, outcome = stored.json["text"], stored.json["outcome"]
    replay = listen(server.url, f"/v1/turns/{told.turn}/events")
    assert replay.text == text, (told, outcome, "the replay is not what is stored")
    assert replay.ended == (outcome == "complete")
    if told.raw is not None:
        assert replay.raw.startswith(told.raw), (told, outcome, replay.raw)
    if resumed or told.error is None:
        assert told.text == text, (told, outcome, text)
        assert (told.error is None) == (outcome == "complete"), (told, outcome)
    if told.model.startswith("drip"):
        whole = answer(told.question, told.model)
        assert text == whole if outcome == "complete" else whole.startswith(text)
