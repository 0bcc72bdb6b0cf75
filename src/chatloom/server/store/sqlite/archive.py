"""Archives stored: whole conversations that were exported elsewhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

import msgspec

from chatloom.core.http import JSON
from chatloom.server.archive.lines import (
    IMPORTED,
    Branch,
    Checkpoint,
    Conversation,
    Message,
    Record,
    Took,
)
from chatloom.server.store.administration import Deed
from chatloom.server.store.archive import AlreadyThere
from chatloom.server.store.sqlite import audit, rows
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.statements import statements


class Archive(Opened):
    """Takes in whole conversations, each under one transaction with all others of its archive."""

    async def add_archive(
        self, account_id: str, read: Callable[[], Iterable[Record]], deed: Deed
    ) -> None:
        def write(connection: sqlite3.Connection) -> None:
            added: list[str] = []
            for record in read():
                try:
                    _add(connection, account_id, record)
                except sqlite3.IntegrityError:
                    what = type(record.line).__name__.lower()
                    raise AlreadyThere(f"the {what} {record.line.id}") from None
                if isinstance(record.line, Conversation):
                    added.append(record.conversation_id)
            for id in added:
                connection.execute(_sql("count"), (id,))
            audit.record(connection, deed)

        await self._place.write(write, durable=True)


def _sql(name: str) -> str:
    return statements("archive.sql")[name]


def _add(connection: sqlite3.Connection, account_id: str, record: Record) -> None:
    line = record.line
    if isinstance(line, Message):
        _add_message(connection, account_id, record, line)
    elif isinstance(line, Branch):
        connection.execute(_sql("add_branch"), _of_branch(record, line))
    elif isinstance(line, Checkpoint):
        connection.execute(_sql("add_checkpoint"), _of_checkpoint(account_id, record, line))
    else:
        here = connection.execute(_sql("conversation_here"), (line.id,)).fetchone()
        if here is not None:
            raise AlreadyThere(f"the conversation {line.id}", deleted=bool(here[0]))
        connection.execute(_sql("add_conversation"), _of_conversation(account_id, line))


def _of_conversation(account_id: str, line: Conversation) -> rows.Row:
    metadata = dict(line.metadata)
    if line.took != Took():
        metadata[IMPORTED] = _told(line.took)
    return (
        line.id,
        account_id,
        line.end_user,
        line.organization,
        int(line.listed),
        line.title,
        line.model,
        msgspec.json.encode(metadata).decode(),
        msgspec.json.encode(line.defaults).decode(),
        line.created_at,
        line.updated_at,
        line.last_message_at,
        int(line.archived),
    )


def _told(took: Took) -> JSON:
    built: JSON = msgspec.to_builtins(took)
    return built


def _of_branch(record: Record, line: Branch) -> rows.Row:
    return (
        line.id,
        record.conversation_id,
        line.name,
        line.head,
        line.parent,
        line.forked_from,
        int(line.main),
        int(line.active),
        line.description,
        line.context_mode,
        line.created_at,
        line.updated_at,
        line.deleted_at,
        line.merged_head,
        line.merged_into,
        line.merged_by,
        line.merged_at,
    )


def _add_message(
    connection: sqlite3.Connection, account_id: str, record: Record, line: Message
) -> None:
    values = (
        line.id,
        record.conversation_id,
        account_id,
        line.parent,
        record.depth,
        line.role,
        record.body,
        bytes.fromhex(line.hash),
        line.tokens,
        line.created_at,
        int(line.answered),
        line.deleted_at,
        line.branch,
    )
    connection.execute(_sql("add_message"), values)
    if line.others:
        others = [(record.conversation_id, line.id, *one) for one in enumerate(line.others)]
        connection.executemany(_sql("add_other"), others)


def _of_checkpoint(account_id: str, record: Record, line: Checkpoint) -> rows.Row:
    return (
        line.id,
        account_id,
        record.conversation_id,
        line.branch,
        line.anchor,
        record.depth,
        line.summary,
        line.tokens,
        line.model,
        line.created_at,
    )
