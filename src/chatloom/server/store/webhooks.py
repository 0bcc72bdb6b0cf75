"""Webhooks, what they are told, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from chatloom.core.secret import Secret
from chatloom.server.events.kinds import Event, EventType
from chatloom.server.store.administration import Deed
from chatloom.server.store.trees import Repeatable

DeliveryState: TypeAlias = Literal["waiting", "delivered", "failed", "missed"]
"""Whether an event is yet to be told, was taken, was given up, or was never sent, as its webhook
is disabled."""
Disabled: TypeAlias = Literal["owner", "gone", "failing", "key"]
"""Why a webhook is told nothing: somebody said so, it answered 410, nothing arrived for the whole
schedule, or the API key that it was made with works no more."""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody is told events."""

    id: str
    account_id: str
    end_user: str | None
    """Whose events alone it is told; `None` for all of the account's."""
    organization: str | None
    key_id: str | None
    """The API key that it was made with; `None` where no key was needed."""
    url: str
    """May hold a secret of its own: it is for its owner's eyes."""
    events: tuple[str, ...]
    """Names and patterns, as they were given."""
    description: str = ""
    created_at: int
    updated_at: int
    disabled_at: int | None = None
    disabled_because: Disabled | None = None
    last_triggered_at: int | None = None
    """When it was last sent something."""
    last_delivered_at: int | None = None
    """When it last took something."""
    failures: int = 0
    """Attempts that failed since then."""


class SigningSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What signs the events of one webhook."""

    webhook_id: str
    value: Secret
    """``whsec_`` and base64."""
    created_at: int
    expires_at: int | None = None
    """When it stops signing, once there is a newer one."""


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a webhook; what is unset stays."""

    url: str | UnsetType = UNSET
    events: tuple[str, ...] | UnsetType = UNSET
    description: str | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One time that an event was sent."""

    number: int
    """From 1, replays included."""
    started_at: int
    ended_at: int
    status: int | None = None
    """The answer's; `None` where there was none."""
    problem: str | None = None
    """Why it does not count as taken, in a clause fit for the webhook's owner."""
    response: str | None = None
    """How the answer began, where it was no 2xx."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way to a webhook, or there."""

    number: int
    """Of its event; later events have higher ones."""
    webhook_id: str
    event_id: str
    type: EventType
    conversation_id: str | None
    state: DeliveryState
    created_at: int
    next_at: int | None
    """When it is sent next; `None` also while it waits behind another of its conversation."""
    attempts: tuple[Attempt, ...]


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is to be sent now."""

    number: int
    event_id: str
    type: EventType
    body: bytes
    attempts: int
    """Made before, replays included."""
    tries: int
    """Made before since it came, or was last replayed: its place in the schedule."""
    first_at: int | None
    """When the first of those was."""


class Attempted(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt, and what follows from it."""

    webhook_id: str
    due: Due
    attempt: Attempt
    state: DeliveryState
    next_at: int | None
    """When to try again, where it is still waiting."""
    disables: Disabled | None = None


MOST_SECRETS = 5
"""Secrets of one webhook that sign at the same time."""


class TooManySecrets(Exception):
    """As many secrets sign for a webhook as may; nothing was changed."""


class TooManyWebhooks(Exception):
    """The account has as many webhooks as one may have; nothing was stored."""


class Webhooks(Protocol):
    """Keeps webhooks, and the outbox of events, in whose order each conversation's are told.

    An event is stored in the transaction of what it reports, and only where a webhook wants it.
    """

    async def add_webhook(
        self,
        webhook: Webhook,
        secret: SigningSecret,
        *,
        most: int,
        deed: Deed,
        by: Repeatable | None = None,
    ) -> str:
        """Store a webhook; the id of it, or of what *by* made before.

        Raises `TooManyWebhooks` where its account has *most* already, and `KeyReused`.
        """
        ...

    async def webhook(self, id: str) -> Webhook | None: ...

    async def webhooks(self, account_id: str | None = None) -> list[Webhook]:
        """Those of an account, or all, newest first."""
        ...

    async def change_webhook(
        self, id: str, change: WebhookChange, *, now: int, deed: Deed
    ) -> Webhook | None:
        """Change one; what waits for one that is disabled so is missed. `None` for none."""
        ...

    async def disable_webhook(self, id: str, because: Disabled, *, now: int) -> None:
        """Tell a webhook nothing more; what waits for it is missed, and others are told so.

        Nothing happens where there is none, or it is disabled already.
        """
        ...

    async def remove_webhook(self, id: str, *, now: int, deed: Deed) -> bool:
        """Remove one with its secrets; nothing more is sent there. False for none."""
        ...

    async def rotate_webhook(
        self, secret: SigningSecret, *, old_expire_at: int, deed: Deed
    ) -> None:
        """Sign with a new secret, and with the others until *old_expire_at*.

        Raises `TooManySecrets` where more than `MOST_SECRETS` would sign at the same time.
        """
        ...

    async def webhook_secrets(self, id: str, now: int) -> list[SigningSecret]:
        """The secrets that sign now, newest first."""
        ...

    async def tell_webhook(self, id: str, event: Event, deed: Deed | None = None) -> None:
        """Have one webhook told *event*, whatever it wants: a ping."""
        ...

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
        """Send events again, under their ids: those named, else those in *states* of a time.

        Returns how many there are. Those that wait for their next attempt are sent at once, where
        they are named.
        """
        ...

    async def deliveries(
        self,
        webhook_id: str,
        *,
        state: DeliveryState | None = None,
        event_id: str | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Delivery]:
        """What became of events, newest first, from the one before number *before* on."""
        ...

    async def webhooks_waited_for(self) -> list[str]:
        """The active webhooks that something waits for."""
        ...

    async def due(self, webhook_id: str, *, now: int, limit: int) -> tuple[list[int], int | None]:
        """The numbers of what is to be sent now, in order, and when the next other one is.

        Of a conversation only the oldest event that waits is ever due.
        """
        ...

    async def due_event(self, webhook_id: str, number: int) -> Due | None:
        """One of these as it is by now; `None` where it is due no more."""
        ...

    async def note_attempt(self, attempted: Attempted) -> None:
        """Store an attempt and what follows from it, durably.

        Where it disables the webhook, what waits for it is missed, and others are told so.
        Of a delivery that does not wait any more, as its webhook was disabled meanwhile, it is
        only told that it was sent, and taken if it was.
        """
        ...

    async def forget_events(self, before: int) -> int:
        """Forget what happened before then, told or not, and what became of it.

        Returns how many there were.
        """
        ...

    def wake_by(self, wake: Callable[[frozenset[str]], None] | None) -> None:
        """Call *wake* behind each commit that gave webhooks something to do, with their ids.

        It is called in whatever thread commits.
        """
        ...
