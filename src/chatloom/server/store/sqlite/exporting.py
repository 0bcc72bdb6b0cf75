"""Conversations read from a file that a server may have open, as the lines of an archive."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.http import JSON
from chatloom.server.archive import lines
from chatloom.server.archive.lines import IMPORTED, VERSION, Header, Line, Took
from chatloom.server.store import contract
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.connect import open_for_reading
from chatloom.server.store.sqlite.outline import every_branch, find_conversation
from chatloom.server.store.sqlite.paths import needed
from chatloom.server.store.sqlite.statements import statements


def export_file(
    database: Path, name: str | None, account_id: str | None
) -> Iterator[Header | Line]:
    """Export a conversation, or without a *name* all of an account; nothing is written.

    Without *account_id* it is the only account there is. All lines show the same moment. Raises
    `NothingNamedSo`, and `SettingsError` for a file that is not ours, or an account it has not.
    """
    with closing(open_for_reading(database)) as connection:
        connection.execute("BEGIN")  # one view of everything
        if name is not None:
            ids = [find_conversation(connection, name)]
        else:
            account = _account(connection, account_id)
            ids = [id for (id,) in connection.execute(_sql("conversations_of"), (account,))]
        yield Header(format="chatloom", version=VERSION, conversations=len(ids))
        for id in ids:
            yield from _Export(connection, id).told()


def _account(connection: sqlite3.Connection, id: str | None) -> str:
    accounts = [row[0] for row in connection.execute(statements("administration.sql")["accounts"])]
    if id is None and len(accounts) == 1:
        return str(accounts[0])
    if id in accounts:
        return str(id)
    if id is not None:
        raise SettingsError(f"there is no account {id!r}; `chatloom accounts list` tells them")
    if not accounts:
        raise SettingsError("there is no account, and so no conversation")
    raise SettingsError("there are several accounts; name one with --account")


def _sql(name: str) -> str:
    return statements("archive.sql")[name]


class _Export:
    """One conversation on its way out, without what is deleted and nothing stands on."""

    def __init__(self, connection: sqlite3.Connection, id: str) -> None:
        self._connection = connection
        row = connection.execute(statements("outline.sql")["conversation"], (id,)).fetchone()
        self._about = rows.conversation(row)
        kept = needed(connection, id)
        told = [one for one in every_branch(connection, id) if kept.get(one.id, 1)]
        self._branches = {one.id: one for one in told}
        self._last = {one.id: kept.get(one.id, one.head_depth) for one in told}
        """Down to which depth the messages of a branch are told."""

    def told(self) -> Iterator[Line]:
        """Every line of it."""
        checkpoints = list(self._checkpoints())
        yield self._conversation(len(checkpoints))
        for branch in self._branches.values():
            yield self._branch(branch)
        yield from self._messages()
        yield from checkpoints

    def _conversation(self, checkpoints: int) -> lines.Conversation:
        about = self._about
        own = Took(tokens_in=about.tokens_in, tokens_out=about.tokens_out, picodollars=about.cost)
        took, metadata = _with_imported(own, about.metadata)
        return lines.Conversation(
            id=about.id,
            end_user=about.end_user,
            organization=about.organization,
            listed=about.listed,
            title=about.title,
            model=about.model,
            metadata=metadata,
            defaults=about.defaults,
            created_at=about.created_at,
            updated_at=about.updated_at,
            last_message_at=about.last_message_at,
            archived=about.archived,
            branches=len(self._branches),
            messages=sum(self._last[id] - one.fork_depth for id, one in self._branches.items()),
            checkpoints=checkpoints,
            took=took,
        )

    def _branch(self, branch: contract.Branch) -> lines.Branch:
        head, last, parent = branch.head_id, self._last[branch.id], branch.parent_branch_id
        if last < branch.head_depth:
            place = (self._about.id, branch.id, last)
            (head,) = self._connection.execute(_sql("message_at"), place).fetchone()
        if parent is not None and parent not in self._branches:  # one that shares nothing with it
            parent = next(one.id for one in self._branches.values() if one.is_main)
        line = lines.Branch(
            id=branch.id,
            name=branch.name,
            head=head,
            parent=parent,
            forked_from=branch.forked_from_id,
            main=branch.is_main,
            active=branch.active,
            description=branch.description,
            context_mode=branch.context_mode,
            created_at=branch.created_at,
            updated_at=branch.updated_at,
            deleted_at=branch.deleted_at,
        )
        if branch.merged_into_id not in self._branches:
            return line
        if not all(map(self._tells, filter(None, (branch.merged_head_id, branch.merged_by_id)))):
            return line
        return msgspec.structs.replace(
            line,
            merged_head=branch.merged_head_id,
            merged_into=branch.merged_into_id,
            merged_by=branch.merged_by_id,
            merged_at=branch.merged_at,
        )

    def _tells(self, id: str) -> bool:
        place = self._connection.execute(_sql("place"), (id,)).fetchone()
        return place is not None and place[1] <= self._last.get(place[0], 0)

    def _messages(self) -> Iterator[lines.Message]:
        """The messages in the order they were said, each behind its parent."""
        known: set[str | None] = {None}
        early: dict[str, list[rows.Row]] = defaultdict(list)
        for row in self._connection.execute(_sql("messages"), (self._about.id,)):
            if row[10] > self._last.get(row[1], 0):
                continue
            if row[2] not in known:
                early[row[2]].append(row)
                continue
            waiting = [row]
            while waiting:
                one = waiting.pop(0)
                known.add(one[0])
                waiting += early.pop(one[0], [])
                yield self._message(one)

    def _message(self, row: rows.Row) -> lines.Message:
        others: list[str] = []
        if row[11]:
            found = self._connection.execute(_sql("others"), (self._about.id, row[0]))
            others = [id for (id,) in found]
        return lines.Message(
            id=row[0],
            branch=row[1],
            parent=row[2],
            role=row[3],
            body=msgspec.Raw(row[4]),
            hash=row[5].hex(),
            tokens=row[6],
            created_at=row[7],
            answered=bool(row[8]),
            deleted_at=row[9],
            others=others,
        )

    def _checkpoints(self) -> Iterator[lines.Checkpoint]:
        for row in self._connection.execute(_sql("checkpoints"), (self._about.id,)):
            if row[1] in self._branches and row[8] <= self._last.get(row[7], 0):
                yield lines.Checkpoint(
                    id=row[0],
                    branch=row[1],
                    anchor=row[2],
                    summary=row[3],
                    tokens=row[4],
                    model=row[5],
                    created_at=row[6],
                )


def _with_imported(own: Took, metadata: dict[str, JSON]) -> tuple[Took, dict[str, JSON]]:
    """What a conversation took, here and before it was imported; and the rest of its metadata."""
    try:
        before = msgspec.convert(metadata.get(IMPORTED, {}), Took)
    except msgspec.ValidationError:  # it is somebody else's
        return own, metadata
    if before == Took():
        return own, metadata
    took = Took(
        tokens_in=own.tokens_in + before.tokens_in,
        tokens_out=own.tokens_out + before.tokens_out,
        picodollars=own.picodollars + before.picodollars,
    )
    return took, {name: value for name, value in metadata.items() if name != IMPORTED}
