"""Whatever is done with webhooks in whatever order, they are told what a simple model says."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from chatloom.server.events.kinds import EventType, ping_of
from chatloom.server.ids import new_id
from chatloom.server.store.contract import Opening
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.webhooks import (
    Attempt,
    Attempted,
    Delivery,
    DeliveryState,
    Disabled,
    Due,
    WebhookChange,
)
from support.books import Books, answered, books, failed
from support.parcels import (
    DEED,
    FAR,
    Addressee,
    Parcel,
    PostOffice,
    Told,
    added,
    all_due,
    log_of,
    shown,
    told,
)

T = TypeVar("T")

TURN: Sequence[EventType] = ("chat.message", "chat.response", "turn.complete")
CANCELLED: Sequence[EventType] = ("turn.cancelled",)

Whose: TypeAlias = "tuple[str | None, str | None]"
"""An end user and an organization."""
TALKS: list[list[Whose]] = [[(None, None), ("ann", "acme")], [("ann", "acme"), ("bob", "other")]]
"""Of the conversations in each account."""
ADDRESSEES: list[Whose] = [
    (None, None),
    (None, None),
    ("ann", None),
    (None, "acme"),
    ("ann", "other"),
]
WANTED: list[tuple[str, ...]] = [
    ("*",),
    ("*",),
    ("turn.*",),
    ("chat.response", "webhook.disabled"),
    ("memory.stored", "turn.*"),
]


class Post(RuleBasedStateMachine):
    """A store beside a `PostOffice`; what is on its way is noted whenever it pleases."""

    place: Literal["file", "memory"]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.now = 1_000
        self.model = PostOffice()
        self.keys: dict[str, str] = {}
        self.talks: list[Opening] = []
        self.on_the_way: list[tuple[Addressee, Due]] = []
        self.woken: set[str] = set()
        self.last_number = 0
        self.open()
        for people in TALKS:
            own = self.run(books(self.store))
            self.keys[own.account_id] = own.key_id
            for end_user, organization in people:
                opening = replace(own.opening(end_user=end_user), organization=organization)
                self.run(own.begin(opening))
                self.run(self.store.settle(answered(opening)))
                self.talks.append(opening)

    def open(self) -> None:
        path = Path(self.folder.name, "store.db") if self.place == "file" else None
        self.store = SQLiteStore(path)
        self.store.wake_by(self.woken.update)

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        self.now += 1
        return self.runner.run(doing)

    def do(self, writing: Coroutine[Any, Any, T]) -> T:
        self.woken.clear()
        return self.run(writing)

    def some(self, data: st.DataObject, among: Iterable[T]) -> T:
        return data.draw(st.sampled_from(list(among)))

    def expect(
        self, *happened: Told, but: str | None = None, only: Addressee | None = None
    ) -> None:
        """Hold what the store put down against what concerns whom."""
        arrived = {
            one.id: [
                it
                for it in reversed(self.run(log_of(self.store, one.id)))
                if it.number > self.last_number
            ]
            for one in self.model.addressees.values()
        }
        numbers: dict[int, int] = {}
        for at, one in enumerate(happened):
            for whose in [only] if only else self.model.wanting(one, but):
                delivery = arrived[whose.id].pop(0)
                assert numbers.setdefault(at, delivery.number) == delivery.number
                self.hand(whose, one, delivery)
        assert not any(arrived.values())
        assert [*numbers.values()] == sorted(numbers.values())
        self.last_number = max([self.last_number, *numbers.values()])

    def hand(self, whose: Addressee, happened: Told, delivery: Delivery) -> None:
        parcel = Parcel(delivery.number, delivery.event_id, happened, delivery.created_at)
        whose.parcels.append(parcel)
        if whose.is_active:
            assert whose.id in self.woken
            whose.sort(delivery.created_at)
        else:
            parcel.state = "missed"

    @rule(data=st.data())
    def add(self, data: st.DataObject) -> None:
        account = self.some(data, self.keys)
        end_user, organization = self.some(data, ADDRESSEES)
        events = self.some(data, WANTED)
        whom: dict[str, Any] = {"end_user": end_user, "organization": organization}
        id = self.run(added(self.store, account, *events, **whom))
        self.model.addressees[id] = Addressee(id, account, end_user, organization, events)

    @precondition(lambda self: self.model.known())
    @rule(data=st.data(), active=st.sampled_from([UNSET, True, False]))
    def change(self, data: st.DataObject, active: Any) -> None:
        whose = self.some(data, self.model.known())
        choices: list[tuple[str, ...] | UnsetType] = [UNSET, *WANTED]
        events = self.some(data, choices)
        change = WebhookChange(events=events, active=active)
        now = self.now
        made = self.do(self.store.change_webhook(whose.id, change, now=now, deed=DEED))
        whose.events = whose.events if isinstance(events, UnsetType) else events
        if active is False:
            whose.disable("owner")
        elif active is True and whose.disabled is not None:
            whose.disabled, whose.failures = None, 0
        assert made is not None
        assert made.updated_at == now

    @precondition(lambda self: self.model.known())
    @rule(data=st.data(), because=st.sampled_from(["gone", "key"]))
    def disable(self, data: st.DataObject, because: Disabled) -> None:
        whose = self.some(data, self.model.known())
        self.do(self.store.disable_webhook(whose.id, because, now=self.now))
        self.was_disabled(whose, because)

    def was_disabled(self, whose: Addressee, because: Disabled) -> None:
        happened = Told(whose.account, "webhook.disabled", None, whose.end_user, whose.organization)
        self.expect(*[happened] if whose.disable(because) else [], but=whose.id)

    @precondition(lambda self: self.model.addressees)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        whose = self.some(data, self.model.addressees.values())
        done = self.do(self.store.remove_webhook(whose.id, now=self.now, deed=DEED))
        assert done == (not whose.is_removed)
        whose.is_removed = True
        whose.miss()

    @rule(data=st.data(), says=st.booleans())
    def talk(self, data: st.DataObject, says: bool) -> None:
        last = self.some(data, self.talks)
        own = Books(self.store, last.account_id, self.keys[last.account_id])
        opening = self.run(own.next(last, end_user=last.end_user))
        opening = replace(opening, organization=last.organization)
        self.run(own.begin(opening))
        parent = self.run(own.head(last))
        end = answered(opening, parent) if says else failed(opening, "cancelled")
        self.do(self.store.settle(replace(end, ended_at=self.now)))
        types = TURN if says else CANCELLED
        whom = (last.conversation_id, last.end_user, last.organization)
        self.expect(*[Told(own.account_id, one, *whom) for one in types])

    @rule(data=st.data(), key=st.sampled_from(["a", "preferences", "preferences.tone"]))
    def remember(self, data: st.DataObject, key: str) -> None:
        account = self.some(data, self.keys)
        end_user = self.some(data, [None, "ann", "bob"])
        self.do(self.store.remember(account, end_user, key, "x", now=self.now))
        types: list[EventType] = ["memory.stored"]
        if key.startswith("p"):
            types.append("user.preferences.updated")
        self.expect(*[Told(account, one, None, end_user) for one in types])

    @precondition(lambda self: self.model.addressees)
    @rule(data=st.data())
    def ping(self, data: st.DataObject) -> None:
        whose = self.some(data, self.model.addressees.values())
        event = ping_of(whose.account, whose.id, self.now)
        self.do(self.store.tell_webhook(whose.id, event))
        happened = Told(whose.account, "webhook.ping")
        self.expect(*[] if whose.is_removed else [happened], only=whose)

    @precondition(lambda self: any(one.due() for one in self.model.known()))
    @rule(data=st.data(), at_once=st.booleans())
    def send(self, data: st.DataObject, at_once: bool) -> None:
        whose = self.some(data, [one for one in self.model.known() if one.due()])
        due, _ = self.run(all_due(self.store, whose.id, now=FAR, limit=100))
        self.on_the_way.append((whose, self.some(data, due)))
        if at_once:
            self.note(data)

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def note(self, data: st.DataObject) -> None:
        whose, due = self.on_the_way.pop(self.some(data, range(len(self.on_the_way))))
        state: DeliveryState = self.some(data, ["delivered", "delivered", "waiting", "failed"])
        disables: Disabled | None = None
        if state == "failed":
            disables = self.some(data, [None, "gone", "failing"])
        noted = Attempted(
            webhook_id=whose.id,
            due=due,
            attempt=self.attempt(due),
            state=state,
            next_at=self.now + self.some(data, [1, 50]) if state == "waiting" else None,
            disables=disables,
        )
        self.do(self.store.note_attempt(noted))
        counts = whose.note(noted)
        assert not counts or whose.id in self.woken
        if counts and disables:
            self.was_disabled(whose, disables)

    def attempt(self, due: Due) -> Attempt:
        return Attempt(
            number=due.attempts + 1, started_at=self.now, ended_at=self.now + 2, status=500
        )

    @precondition(lambda self: any(one.parcels for one in self.model.addressees.values()))
    @rule(data=st.data())
    def replay_named(self, data: st.DataObject) -> None:
        whose = self.some(data, [one for one in self.model.addressees.values() if one.parcels])
        parcels = data.draw(st.lists(st.sampled_from(whose.parcels), max_size=4, unique_by=id))
        self.replay(whose, parcels, events=[*(one.event_id for one in parcels), new_id()])

    @precondition(lambda self: any(one.parcels for one in self.model.addressees.values()))
    @rule(
        data=st.data(),
        states=st.sets(st.sampled_from(["delivered", "failed", "missed", "waiting"])),
    )
    def replay_some(self, data: st.DataObject, states: set[DeliveryState]) -> None:
        whose = self.some(data, [one for one in self.model.addressees.values() if one.parcels])
        times = [None, *sorted({one.created_at for one in whose.parcels})]
        since, until = self.some(data, times), self.some(data, times)
        parcels = [
            one
            for one in whose.parcels
            if one.state in states - {"waiting"}
            and (since is None or one.created_at >= since)
            and (until is None or one.created_at < until)
        ]
        self.replay(whose, parcels, states=states, since=since, until=until)

    def replay(self, whose: Addressee, parcels: Sequence[Parcel], **which: Any) -> None:
        now = self.now
        count = self.do(self.store.replay_events(whose.id, now=now, deed=DEED, **which))
        assert count == whose.replay(parcels, now)
        assert (whose.id in self.woken) == (count > 0)

    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        ids = [it.event_id for one in self.model.addressees.values() for it in one.parcels]
        moments = [int(id.replace("-", "")[:12], 16) + 1 for id in ids]
        before = self.some(data, [0, 0, *moments])
        assert self.run(self.store.forget_events(before)) == self.model.forget(before)

    @precondition(lambda self: self.place == "file")
    @rule()
    def reopen(self) -> None:
        self.run(self.store.close())
        self.open()

    @invariant()
    def log_is_the_models(self) -> None:
        for one in self.model.addressees.values():
            assert told(self.run(log_of(self.store, one.id))) == shown(one.parcels)

    @invariant()
    def states_are_the_models(self) -> None:
        for one in self.model.addressees.values():
            found = self.run(self.store.webhook(one.id))
            assert (found is None) == one.is_removed
            if found is not None:
                assert one.disabled == found.disabled_because
                times = (found.last_triggered_at, found.last_delivered_at, found.failures)
                assert (one.last_triggered_at, one.last_delivered_at, one.failures) == times
        waited_for = [one.id for one in self.model.addressees.values() if one.waits()]
        assert sorted(waited_for) == sorted(self.run(self.store.webhooks_waited_for()))

    @invariant()
    def due_are_the_oldest_of_their_conversations(self) -> None:
        for one in self.model.addressees.values():
            due, after = self.run(all_due(self.store, one.id, now=FAR, limit=1000))
            assert after is None
            assert [(it.number, it.attempts, it.tries, it.first_at) for it in due] == [
                (it.number, len(it.attempts), it.tries, it.first_at) for it in one.due()
            ]
            lanes = Counter(json.loads(it.body)["data"].get("conversationId") for it in due)
            assert max((count for lane, count in lanes.items() if lane), default=1) == 1
            self.check_page(one)

    def check_page(self, one: Addressee) -> None:
        """What is due now, two at once, and when the next one is."""
        due, after = self.run(all_due(self.store, one.id, now=self.now, limit=2))
        ready = [it for it in one.due() if it.next_at is not None and it.next_at <= self.now]
        behind = one.due()[len(due) :]
        assert [it.number for it in due] == [it.number for it in ready[:2]]
        assert after == (behind[0].next_at if behind else None)

    def teardown(self) -> None:
        try:
            health = self.run(self.store.check())
            assert health.problems == []
            self.run(self.store.forget_events(FAR // 8))
            self.run(self.store.close())
            if self.place == "file":
                self.leaves_nothing_behind()
        finally:
            self.runner.close()
            self.folder.cleanup()

    def leaves_nothing_behind(self) -> None:
        with closing(sqlite3.connect(Path(self.folder.name, "store.db"))) as connection:
            for orphans in ORPHANS:
                assert connection.execute(orphans).fetchall() == []


ORPHANS = [
    "SELECT * FROM event WHERE number NOT IN (SELECT event FROM delivery)",
    "SELECT * FROM delivery WHERE state <> 'waiting'",
    "SELECT * FROM delivery_attempt WHERE (webhook_id, event) NOT IN"
    " (SELECT webhook_id, event FROM delivery)",
    "SELECT * FROM webhook WHERE removed_at IS NOT NULL",
    "SELECT * FROM webhook_secret WHERE webhook_id NOT IN (SELECT id FROM webhook)",
]


class InFile(Post):
    place = "file"


class InMemory(Post):
    place = "memory"


TestInFile = InFile.TestCase
TestInFile.settings = settings(max_examples=15, stateful_step_count=30)
TestInMemory = InMemory.TestCase
TestInMemory.settings = settings(max_examples=25, stateful_step_count=40)
