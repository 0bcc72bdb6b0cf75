"""The outbox: events, in the transaction of what they report, for each webhook that wants them."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from chatloom.server.events.kinds import Event, expand
from chatloom.server.store.sqlite.statements import statements

_SQL = "webhooks.sql"
_log = logging.getLogger("chatloom.store")


class _Subscription(NamedTuple):
    """Who is told what."""

    webhook_id: str
    events: frozenset[str]
    end_user: str | None
    organization: str | None
    is_active: bool

    def wants(self, event: Event) -> bool:
        return (
            event.type in self.events
            and self.end_user in {None, event.end_user}
            and self.organization in {None, event.organization}
        )


class Outbox:
    """Puts events down for those who want them; used by whoever commits, in one thread.

    Who wants what is kept in memory, so that an account without webhooks pays for a look-up in
    a dictionary.
    """

    def __init__(self) -> None:
        self.wake: Callable[[frozenset[str]], None] | None = None
        """Told, behind a commit, which webhooks have something to do."""
        self._subscriptions: dict[str, list[_Subscription]] | None = None
        self._has_changed = False
        self._roused: set[str] = set()

    def begin(self) -> None:
        """A transaction begins; what one before it did may have been undone."""
        self._roused.clear()
        if self._has_changed:
            self._subscriptions, self._has_changed = None, False

    def committed(self) -> None:
        """The transaction is committed."""
        if not self._roused or self.wake is None:
            return
        try:
            self.wake(frozenset(self._roused))
        except Exception:
            # What is written is written, whatever becomes of those who hear of it.
            _log.exception("webhooks have something to do, and nobody could be told")

    def change(self) -> None:
        """Webhooks change in this transaction."""
        self._subscriptions, self._has_changed = None, True

    def rouse(self, webhook_id: str) -> None:
        """A webhook has something to do once this is committed."""
        self._roused.add(webhook_id)

    def is_heard(self, connection: sqlite3.Connection, account_id: str) -> bool:
        """Whether anybody wants to be told of an account."""
        return account_id in self._known(connection)

    def report(
        self, connection: sqlite3.Connection, events: Iterable[Event], *, but: str | None = None
    ) -> None:
        """Put *events* down for those who want them, *but* for one webhook."""
        known = self._known(connection)
        for event in events:
            mine = known.get(event.account_id, ())
            wanting = [one for one in mine if one.webhook_id != but and one.wants(event)]
            if wanting:
                self._tell(connection, event, wanting)

    def tell(self, connection: sqlite3.Connection, event: Event, webhook_id: str) -> None:
        """Put *event* down for one webhook alone, whatever it wants."""
        mine = self._known(connection).get(event.account_id, ())
        if it := [one for one in mine if one.webhook_id == webhook_id]:
            self._tell(connection, event, it)

    def _tell(
        self, connection: sqlite3.Connection, event: Event, to: Sequence[_Subscription]
    ) -> None:
        sql = statements(_SQL)
        values = (event.id, event.account_id, event.type, event.conversation_id, event.message_id)
        body = event.body().decode()
        number = connection.execute(sql["add_event"], (*values, event.at, body)).lastrowid
        for one in to:
            if one.is_active:
                lane = (event.conversation_id, event.at)
                connection.execute(sql["add_delivery"], (one.webhook_id, number, *lane))
                self.rouse(one.webhook_id)
            else:
                missed = (one.webhook_id, number, event.conversation_id)
                connection.execute(sql["add_missed"], missed)

    def _known(self, connection: sqlite3.Connection) -> dict[str, list[_Subscription]]:
        if self._subscriptions is None:
            self._subscriptions = {}
            found = connection.execute(statements(_SQL)["subscriptions"])
            for account_id, id, events, end_user, organization, is_active in found:
                wanted = expand(_read_names(events))
                one = _Subscription(id, wanted, end_user, organization, bool(is_active))
                self._subscriptions.setdefault(account_id, []).append(one)
        return self._subscriptions


def forget_message(connection: sqlite3.Connection, conversation_id: str, id: str) -> None:
    """Take a deleted message's words out of what is told of it, or may be told again."""
    connection.execute(statements(_SQL)["erase_message_event"], (conversation_id, id))


def forget_conversation(connection: sqlite3.Connection, id: str) -> None:
    """Take the words of a deleted conversation's messages out of what is told of them."""
    connection.execute(statements(_SQL)["erase_conversation_events"], (id,))


_read_names = msgspec.json.Decoder(list[str]).decode
