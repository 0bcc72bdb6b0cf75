"""Finding messages by their words: an index that follows what is said at its own pace."""

from __future__ import annotations

import sqlite3

import msgspec

from chatloom.server.chat.message import Message
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.paths import is_kept, needed
from chatloom.server.store.sqlite.statements import statements
from chatloom.server.store.trees import Found

_SQL = "trees.sql"
_AT_ONCE = 200
"""Messages that are indexed in one go, so that turns need not wait for all of them."""
_CHARACTERS = 1_000_000
"""And of how many characters, about."""
_NEWEST = 2**62


class Words(Opened):
    """Searches in what was said."""

    async def index_words(self) -> None:
        while await self._place.write(_index_some):
            pass

    async def purge_words(self) -> None:
        await self._place.write(purge_words)

    async def search(
        self,
        account_id: str,
        words: str,
        *,
        end_user: str | None,
        conversation_id: str | None,
        before: int | None,
        limit: int,
    ) -> list[Found]:
        within = [f'account : "{_plain(account_id)}"']
        if conversation_id is not None:
            within.append(f'conversation : "{_plain(conversation_id)}"')
        sought = " AND ".join((*within, f"text : ({words})"))

        def read() -> list[Found]:
            found: list[Found] = []
            last = _NEWEST if before is None else before
            kept: dict[str, dict[str, int]] = {}
            while len(found) < limit:
                values = (sought, last, account_id, end_user, conversation_id, limit)
                some = self._reader.execute(statements(_SQL)["search"], values).fetchall()
                for row in some:
                    node, last = rows.node(row), rows.position(row)
                    if node.conversation_id not in kept:
                        kept[node.conversation_id] = needed(self._reader, node.conversation_id)
                    if is_kept(node, kept[node.conversation_id]):
                        found.append(Found(position=last, node=node, title=row[-1]))
                if len(some) < limit:
                    break
            return found[:limit]

        return await self._place.apart(read)


def _index_some(connection: sqlite3.Connection) -> bool:
    """Index what came next; False at the end."""
    sql, size, last = statements(_SQL), 0, None
    for row in connection.execute(sql["unindexed"], (_AT_ONCE,)).fetchall():
        last = row[0]
        if row[4] is None:
            connection.execute(sql["index_words"], _of(row))
        size += len(row[3])
        if size > _CHARACTERS:
            break
    if last is not None:
        connection.execute(sql["indexed_upto"], (last,))
    return last is not None


def purge_words(connection: sqlite3.Connection) -> None:
    """Write the index anew where it holds words of deleted messages, which it only marks so."""
    sql = statements(_SQL)
    if connection.execute(sql["any_forgotten"]).fetchone()[0]:
        connection.execute(sql["purge_words"])
        connection.execute(sql["none_forgotten"])


def forget_words(connection: sqlite3.Connection, message_id: str) -> None:
    """Take a message's words out of the index, while it still has them."""
    sql = statements(_SQL)
    row = connection.execute(sql["row_of_message"], (message_id,)).fetchone()
    (upto,) = connection.execute(sql["upto"]).fetchone()
    if row[0] <= upto:
        connection.execute(sql["forget_words"], _of(row))
        connection.execute(sql["some_forgotten"])


def _of(row: rows.Row) -> tuple[int, str, str, str]:
    """What is indexed of a message."""
    return row[0], _plain(row[1]), _plain(row[2]), _read(row[3]).text


def _plain(id: str) -> str:
    """An id as one word."""
    return "".join(filter(str.isalnum, id))


_read = msgspec.json.Decoder(Message).decode
