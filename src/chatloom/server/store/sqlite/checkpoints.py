"""Checkpoints kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from chatloom.server.store.contract import Node
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.statements import statements
from chatloom.server.store.trees import Checkpoint

_SQL = "trees.sql"


class Checkpoints(Opened):
    """Keeps what models made of conversations."""

    async def add_checkpoint(self, checkpoint: Checkpoint) -> bool:
        values = msgspec.structs.astuple(checkpoint)

        def write(connection: sqlite3.Connection) -> bool:
            return connection.execute(statements(_SQL)["add_checkpoint"], values).rowcount > 0

        return await self._place.write(write, durable=True)

    async def checkpoint(self, account_id: str, id: str) -> Checkpoint | None:
        row = rows.one(self._reader, statements(_SQL)["checkpoint"], id, account_id)
        return None if row is None else _checkpoint(row)

    async def checkpoints(self, conversation_id: str, branch_id: str | None) -> list[Checkpoint]:
        values = (conversation_id, branch_id)
        found = self._reader.execute(statements(_SQL)["checkpoints"], values)
        return [_checkpoint(row) for row in found.fetchall()]

    async def checkpoint_on(self, conversation_id: str, path: Sequence[Node]) -> Checkpoint | None:
        if not path:
            return None
        ids = {node.id for node in path}
        values = (conversation_id, path[-1].depth)
        found = self._reader.execute(statements(_SQL)["anchors_down_to"], values)
        on = next((id for id, anchor_id in found if anchor_id in ids), None)
        row = rows.one(self._reader, statements(_SQL)["checkpoint"], on, None)
        return None if row is None else _checkpoint(row)

    async def delete_checkpoint(self, account_id: str, id: str, now: int) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            values = (account_id, id, now)
            return connection.execute(statements(_SQL)["delete_checkpoint"], values).rowcount > 0

        return await self._place.write(write, durable=True)


def _checkpoint(row: rows.Row) -> Checkpoint:
    return msgspec.convert(dict(zip(Checkpoint.__struct_fields__, row, strict=True)), Checkpoint)
