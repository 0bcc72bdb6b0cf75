"""API keys and the accounts they belong to."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from chatloom.server.store.administration import Deed
from chatloom.server.store.keys import (
    MOST_DESCENDANTS,
    AncestorRevoked,
    ApiSecret,
    Key,
    RateLimit,
    TooManyDescendants,
)
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.audit import record
from chatloom.server.store.sqlite.opened import Opened


class Keys(Opened):
    """Keeps API keys."""

    async def account(self, id: str, name: str, *, dev: bool, now: int) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(self._sql["add_account"], (id, name, dev, now))

        await self._place.write(write)

    async def add_key(self, key: Key, secret: ApiSecret, deed: Deed | None = None) -> None:
        def write(connection: sqlite3.Connection) -> None:
            above = _json(key.ancestors)
            if rows.one(connection, self._sql["revoked_ancestor"], above) is not None:
                raise AncestorRevoked
            day_ago = key.created_at - 86_400_000
            family = (key.account_id, above, key.created_at, day_ago)
            most = rows.one(connection, self._sql["most_descendants"], *family)
            if most is not None and (most[0] or 0) >= MOST_DESCENDANTS:
                raise TooManyDescendants
            connection.execute(self._sql["add_key"], _of_key(key))
            self._add_secret(connection, secret)
            record(connection, deed)

        await self._place.write(write, durable=True)

    def _add_secret(self, connection: sqlite3.Connection, secret: ApiSecret) -> None:
        connection.execute(
            self._sql["add_secret"],
            (secret.digest, secret.key_id, secret.hint, secret.created_at, secret.expires_at),
        )

    async def find_key(self, digest: bytes) -> Key | None:
        row = self._one("find_key", digest)
        return None if row is None else _key(row)

    async def key(self, id: str) -> Key | None:
        row = self._one("key", id)
        return None if row is None else _key(row)

    async def keys(self, account_id: str | None = None) -> list[Key]:
        if account_id is None:
            return await self._listed("keys")
        return await self._listed("keys_of_account", account_id)

    async def descendants(self, key: Key, now: int) -> list[Key]:
        return await self._listed("descendants", key.account_id, key.id, now)

    async def _listed(self, statement: str, *values: object) -> list[Key]:
        def read() -> list[Key]:
            return [_key(row) for row in self._reader.execute(self._sql[statement], values)]

        return await self._place.apart(read)

    async def revoke_key(self, id: str, now: int, deed: Deed | None = None) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            revoked = connection.execute(self._sql["revoke_key"], (now, id)).rowcount > 0
            record(connection, deed if revoked else None)
            return revoked

        return await self._place.write(write, durable=True)

    async def rotate_key(
        self, secret: ApiSecret, old_expire_at: int, deed: Deed | None = None
    ) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(self._sql["expire_secrets"], (old_expire_at, secret.key_id))
            self._add_secret(connection, secret)
            record(connection, deed)

        await self._place.write(write, durable=True)

    async def touch_keys(self, used: Sequence[tuple[str, int]]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(self._sql["touch_key"], [(at, id) for id, at in used])

        await self._place.write(write)


def _key(row: rows.Row) -> Key:
    limits = _read_limits(row[17])
    return Key(
        id=row[0],
        account_id=row[1],
        name=row[2],
        scopes=frozenset(_read_names(row[3])),
        models=None if row[4] is None else _read_names(row[4]),
        created_at=row[5],
        expires_at=row[6],
        revoked_at=row[7],
        last_used_at=row[8],
        ancestors=tuple(_read_names(row[9])),
        unread=row[10],
        dev=bool(row[11]),
        hint=row[12] or "",
        secret_expires_at=row[13],
        owner=row[14],
        organization=row[15],
        routes=None if row[16] is None else _read_names(row[16]),
        rate=limits.rate,
        rates_above=limits.above,
        tier=row[18],
    )


def _of_key(key: Key) -> rows.Row:
    return (
        key.id,
        key.account_id,
        key.ancestors[0] if key.ancestors else None,
        key.name,
        _json(sorted(key.scopes)),
        None if key.models is None else _json(key.models),
        key.created_at,
        key.expires_at,
        key.unread,
        _json(key.ancestors),
        key.owner,
        key.organization,
        None if key.routes is None else _json(key.routes),
        _json(_Limits(key.rate, key.rates_above)),
    )


class _Limits(msgspec.Struct, omit_defaults=True):
    """What a key's column of limits holds."""

    rate: RateLimit | None = None
    above: dict[str, RateLimit] = {}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


_read_names = msgspec.json.Decoder(list[str]).decode
_read_limits = msgspec.json.Decoder(_Limits).decode
