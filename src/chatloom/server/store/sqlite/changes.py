"""Trees changed other than by turns: edits, merges, messages deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from chatloom.server.chat.message import title_of
from chatloom.server.events.reports import of_edit
from chatloom.server.store.contract import Node
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.made import made_before, note_made
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.outbox import forget_message
from chatloom.server.store.sqlite.statements import statements
from chatloom.server.store.sqlite.words import forget_words
from chatloom.server.store.trees import Edit, Edited, Merging, Repeatable

_SQL = "trees.sql"


class Changes(Opened):
    """Changes trees; whoever reads beside it sees all of a change or nothing."""

    async def edit(
        self, account_id: str, edit: Edit, by: Repeatable | None = None
    ) -> Edited | None:
        def write(connection: sqlite3.Connection) -> Edited | None:
            if made := made_before(connection, by):
                return msgspec.json.decode(made, type=Edited)
            if not _edit(connection, account_id, edit):
                return None
            if self._outbox.is_heard(connection, account_id):
                self._report(connection, account_id, edit)
            done = Edited(edit.node.id, edit.kept_branch_id)
            note_made(connection, by, msgspec.json.encode(done).decode())
            return done

        return await self._place.write(write, durable=True)

    def _report(self, connection: sqlite3.Connection, account_id: str, edit: Edit) -> None:
        whose = (edit.node.conversation_id, account_id)
        row = rows.one(connection, self._sql["conversation"], *whose)
        if row is not None and edit.node.message.role == "user":
            branch_id = edit.replaced.branch_id or ""
            told = of_edit(edit.node, rows.conversation(row), branch_id)
            self._outbox.report(connection, [told])

    async def merge(self, merging: Merging) -> bool:
        def write(connection: sqlite3.Connection) -> None:
            _merge(connection, merging)

        try:
            await self._place.write(write, durable=True)
        except _Moved:
            return False
        return True

    async def delete_message(self, account_id: str, id: str, now: int) -> bool:
        sql = statements(_SQL)

        def write(connection: sqlite3.Connection) -> bool:
            row = rows.one(connection, self._sql["node"], id, account_id)
            node = None if row is None else rows.node(row)
            if node is None or node.deleted_at is not None:
                return False
            forget_words(connection, id)
            connection.execute(sql["erase_message"], (id, now))
            connection.execute(sql["uncount_message"], (node.conversation_id, now))
            connection.execute(sql["forget_answer"], (id,))
            forget_message(connection, node.conversation_id, id)
            _forget_mentions(connection, node, now)
            return True

        return await self._place.write(write, durable=True)


def _forget_mentions(connection: sqlite3.Connection, node: Node, now: int) -> None:
    """Forget what was made of a message: a title that is its beginning, summaries that it is in."""
    sql = statements(_SQL)
    if title := title_of(node.message):
        connection.execute(sql["forget_title"], (node.conversation_id, title))
    anchors = connection.execute(sql["anchors_from"], (node.conversation_id, node.depth))
    for id, anchor_id, account_id in anchors.fetchall():
        place = (anchor_id, node.id, node.depth)
        if connection.execute(sql["stands_behind"], place).fetchone()[0]:
            connection.execute(sql["delete_checkpoint"], (account_id, id, now))


def _edit(connection: sqlite3.Connection, account_id: str, edit: Edit) -> bool:
    sql, node, replaced = statements(_SQL), edit.node, edit.replaced
    conversation, now = replaced.conversation_id, node.created_at
    found = rows.one(connection, statements()["branch"], conversation, replaced.branch_id)
    branch = None if found is None else rows.branch(found)
    if branch is None or branch.deleted_at is not None:
        return False
    moved = _own_nodes(connection, branch.head_id, branch.id, replaced.depth)
    if replaced.id not in moved:
        return False
    kept = (edit.kept_branch_id, edit.kept_name, replaced.parent_id, now)
    connection.execute(sql["add_kept"], (conversation, branch.id, *kept))
    connection.execute(statements()["count_branch"], (1, conversation))
    _hand_over(connection, conversation, moved, branch.id, edit.kept_branch_id)
    _add_node(connection, account_id, node, branch.id)
    connection.execute(sql["set_head"], (conversation, branch.id, node.id, now))
    return True


class _Moved(Exception):
    """A branch is not where it was any more; undoes the merge."""


def _merge(connection: sqlite3.Connection, merging: Merging) -> None:
    sql, node, now = statements(_SQL), merging.node, merging.now
    conversation, source, target = merging.conversation_id, merging.source_id, merging.target_id
    head = node.id if node is not None else merging.source_head_id
    moves = (conversation, target, merging.target_head_id, head, now)
    marks = (merging.source_head_id, target, node.id if node else None, now)
    marked = (conversation, source, *marks, merging.target_head_id)
    if not connection.execute(sql["mark_merged"], marked).rowcount:
        raise _Moved
    if not connection.execute(sql["move_head"], moves).rowcount:
        raise _Moved
    if node is None:
        own = _own_nodes(connection, merging.source_head_id, source, 0)
        _hand_over(connection, conversation, own, source, target)
    else:
        _add_node(connection, merging.account_id, node, target)
        others = enumerate(merging.others)
        connection.executemany(
            sql["add_other"], [(conversation, node.id, place, other) for place, other in others]
        )


def _own_nodes(
    connection: sqlite3.Connection, head_id: str | None, branch_id: str, depth: int
) -> list[str]:
    """A branch's own messages from its head down to *depth*."""
    found = connection.execute(statements(_SQL)["own_nodes"], (head_id, branch_id, depth))
    return [id for (id,) in found]


def _hand_over(
    connection: sqlite3.Connection, conversation: str, nodes: Sequence[str], source: str, to: str
) -> None:
    """Have messages belong to another branch, with their cost, and what stands on them."""
    sql, moved = statements(_SQL), msgspec.json.encode(nodes).decode()
    *taken, turns = connection.execute(sql["taken_by_turns"], (moved, source)).fetchone()
    connection.execute(sql["hand_over_messages"], (to, moved))
    connection.execute(sql["hand_over_turns"], (to, turns))
    connection.execute(sql["hand_over_forks"], (to, conversation, moved))
    connection.execute(sql["hand_over_checkpoints"], (to, conversation, moved, source))
    connection.execute(sql["add_taken"], (conversation, source, *(-one for one in taken)))
    connection.execute(sql["add_taken"], (conversation, to, *taken))


def _add_node(connection: sqlite3.Connection, account_id: str, node: Node, branch_id: str) -> None:
    values = rows.of_node(node, account_id, branch_id)
    connection.execute(statements()["add_message"], values)
    counted = (node.conversation_id, 1, node.created_at)
    connection.execute(statements(_SQL)["count_messages"], counted)
