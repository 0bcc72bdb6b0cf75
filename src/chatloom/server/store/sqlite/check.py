"""Looking everything over: the file, hashes, balances, every turn's money, loose ends."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec

from chatloom.server.chat.tree import node_hash
from chatloom.server.store.contract import Health, Problem
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.audit import check_entries
from chatloom.server.store.sqlite.check_files import list_surroundings, list_waste
from chatloom.server.store.sqlite.check_money import check_charges, list_overruns
from chatloom.server.store.sqlite.connect import open_for_reading, schema_of
from chatloom.server.store.sqlite.statements import migrations, statements


def check_file(path: Path) -> Health:
    """Check the database at *path*, which a server may have open; nothing is written.

    Raises `SettingsError` for a file that is not ours, or of another version.
    """
    surroundings = list_surroundings(path)
    with closing(open_for_reading(path)) as connection:
        health = check(connection)
    return msgspec.structs.replace(health, notes=[*surroundings, *health.notes])


def check_copy(path: Path) -> Health:
    """Check a copy; of one of an older schema, whose hashes we cannot read, only that it is whole.

    Nothing is counted in the latter.
    """
    with closing(open_for_reading(path, older=True)) as connection:
        if schema_of(connection) < migrations()[-1][0]:
            return Health({}, [], [*_torn(connection), *_dangling(connection)])
    return check_file(path)


def check(connection: sqlite3.Connection) -> Health:
    """Check the whole database in one consistent view, as far as it can be read."""
    connection.execute("BEGIN")
    try:
        return _check(connection)
    except sqlite3.DatabaseError as error:
        return Health({}, [], [Problem("file", "integrity", str(error))])
    finally:
        connection.rollback()


def _check(connection: sqlite3.Connection) -> Health:
    sql = statements("check.sql")
    file = [*_torn(connection), *_dangling(connection)]
    nodes, wrong_nodes = _nodes(connection)
    turns, wrong_charges = check_charges(connection)
    balances, wrong_balances = _balances(connection)
    entries, wrong_entries = check_entries(connection)
    strays = [_problem(row) for row in connection.execute(sql["every_stray"])]
    drafts = [_problem(row) for row in connection.execute(sql["every_draft"])]
    return Health(
        {"messages": nodes, "balances": balances, "turns": turns, "audit entries": entries},
        [id for (id,) in connection.execute(sql["every_open_turn"])],
        [*file, *wrong_nodes, *wrong_charges, *wrong_balances, *wrong_entries, *strays],
        [*list_overruns(connection), *drafts, *list_waste(connection)],
    )


def _problem(row: rows.Row) -> Problem:
    check, subject, detail = row
    return Problem(check, str(subject), detail)


def _torn(connection: sqlite3.Connection) -> list[Problem]:
    return [
        Problem("file", "integrity", text)
        for (text,) in connection.execute("PRAGMA integrity_check")
        if text != "ok"
    ]


def _dangling(connection: sqlite3.Connection) -> list[Problem]:
    """References to what is not there, counted: without row ids SQLite cannot say whose."""
    found = connection.execute("PRAGMA foreign_key_check")
    counted = Counter((table, parent) for table, _, parent, _ in found)
    return [
        Problem("reference", table, f"{count} of its rows name a {parent} that is not there")
        for (table, parent), count in counted.items()
    ]


def _nodes(connection: sqlite3.Connection) -> tuple[int, list[Problem]]:
    problems: list[Problem] = []
    count = 0
    for row in connection.execute(statements("check.sql")["every_node"]):
        count += 1
        try:
            node = rows.node(row)
        except msgspec.MsgspecError as error:
            problems.append(Problem("message", row[0], f"its content cannot be read: {error}"))
            continue
        *_, parent_hash, parent_depth, others = row
        if node.parent_id is not None and parent_hash is None:
            problems.append(Problem("message", node.id, "its parent is missing"))
            continue
        if node.depth != (parent_depth or 0) + 1:
            problems.append(Problem("message", node.id, "its depth is not its parent's plus one"))
        if node.deleted_at is not None:
            continue  # a tombstone keeps the hash of what it no longer holds
        parents = [] if parent_hash is None else [parent_hash]
        parents += [bytes.fromhex(other) for other in msgspec.json.decode(others, type=list[str])]
        if node_hash(node.message, parents) != node.hash:
            problems.append(Problem("message", node.id, "its content does not match its hash"))
    return count, problems


def _balances(connection: sqlite3.Connection) -> tuple[int, list[Problem]]:
    problems: list[Problem] = []
    count = 0
    for scope, subject, reserved, spent, kept_reserved, kept_spent in connection.execute(
        statements("check.sql")["every_balance"]
    ):
        count += 1
        if (reserved, spent) != (kept_reserved, kept_spent):
            problems.append(
                Problem(
                    "balance",
                    f"{scope} {subject}",
                    f"the ledger sums to {reserved} reserved and {spent} spent,"
                    f" the balance says {kept_reserved} and {kept_spent}",
                )
            )
    return count, problems
