"""People who log in, and what renews their sessions."""

from __future__ import annotations

import sqlite3

from chatloom.core.secret import Secret
from chatloom.server.store.administration import Deed
from chatloom.server.store.people import LoginTaken, Person, RefreshToken, Use
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.audit import record
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.statements import statements

_SQL = "people.sql"


class People(Opened):
    """Keeps people."""

    async def add_person(self, person: Person, deed: Deed) -> None:
        def write(connection: sqlite3.Connection) -> None:
            sql, account = statements(_SQL), person.account_id
            (taken,) = connection.execute(sql["is_taken"], (person.login, person.dev)).fetchone()
            if taken:
                raise LoginTaken
            connection.execute(
                sql["add_account"], (account, person.login, person.dev, person.created_at)
            )
            connection.execute(sql["add_person"], _of_person(person))
            record(connection, deed)

        await self._place.write(write, durable=True)

    async def find_person(self, login: str, *, dev: bool) -> Person | None:
        return self._person("person_by_login", login, dev)

    async def person(self, id: str) -> Person | None:
        return self._person("person", id)

    async def people(self) -> list[Person]:
        def read() -> list[Person]:
            return [_person(row) for row in self._reader.execute(statements(_SQL)["people"])]

        return await self._place.apart(read)

    async def change_person(
        self, id: str, now: int, deed: Deed, *, password: Secret | None, disabled: bool | None
    ) -> None:
        def write(connection: sqlite3.Connection) -> None:
            sql = statements(_SQL)
            if password is not None:
                connection.execute(sql["set_password"], (id, password.reveal()))
            if disabled is not None:
                connection.execute(sql["set_disabled"], (id, now if disabled else None))
            for (session,) in connection.execute(sql["sessions"], (id,)).fetchall():
                connection.execute(self._sql["revoke_key"], (now, session))
            record(connection, deed)

        await self._place.write(write, durable=True)

    async def person_of(self, account_id: str) -> Person | None:
        return self._person("person_of_account", account_id)

    def _person(self, statement: str, *values: object) -> Person | None:
        row = rows.one(self._reader, statements(_SQL)[statement], *values)
        return None if row is None else _person(row)

    async def keep_anew(self, person: Person, password: Secret) -> None:
        def write(connection: sqlite3.Connection) -> None:
            values = (person.id, password.reveal(), person.password.reveal())
            connection.execute(statements(_SQL)["keep_anew"], values)

        await self._place.write(write, durable=True)

    async def add_refresh_token(self, token: RefreshToken) -> None:
        await self._place.write(lambda connection: _add_token(connection, token), durable=True)

    async def find_refresh_token(self, digest: bytes) -> RefreshToken | None:
        row = rows.one(self._reader, statements(_SQL)["refresh_token"], digest)
        if row is None:
            return None
        found, session_id, created_at, expires_at, used_at = row
        return RefreshToken(
            digest=found,
            session_id=session_id,
            created_at=created_at,
            expires_at=expires_at,
            used_at=used_at,
        )

    async def exchange_refresh_token(self, used: bytes, newer: RefreshToken) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            values = (used, newer.created_at)
            if not connection.execute(statements(_SQL)["use_refresh_token"], values).rowcount:
                return False
            _add_token(connection, newer)
            return True

        return await self._place.write(write, durable=True)

    async def is_session(self, key_id: str) -> bool:
        (found,) = self._reader.execute(statements(_SQL)["is_session"], (key_id,)).fetchone()
        return bool(found)

    async def forget_refresh_tokens(self, now: int) -> int:
        def write(connection: sqlite3.Connection) -> int:
            statement = statements(_SQL)["forget_refresh_tokens"]
            return connection.execute(statement, (now, _FORGOTTEN)).rowcount

        forgotten = 0
        while some := await self._place.write(write):
            forgotten += some
        return forgotten

    async def use_of(self, account_id: str, end_user: str | None) -> Use:
        whose = ("account", account_id)
        if end_user is not None:
            whose = ("end_user", f"{account_id}/{end_user}")
        row = rows.one(self._reader, statements(_SQL)["use"], *whose)
        return Use(0, 0, 0, 0) if row is None else Use(*row)


_FORGOTTEN = 500
"""Tokens to forget in one go, so that others need not wait for all of them."""


def _add_token(connection: sqlite3.Connection, token: RefreshToken) -> None:
    values = (token.digest, token.session_id, token.created_at, token.expires_at)
    connection.execute(statements(_SQL)["add_refresh_token"], values)


def _person(row: rows.Row) -> Person:
    return Person(
        id=row[0],
        account_id=row[1],
        login=row[2],
        email=row[3],
        name=row[4],
        password=Secret(row[5]),
        created_at=row[6],
        dev=bool(row[7]),
        tier=row[8],
        disabled_at=row[9],
    )


def _of_person(person: Person) -> rows.Row:
    return (
        person.id,
        person.account_id,
        person.login,
        person.dev,
        person.email,
        person.name,
        person.password.reveal(),
        person.created_at,
    )
