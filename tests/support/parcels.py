"""Webhooks and what they are told, as simple as can be, to hold the real ones against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from chatloom.core.secret import Secret
from chatloom.server.events.kinds import EventType, expand
from chatloom.server.ids import first_id_at, new_id
from chatloom.server.protocols.deeds import deed
from chatloom.server.store.contract import Store
from chatloom.server.store.webhooks import (
    Attempt,
    Attempted,
    Delivery,
    DeliveryState,
    Disabled,
    Due,
    SigningSecret,
    Webhook,
)

FAR = 2**50
"""A moment behind all others."""
DEED = deed("test", "webhook.tested")


def a_webhook(account_id: str, events: Sequence[str] = ("*",), **fields: Any) -> Webhook:
    """A webhook that is told all of an account, or as *fields* say."""
    given: dict[str, Any] = {"end_user": None, "organization": None, "key_id": None, **fields}
    return Webhook(
        id=new_id(),
        account_id=account_id,
        url="https://hooks.example.com/",
        events=tuple(events),
        created_at=5,
        updated_at=5,
        **given,
    )


def secret_of(webhook_id: str, value: str = "whsec_AAAA", created_at: int = 5) -> SigningSecret:
    """A secret of a webhook."""
    return SigningSecret(webhook_id=webhook_id, value=Secret(value), created_at=created_at)


async def added(store: Store, account_id: str, *events: str, **fields: Any) -> str:
    """Add a webhook; its id."""
    webhook = a_webhook(account_id, events or ("*",), **fields)
    return await store.add_webhook(webhook, secret_of(webhook.id), most=100, deed=DEED)


async def log_of(store: Store, id: str, **filter: Any) -> list[Delivery]:
    """What became of all that it was told, newest first."""
    page: dict[str, Any] = {"limit": 1000, **filter}
    return await store.deliveries(id, **page)


@dataclass(frozen=True)
class Told:
    """Something that happened, and whom it concerns."""

    account: str
    type: EventType
    lane: str | None = None
    end_user: str | None = None
    organization: str | None = None


@dataclass
class Parcel:
    """An event on its way to a webhook."""

    number: int
    event_id: str
    told: Told
    created_at: int
    state: DeliveryState = "waiting"
    next_at: int | None = None
    tries: int = 0
    first_at: int | None = None
    attempts: list[Attempt] = field(default_factory=list[Attempt])


@dataclass
class Addressee:
    """A webhook, and all that it was told."""

    id: str
    account: str
    end_user: str | None
    organization: str | None
    events: tuple[str, ...]
    disabled: Disabled | None = None
    is_removed: bool = False
    failures: int = 0
    last_triggered_at: int | None = None
    last_delivered_at: int | None = None
    parcels: list[Parcel] = field(default_factory=list[Parcel])

    @property
    def is_active(self) -> bool:
        return not self.is_removed and self.disabled is None

    def wants(self, told: Told) -> bool:
        """Whether something is its business."""
        return (
            not self.is_removed
            and told.account == self.account
            and told.type in expand(self.events)
            and (self.end_user is None or self.end_user == told.end_user)
            and (self.organization is None or self.organization == told.organization)
        )

    def sort(self, now: int) -> None:
        """Have the oldest that waits of each conversation be due, no other, and all the rest."""
        seen: set[str] = set()
        for parcel in self.parcels:
            if parcel.state != "waiting" or parcel.told.lane in seen:
                parcel.next_at = None
            elif parcel.next_at is None:
                parcel.next_at = now
            if parcel.state == "waiting" and parcel.told.lane is not None:
                seen.add(parcel.told.lane)

    def due(self) -> list[Parcel]:
        """What is due sometime, in order."""
        due = [(one.next_at, one.number, one) for one in self.parcels if one.next_at is not None]
        return [parcel for *_, parcel in sorted(due)]

    def waits(self) -> bool:
        return any(one.state == "waiting" for one in self.parcels)

    def miss(self) -> None:
        """Tell it nothing of what waits."""
        for parcel in self.parcels:
            if parcel.state == "waiting":
                parcel.state, parcel.next_at = "missed", None

    def disable(self, because: Disabled) -> bool:
        if not self.is_active:
            return False
        self.disabled = because
        self.miss()
        return True

    def note(self, noted: Attempted) -> bool:
        """Take note of an attempt; False where it does not matter any more."""
        parcel = next((one for one in self.parcels if one.number == noted.due.number), None)
        if parcel is None:
            return False
        attempt = replace(noted.attempt, number=len(parcel.attempts) + 1)
        parcel.attempts.append(attempt)
        is_late = parcel.state != "waiting"
        if is_late:
            parcel.state = "delivered" if noted.state == "delivered" else parcel.state
        else:
            parcel.state, parcel.next_at = noted.state, noted.next_at
            parcel.tries += 1
            parcel.first_at = attempt.started_at if parcel.first_at is None else parcel.first_at
        self.last_triggered_at = attempt.started_at
        if noted.state == "delivered":
            self.last_delivered_at, self.failures = attempt.ended_at, 0
        else:
            self.failures += 1
        if is_late:
            return False
        self.sort(attempt.ended_at)
        return True

    def replay(self, which: Iterable[Parcel], now: int) -> int:
        """Send again what is not waiting behind another."""
        chosen = [one for one in which if one.state != "waiting" or one.next_at is not None]
        for parcel in chosen if self.is_active else ():
            parcel.state, parcel.next_at, parcel.tries, parcel.first_at = "waiting", now, 0, None
        self.sort(now)
        return len(chosen) if self.is_active else 0


@dataclass
class PostOffice:
    """Everybody who is told something."""

    addressees: dict[str, Addressee] = field(default_factory=dict[str, Addressee])

    def known(self) -> list[Addressee]:
        """Those that are not removed."""
        return [one for one in self.addressees.values() if not one.is_removed]

    def wanting(self, told: Told, but: str | None = None) -> list[Addressee]:
        """Those who are told something."""
        return [one for one in self.known() if one.wants(told) and one.id != but]

    def forget(self, before: int) -> int:
        """Forget what is old, and the log of what is removed; how many events are gone for good."""
        kept_before = self._numbers()
        bound = first_id_at(before)
        for one in self.addressees.values():
            one.parcels = [
                parcel for parcel in one.parcels if not one.is_removed and parcel.event_id >= bound
            ]
            one.sort(before)
        return len(kept_before - self._numbers())

    def _numbers(self) -> set[int]:
        return {parcel.number for one in self.addressees.values() for parcel in one.parcels}


def shown(parcels: Sequence[Parcel]) -> list[tuple[object, ...]]:
    """Parcels as they are compared, newest first."""
    return [
        (one.number, one.event_id, one.told.type, one.told.lane, one.state, one.created_at,
         one.next_at, tuple(one.attempts))
        for one in reversed(parcels)
    ]  # fmt: skip


def told(deliveries: Sequence[Delivery]) -> list[tuple[object, ...]]:
    """The same of what a store has."""
    return [
        (one.number, one.event_id, one.type, one.conversation_id, one.state, one.created_at,
         one.next_at, one.attempts)
        for one in deliveries
    ]  # fmt: skip


async def all_due(
    store: Store, webhook_id: str, *, now: int = FAR, limit: int = 100
) -> tuple[list[Due], int | None]:
    """What is due at a webhook, as it is sent."""
    numbers, after = await store.due(webhook_id, now=now, limit=limit)
    due = [await store.due_event(webhook_id, number) for number in numbers]
    return [one for one in due if one is not None], after
