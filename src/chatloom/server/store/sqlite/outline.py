"""A conversation's tree in outline: some of its messages, and where its branches leave."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from chatloom.server.chat.context import SUMMARY
from chatloom.server.moments import iso
from chatloom.server.store.contract import Branch, Conversation
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.connect import open_for_reading
from chatloom.server.store.sqlite.explain.naming import find_named
from chatloom.server.store.sqlite.explain.words import first_words, message_of
from chatloom.server.store.sqlite.paths import needed
from chatloom.server.store.sqlite.statements import statements
from chatloom.wire import outline as wire
from chatloom.wire.chatloom import Money

_BRANCHES = 25
"""Branches that are drawn unless all are asked for."""
_FIRST, _LAST = 2, 3
"""Messages of a branch that are drawn, from either end."""
_MERGES = 20
"""Merges of a branch that are drawn, the last ones."""


class _Stem(msgspec.Struct, frozen=True):
    """A branch, and the depth of the last of its messages that is told of."""

    branch: Branch
    last: int

    @property
    def own(self) -> int:
        return max(0, self.last - self.branch.fork_depth)


def outline_file(database: Path, name: str, *, whole: bool) -> wire.Outline:
    """Outline a conversation of a database that a server may have open; nothing is written.

    Its id names it, and so does the beginning of one; *whole* asks for every message. Raises
    `NothingNamedSo`, and `SettingsError` for a file that is not ours.
    """
    with closing(open_for_reading(database)) as connection:
        connection.execute("BEGIN")  # one view of everything
        id = find_conversation(connection, name)
        row = connection.execute(_sql("conversation"), (id,)).fetchone()
        return _outline(connection, rows.conversation(row), whole=whole)


def find_conversation(connection: sqlite3.Connection, name: str) -> str:
    """The conversation that *name*, its id or the beginning of it, names."""
    sought = _sql("conversations_named")
    return find_named(connection, sought, name, name=name, what="conversation")


def every_branch(connection: sqlite3.Connection, conversation_id: str) -> list[Branch]:
    """Every branch of a conversation, also deleted ones, the main one first."""
    found = connection.execute(_sql("every_branch"), (conversation_id,))
    return [rows.branch(row) for row in found]


def _sql(name: str) -> str:
    return statements("outline.sql")[name]


def _outline(
    connection: sqlite3.Connection, conversation: Conversation, *, whole: bool
) -> wire.Outline:
    branches = every_branch(connection, conversation.id)
    kept = needed(connection, conversation.id)
    stems = {one.id: _Stem(one, kept.get(one.id, one.head_depth)) for one in branches}
    told = {id: one for id, one in stems.items() if kept.get(id, 1)}
    drawn = told if whole else _drawn(told)
    lines = _lines(connection, conversation.id, drawn, stems, whole=whole)
    return wire.Outline(
        id=conversation.id,
        title=conversation.title,
        account_id=conversation.account_id,
        end_user=conversation.end_user,
        message_count=conversation.message_count,
        branch_count=conversation.branch_count,
        tokens_in=conversation.tokens_in,
        tokens_out=conversation.tokens_out,
        cost=Money.of(conversation.cost),
        created_at=iso(conversation.created_at),
        updated_at=iso(conversation.updated_at),
        branches=[_branch(one, stems, lines.get(id, [])) for id, one in drawn.items()],
        folded=_rest(one for id, one in told.items() if id not in drawn),
        deleted=_rest(one for id, one in stems.items() if id not in told),
    )


def _drawn(told: Mapping[str, _Stem]) -> dict[str, _Stem]:
    """The main branch, those that were used last, and what these stand on."""
    chosen: set[str] = set()
    newest = sorted(told.values(), key=lambda one: (one.branch.is_main, one.branch.updated_at))
    for stem in reversed(newest):
        missing, id = set[str](), str(stem.branch.id)
        while id in told and id not in chosen | missing:
            missing.add(id)
            id = told[id].branch.parent_branch_id or ""
        if len(chosen) + len(missing) <= _BRANCHES:
            chosen |= missing
    return {id: one for id, one in told.items() if id in chosen}


def _lines(
    connection: sqlite3.Connection,
    conversation_id: str,
    drawn: Mapping[str, _Stem],
    stems: Mapping[str, _Stem],
    *,
    whole: bool,
) -> dict[str, list[wire.Line]]:
    """The messages that are drawn of each branch."""
    merges = connection.execute(_sql("merges"), (conversation_id,)).fetchall()
    wanted = None if whole else _depths(drawn, merges)
    places = connection.execute(_sql("places"), (conversation_id,))
    ids = [
        id
        for id, branch_id, depth in places
        if branch_id in drawn
        and (depth <= drawn[branch_id].last if wanted is None else depth in wanted[branch_id])
    ]
    brought = {row[0]: row for row in merges}
    found: dict[str, list[wire.Line]] = defaultdict(list)
    for row in connection.execute(_sql("lines"), (msgspec.json.encode(ids).decode(),)):
        found[row[10]].append(_line(row, brought.get(row[0]), stems))
    return {id: sorted(some, key=lambda line: line.depth) for id, some in found.items()}


def _depths(drawn: Mapping[str, _Stem], merges: Sequence[rows.Row]) -> dict[str, set[int]]:
    """Where the messages stand that are drawn of each branch: its ends, its forks, its merges."""
    depths: dict[str, set[int]] = {}
    for id, stem in drawn.items():
        first, last = stem.branch.fork_depth + 1, stem.last
        depths[id] = {*range(first, first + _FIRST), *range(last - _LAST + 1, last + 1)}
    for stem in drawn.values():
        if (parent := stem.branch.parent_branch_id) in depths:
            depths[parent].add(stem.branch.fork_depth)
    for id in drawn:
        on_it = sorted(depth for _, branch_id, depth, *_ in merges if branch_id == id)
        depths[id] |= set(on_it[-_MERGES:])
        # A fold that hides one message saves nothing.
        depths[id] |= {one + 1 for one in depths[id] if one + 2 in depths[id]}
        depths[id] &= set(range(drawn[id].branch.fork_depth + 1, drawn[id].last + 1))
    return depths


def _line(row: rows.Row, merge: rows.Row | None, stems: Mapping[str, _Stem]) -> wire.Line:
    is_deleted, message = row[9] is not None, message_of(row[4])
    brought: wire.Merge | None = None
    if merge is not None:
        source = stems.get(merge[4])
        brought = wire.Merge(
            branch_id=merge[4],
            branch=source.branch.name if source is not None else None,
            messages=merge[3],
            summary=message.name == SUMMARY,
        )
    return wire.Line(
        id=row[0],
        parent_id=row[2],
        depth=row[3],
        role=row[6],
        first_words="" if is_deleted else first_words(message),
        hash=row[5].hex(),
        tokens=row[7],
        created_at=iso(int(row[8])),
        deleted=is_deleted,
        merge=brought,
    )


def _branch(stem: _Stem, stems: Mapping[str, _Stem], lines: list[wire.Line]) -> wire.Branch:
    branch = stem.branch
    into = stems.get(branch.merged_into_id or "")
    return wire.Branch(
        id=branch.id,
        name=branch.name,
        is_main=branch.is_main,
        is_active=branch.active,
        is_deleted=branch.deleted_at is not None,
        description=branch.description,
        context_mode=branch.context_mode,
        parent_branch_id=branch.parent_branch_id,
        forked_from_id=branch.forked_from_id,
        head_message_id=branch.head_id,
        message_count=stem.own,
        tokens_in=branch.tokens_in,
        tokens_out=branch.tokens_out,
        cost=Money.of(branch.cost),
        merged_into_branch_id=branch.merged_into_id,
        merged_into=into.branch.name if into is not None else None,
        created_at=iso(branch.created_at),
        updated_at=iso(branch.updated_at),
        messages=lines,
    )


def _rest(stems: Iterable[_Stem]) -> wire.Rest:
    some = list(stems)
    return wire.Rest(
        branches=len(some),
        messages=sum(one.own for one in some),
        tokens_in=sum(one.branch.tokens_in for one in some),
        tokens_out=sum(one.branch.tokens_out for one in some),
        cost=Money.of(sum(one.branch.cost for one in some)),
    )
