"""Accounts, administrators, the audit log, and how much the server is used."""

from __future__ import annotations

import sqlite3

from chatloom.server.events.reports import of_tier
from chatloom.server.ids import first_id_at, milliseconds
from chatloom.server.store.administration import (
    Account,
    Administrator,
    Deed,
    Entry,
    Figures,
)
from chatloom.server.store.sqlite import audit, rows
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.statements import statements

_SQL = "administration.sql"


class Administration(Opened):
    """Keeps what administrators see and do."""

    async def accounts(self) -> list[Account]:
        def read() -> list[Account]:
            return [_account(row) for row in self._reader.execute(statements(_SQL)["accounts"])]

        return await self._place.apart(read)

    async def find_account(self, id: str) -> Account | None:
        row = rows.one(self._reader, statements(_SQL)["account"], id)
        return None if row is None else _account(row)

    async def set_tier(self, account_id: str, tier: str | None, deed: Deed) -> None:
        def write(connection: sqlite3.Connection) -> None:
            row = rows.one(connection, statements(_SQL)["account"], account_id)
            if row is None:
                return
            connection.execute(statements(_SQL)["set_tier"], (account_id, tier))
            audit.record(connection, deed)
            told = of_tier(account_id, _account(row).tier, tier, milliseconds())
            self._outbox.report(connection, [] if told is None else [told])

        await self._place.write(write, durable=True)

    async def administrators(self) -> list[Administrator]:
        found = self._reader.execute(statements(_SQL)["administrators"])
        return [
            Administrator(
                id=id,
                email=email,
                workos_id=workos_id,
                name=name,
                added_by=added_by,
                created_at=created_at,
            )
            for id, email, workos_id, name, added_by, created_at in found
        ]

    async def is_administrator(self, email: str) -> bool:
        (found,) = self._reader.execute(statements(_SQL)["is_administrator"], (email,)).fetchone()
        return bool(found)

    async def put_administrator(self, administrator: Administrator, deed: Deed) -> None:
        values = (
            administrator.id,
            administrator.email,
            administrator.workos_id,
            administrator.name,
            administrator.added_by,
            administrator.created_at,
        )
        await self._do("put_administrator", values, deed)

    async def remove_administrator(self, email: str, deed: Deed) -> bool:
        return await self._do("remove_administrator", (email,), deed)

    async def _do(self, statement: str, values: tuple[object, ...], deed: Deed) -> bool:
        """Run a statement; where it changes something, tell the audit log so."""

        def write(connection: sqlite3.Connection) -> bool:
            changed = connection.execute(statements(_SQL)[statement], values).rowcount > 0
            audit.record(connection, deed if changed else None)
            return changed

        return await self._place.write(write, durable=True)

    async def record(self, deed: Deed) -> None:
        await self._place.write(lambda connection: audit.record(connection, deed))

    async def audit(self, *, limit: int, offset: int) -> list[Entry]:
        def read() -> list[Entry]:
            found = self._reader.execute(statements(_SQL)["entries"], (limit, offset))
            return [audit.entry(row) for row in found]

        return await self._place.apart(read)

    async def figures(self, *, today: int, active_since: int) -> Figures:
        def read() -> Figures:
            def numbers(statement: str, *values: object) -> list[int]:
                row = rows.one(self._reader, statements(_SQL)[statement], *values)
                return [int(number) for number in row or ()]

            users, active = numbers("users", active_since)
            (organizations,) = numbers("organizations")
            requests, tokens = numbers("use")
            requests_today, tokens_today = numbers("use_since", first_id_at(today))
            return Figures(
                users=users,
                active_users=active,
                organizations=organizations,
                requests=requests,
                requests_today=requests_today,
                tokens=tokens,
                tokens_today=tokens_today,
            )

        return await self._place.apart(read)


def _account(row: rows.Row) -> Account:
    id, name, tier, dev, created_at = row
    return Account(id=id, name=name, tier=tier, dev=bool(dev), created_at=created_at)
