"""What webhooks are to be told, and what became of it, kept by SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence

import msgspec

from chatloom.server.events.kinds import Event
from chatloom.server.ids import first_id_at, milliseconds
from chatloom.server.store.administration import Deed
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.audit import record
from chatloom.server.store.sqlite.statements import statements
from chatloom.server.store.sqlite.webhooks import Webhooks, find_webhook, names_of
from chatloom.server.store.webhooks import (
    Attempt,
    Attempted,
    Delivery,
    DeliveryState,
    Due,
)

_SQL = "webhooks.sql"
_BEHIND_ALL = 2**63 - 1
_FORGOTTEN = 500
"""Deliveries to forget in one go, so that others need not wait for all of them."""


class Deliveries(Webhooks):
    """Keeps webhooks and the outbox."""

    async def tell_webhook(self, id: str, event: Event, deed: Deed | None = None) -> None:
        def write(connection: sqlite3.Connection) -> None:
            self._outbox.tell(connection, event, id)
            record(connection, deed)

        await self._place.write(write, durable=True)

    async def replay_events(
        self,
        webhook_id: str,
        *,
        events: Sequence[str] | None = None,
        states: Collection[DeliveryState] = ("failed", "missed"),
        since: int | None = None,
        until: int | None = None,
        now: int,
        deed: Deed,
    ) -> int:
        def write(connection: sqlite3.Connection) -> int:
            sql, webhook = statements(_SQL), find_webhook(connection, webhook_id)
            if webhook is None or webhook.disabled_at is not None:
                return 0
            if events is not None:
                named = (webhook_id, names_of(events), now)
                count = connection.execute(sql["replay_named"], named).rowcount
            else:
                some = (webhook_id, names_of(states), since, until, now)
                count = connection.execute(sql["replay_some"], some).rowcount
            if count:
                connection.execute(sql["wait_in_lanes"], (webhook_id,))
                record(connection, deed)
                self._outbox.rouse(webhook_id)
            return count

        return await self._place.write(write, durable=True)

    async def deliveries(
        self,
        webhook_id: str,
        *,
        state: DeliveryState | None = None,
        event_id: str | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Delivery]:
        page = (webhook_id, _BEHIND_ALL if before is None else before, limit)

        def read() -> list[Delivery]:
            found = _deliveries(self._reader, page, state, event_id)
            if not found:
                return []
            span = (webhook_id, found[-1][0], found[0][0])
            attempts: dict[int, list[Attempt]] = {}
            for number, *told in self._reader.execute(statements(_SQL)["delivery_attempts"], span):
                attempts.setdefault(number, []).append(_attempt(told))
            return [_delivery(row, attempts.get(row[0], [])) for row in found]

        return await self._place.apart(read)

    async def webhooks_waited_for(self) -> list[str]:
        return [id for (id,) in self._reader.execute(statements(_SQL)["waited_for"])]

    async def due(self, webhook_id: str, *, now: int, limit: int) -> tuple[list[int], int | None]:
        due: list[int] = []
        found = self._reader.execute(statements(_SQL)["due"], (webhook_id, limit + 1))
        for number, next_at in found.fetchall():
            if next_at > now or len(due) == limit:
                return due, next_at
            due.append(number)
        return due, None

    async def due_event(self, webhook_id: str, number: int) -> Due | None:
        row = rows.one(self._reader, statements(_SQL)["due_event"], webhook_id, number)
        if row is None:
            return None
        _, id, type, body, attempts, tries, first_at = row
        return Due(
            number=number,
            event_id=id,
            type=type,
            body=body.encode(),
            attempts=attempts,
            tries=tries,
            first_at=first_at,
        )

    async def note_attempt(self, attempted: Attempted) -> None:
        await self._place.write(
            lambda connection: self._note_attempt(connection, attempted), durable=True
        )

    def _note_attempt(self, connection: sqlite3.Connection, noted: Attempted) -> None:
        sql, attempt = statements(_SQL), noted.attempt
        id, number = noted.webhook_id, noted.due.number
        values = (id, number, noted.state, noted.next_at, attempt.started_at)
        # RETURNING rows must all be fetched before the statement is done.
        told = connection.execute(sql["note_attempt"], values).fetchall()
        is_late = not told
        told = told or connection.execute(sql["note_late_attempt"], values[:3]).fetchall()
        if not told:
            return
        ((lane, attempts),) = told
        # It may have been replayed meanwhile, and sent: ours is the count that is right.
        counted = msgspec.structs.replace(attempt, number=attempts)
        connection.execute(sql["add_delivery_attempt"], _of_attempt(id, number, counted))
        if noted.state == "delivered":
            times = (id, attempt.started_at, attempt.ended_at)
            connection.execute(sql["webhook_took"], times)
        else:
            connection.execute(sql["webhook_failed"], (id, attempt.started_at))
        if is_late:
            return
        if noted.state != "waiting" and lane is not None:
            connection.execute(sql["next_in_lane"], (id, lane, attempt.ended_at))
        self._outbox.rouse(id)
        if noted.disables is not None:
            self._give_up(connection, id, noted.disables, attempt.ended_at)

    async def forget_events(self, before: int) -> int:
        def write(connection: sqlite3.Connection) -> int:
            sql = statements(_SQL)
            found = connection.execute(
                sql["old_deliveries"], (first_id_at(before), _FORGOTTEN)
            ).fetchall()
            found = found or connection.execute(sql["removed_deliveries"], (_FORGOTTEN,)).fetchall()
            named = [(webhook_id, event) for webhook_id, event, _ in found]
            connection.executemany(sql["forget_attempts"], named)
            connection.executemany(sql["forget_delivery"], named)
            lanes = {(webhook_id, lane) for webhook_id, _, lane in found if lane is not None}
            for webhook_id, lane in lanes:
                connection.execute(sql["next_in_lane"], (webhook_id, lane, before))
                self._outbox.rouse(webhook_id)
            events = [(event,) for _, event in named]
            return connection.executemany(sql["forget_event"], events).rowcount if events else -1

        forgotten = 0
        while (some := await self._place.write(write)) >= 0:
            forgotten += some
        await self._place.write(_forget_rest)
        return forgotten

    def wake_by(self, wake: Callable[[frozenset[str]], None] | None) -> None:
        self._outbox.wake = wake


def _forget_rest(connection: sqlite3.Connection) -> None:
    """Forget webhooks of which nothing is left to be told, and secrets that sign no more."""
    sql = statements(_SQL)
    connection.execute(sql["forget_old_secrets"], (milliseconds(),))
    connection.execute(sql["forget_removed_webhooks"])


def _deliveries(
    connection: sqlite3.Connection,
    page: tuple[str, int, int],
    state: DeliveryState | None,
    event_id: str | None,
) -> list[rows.Row]:
    """Some of a webhook's, each found by the index that fits."""
    sql = statements(_SQL)
    if event_id is not None:
        found = connection.execute(sql["deliveries_of_event"], (*page, event_id, state))
    elif state is not None:
        found = connection.execute(sql["deliveries_in_state"], (*page, state))
    else:
        found = connection.execute(sql["deliveries"], page)
    return found.fetchall()


def _of_attempt(webhook_id: str, event: int, attempt: Attempt) -> rows.Row:
    times = (attempt.number, attempt.started_at, attempt.ended_at)
    return (webhook_id, event, *times, attempt.status, attempt.problem, attempt.response)


def _attempt(told: Sequence[object]) -> Attempt:
    names = ("number", "started_at", "ended_at", "status", "problem", "response")
    return msgspec.convert(dict(zip(names, told, strict=True)), Attempt)


def _delivery(row: rows.Row, attempts: Sequence[Attempt]) -> Delivery:
    number, webhook_id, event_id, type, conversation_id, state, created_at, next_at = row
    return Delivery(
        number=number,
        webhook_id=webhook_id,
        event_id=event_id,
        type=type,
        conversation_id=conversation_id,
        state=state,
        created_at=created_at,
        next_at=next_at,
        attempts=tuple(attempts),
    )
