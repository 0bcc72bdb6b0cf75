"""Webhooks kept by SQLite: made, changed, disabled, and what signs for them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

import msgspec
from msgspec import UNSET

from chatloom.core.secret import Secret
from chatloom.server.events.reports import of_disabled
from chatloom.server.store.administration import Deed
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.audit import record
from chatloom.server.store.sqlite.made import made_before, note_made
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.statements import statements
from chatloom.server.store.trees import Repeatable
from chatloom.server.store.webhooks import (
    MOST_SECRETS,
    Disabled,
    SigningSecret,
    TooManySecrets,
    TooManyWebhooks,
    Webhook,
    WebhookChange,
)

_SQL = "webhooks.sql"


class Webhooks(Opened):
    """Keeps webhooks."""

    async def add_webhook(
        self,
        webhook: Webhook,
        secret: SigningSecret,
        *,
        most: int,
        deed: Deed,
        by: Repeatable | None = None,
    ) -> str:
        def write(connection: sqlite3.Connection) -> str:
            sql = statements(_SQL)
            if made := made_before(connection, by):
                return made
            (count,) = connection.execute(sql["count_webhooks"], (webhook.account_id,)).fetchone()
            if count >= most:
                raise TooManyWebhooks
            connection.execute(sql["add_webhook"], _of_webhook(webhook))
            connection.execute(sql["add_webhook_secret"], _of_secret(secret))
            note_made(connection, by, webhook.id)
            record(connection, deed)
            self._outbox.change()
            return webhook.id

        return await self._place.write(write, durable=True)

    async def webhook(self, id: str) -> Webhook | None:
        return find_webhook(self._reader, id)

    async def webhooks(self, account_id: str | None = None) -> list[Webhook]:
        sql = statements(_SQL)
        if account_id is None:
            found = self._reader.execute(sql["webhooks"])
        else:
            found = self._reader.execute(sql["webhooks_of_account"], (account_id,))
        return [_webhook(row) for row in found]

    async def change_webhook(
        self, id: str, change: WebhookChange, *, now: int, deed: Deed
    ) -> Webhook | None:
        def write(connection: sqlite3.Connection) -> Webhook | None:
            sql, old = statements(_SQL), find_webhook(connection, id)
            if old is None:
                return None
            values = (
                old.url if change.url is UNSET else change.url,
                names_of(old.events if change.events is UNSET else change.events),
                old.description if change.description is UNSET else change.description,
            )
            connection.execute(sql["change_webhook"], (id, *values, now))
            if change.active is True:
                connection.execute(sql["enable_webhook"], (id,))
            elif change.active is False:
                self._disable(connection, id, "owner", now)
            record(connection, deed)
            self._outbox.change()
            self._outbox.rouse(id)
            return find_webhook(connection, id)

        return await self._place.write(write, durable=True)

    async def disable_webhook(self, id: str, because: Disabled, *, now: int) -> None:
        await self._place.write(
            lambda connection: self._give_up(connection, id, because, now), durable=True
        )

    def _give_up(
        self, connection: sqlite3.Connection, id: str, because: Disabled, now: int
    ) -> None:
        """Disable a webhook, and tell others so."""
        webhook = find_webhook(connection, id)
        if webhook is not None and self._disable(connection, id, because, now):
            told = of_disabled(webhook, because, webhook.failures, now)
            self._outbox.report(connection, [told], but=id)

    def _disable(
        self, connection: sqlite3.Connection, id: str, because: Disabled, now: int
    ) -> bool:
        sql = statements(_SQL)
        done = connection.execute(sql["disable_webhook"], (id, because, now)).rowcount > 0
        if done:
            connection.execute(sql["miss_what_waits"], (id,))
            self._outbox.change()
        return done

    async def remove_webhook(self, id: str, *, now: int, deed: Deed) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            sql = statements(_SQL)
            if not connection.execute(sql["remove_webhook"], (id, now)).rowcount:
                return False
            connection.execute(sql["forget_webhook_secrets"], (id,))
            connection.execute(sql["miss_what_waits"], (id,))
            record(connection, deed)
            self._outbox.change()
            return True

        return await self._place.write(write, durable=True)

    async def rotate_webhook(
        self, secret: SigningSecret, *, old_expire_at: int, deed: Deed
    ) -> None:
        def write(connection: sqlite3.Connection) -> None:
            sql = statements(_SQL)
            if find_webhook(connection, secret.webhook_id) is None:
                return
            connection.execute(sql["expire_webhook_secrets"], (secret.webhook_id, old_expire_at))
            at = (secret.webhook_id, secret.created_at)
            if len(connection.execute(sql["webhook_secrets"], at).fetchall()) >= MOST_SECRETS:
                raise TooManySecrets
            connection.execute(sql["add_webhook_secret"], _of_secret(secret))
            record(connection, deed)

        await self._place.write(write, durable=True)

    async def webhook_secrets(self, id: str, now: int) -> list[SigningSecret]:
        found = self._reader.execute(statements(_SQL)["webhook_secrets"], (id, now))
        return [
            SigningSecret(
                webhook_id=webhook_id,
                value=Secret(value),
                created_at=created_at,
                expires_at=expires_at,
            )
            for webhook_id, value, created_at, expires_at in found
        ]


def find_webhook(connection: sqlite3.Connection, id: str) -> Webhook | None:
    """The webhook of this id, unless it is removed."""
    row = rows.one(connection, statements(_SQL)["webhook"], id)
    return None if row is None else _webhook(row)


def _webhook(row: rows.Row) -> Webhook:
    return Webhook(
        id=row[0],
        account_id=row[1],
        end_user=row[2],
        organization=row[3],
        key_id=row[4],
        url=row[5],
        events=_read_names(row[6]),
        description=row[7],
        created_at=row[8],
        updated_at=row[9],
        disabled_at=row[10],
        disabled_because=row[11],
        last_triggered_at=row[12],
        last_delivered_at=row[13],
        failures=row[14],
    )


def _of_webhook(webhook: Webhook) -> rows.Row:
    return (
        webhook.id,
        webhook.account_id,
        webhook.end_user,
        webhook.organization,
        webhook.key_id,
        webhook.url,
        names_of(webhook.events),
        webhook.description,
        webhook.created_at,
        webhook.updated_at,
    )


def _of_secret(secret: SigningSecret) -> rows.Row:
    return (secret.webhook_id, secret.created_at, secret.expires_at, secret.value.reveal())


def names_of(names: Collection[str]) -> str:
    """Names as they are written."""
    return msgspec.json.encode(list(names)).decode()


_read_names = msgspec.json.Decoder(tuple[str, ...]).decode
