"""Conversations and branches: begun, listed, changed, deleted."""

from __future__ import annotations

import sqlite3

import msgspec

from chatloom.server.store.contract import Branch, Conversation
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.made import made_before, note_made
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.outbox import forget_conversation
from chatloom.server.store.sqlite.statements import statements
from chatloom.server.store.trees import (
    ContextMode,
    Defaults,
    NewConversation,
    Repeatable,
)

_SQL = "trees.sql"


class Branches(Opened):
    """Keeps the names of things."""

    async def made(self, by: Repeatable) -> str | None:
        return made_before(self._reader, by)

    async def add_conversation(self, new: NewConversation, by: Repeatable | None = None) -> str:
        sql = statements(_SQL)

        def write(connection: sqlite3.Connection) -> str:
            if made := made_before(connection, by):
                return made
            note_made(connection, by, new.id)
            connection.execute(
                sql["add_conversation"],
                (
                    new.id,
                    new.account_id,
                    new.end_user,
                    new.organization,
                    new.title,
                    msgspec.json.encode(new.metadata).decode(),
                    msgspec.json.encode(new.defaults).decode(),
                    new.now,
                    new.now,
                ),
            )
            main = (new.main_branch_id, new.id, "main", None, None, None, 1, None, "FULL")
            connection.execute(sql["add_branch"], (*main, new.now, new.now))
            return new.id

        return await self._place.write(write, durable=True)

    async def conversations(
        self, account_id: str, end_user: str | None, *, limit: int, offset: int
    ) -> tuple[list[Conversation], int]:
        sql, whose = statements(_SQL), (account_id, end_user)

        def read() -> tuple[list[Conversation], int]:
            found = self._reader.execute(sql["conversations"], (*whose, limit, offset))
            listed = [rows.conversation(row) for row in found]
            (count,) = self._reader.execute(sql["count_conversations"], whose).fetchone()
            return listed, count

        return await self._place.apart(read)

    async def set_defaults(self, account_id: str, id: str, defaults: Defaults, now: int) -> None:
        told = msgspec.json.encode(defaults).decode()
        await self._change_kept("set_defaults", account_id, id, told, now)

    async def delete_conversation(self, account_id: str, id: str, now: int) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            self._keep(connection, account_id, id)
            values = (account_id, id, now)
            done = connection.execute(statements(_SQL)["delete_conversation"], values).rowcount > 0
            if done:
                forget_conversation(connection, id)
            return done

        return await self._place.write(write, durable=True)

    async def branch(self, conversation_id: str, id: str) -> Branch | None:
        row = self._one("branch", conversation_id, id)
        if row is None:
            row = self._one("branch_to_be", conversation_id)
            row = row if row is not None and row[0] == id else None
        return None if row is None else rows.branch(row)

    async def main_branch(self, conversation_id: str) -> Branch | None:
        row = self._one("main_branch", conversation_id)
        row = row or self._one("branch_to_be", conversation_id)
        return None if row is None else rows.branch(row)

    async def branches_after(
        self, conversation_id: str, after: str | None, limit: int
    ) -> list[Branch]:
        values = (conversation_id, after or "", limit)
        found = self._reader.execute(statements(_SQL)["branches_after"], values)
        return [rows.branch(row) for row in found.fetchall()]

    async def add_branch(self, branch: Branch, by: Repeatable | None = None) -> str:
        def write(connection: sqlite3.Connection) -> str:
            if made := made_before(connection, by):
                return made
            note_made(connection, by, branch.id)
            self._keep(connection, None, branch.conversation_id)
            connection.execute(statements(_SQL)["add_branch"], rows.of_branch(branch))
            connection.execute(self._sql["count_branch"], (1, branch.conversation_id))
            return branch.id

        return await self._place.write(write, durable=True)

    async def forget_made(self, now: int) -> None:
        """Forget what repeated requests made so long ago that nobody repeats them any more."""
        await self._change("forget_made", now)

    async def change_branch(
        self,
        conversation_id: str,
        id: str,
        *,
        name: str | None,
        description: str | None,
        context_mode: ContextMode | None,
        active: bool | None,
        now: int,
    ) -> None:
        changes = (conversation_id, id, name, description, context_mode, active, now)

        def write(connection: sqlite3.Connection) -> None:
            self._keep(connection, None, conversation_id)
            connection.execute(statements(_SQL)["change_branch"], changes)

        await self._place.write(write, durable=True)

    async def delete_branch(self, conversation_id: str, id: str, now: int) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            values = (conversation_id, id, now)
            done = connection.execute(statements(_SQL)["delete_branch"], values).rowcount > 0
            if done:
                connection.execute(self._sql["count_branch"], (-1, conversation_id))
            return done

        return await self._place.write(write, durable=True)

    async def _change_kept(self, name: str, account_id: str, id: str, *values: object) -> bool:
        """Change a conversation, also one whose first turn is still open."""

        def write(connection: sqlite3.Connection) -> bool:
            self._keep(connection, account_id, id)
            changes = (account_id, id, *values)
            return connection.execute(statements(_SQL)[name], changes).rowcount > 0

        return await self._place.write(write, durable=True)

    async def _change(self, name: str, *values: object) -> bool:
        """Run a statement of this name; tell whether it changed anything."""

        def write(connection: sqlite3.Connection) -> bool:
            return connection.execute(statements(_SQL)[name], values).rowcount > 0

        return await self._place.write(write, durable=True)
