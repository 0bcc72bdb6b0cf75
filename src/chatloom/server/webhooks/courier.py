"""Bringing one webhook its events, for as long as any wait.

    due → a turn → may it be told still → sent → what follows is stored → due

What is on its way is due for the store all the same, until its attempt is noted; so it is
remembered here. What nobody expected is never taken for the receiver's failure: it is logged, and
the same step is taken again after a while.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from chatloom.server.egress import Egress, EgressRefused
from chatloom.server.ids import milliseconds
from chatloom.server.store.contract import Store
from chatloom.server.store.keys import Key
from chatloom.server.store.webhooks import Due, Webhook
from chatloom.server.webhooks.schedule import concluded
from chatloom.server.webhooks.sending import Sent, send
from chatloom.server.webhooks.settings import WebhookSettings
from chatloom.server.webhooks.slots import Slots

T = TypeVar("T")

_log = logging.getLogger("chatloom.webhooks")

_LONGEST_SLEEP = 60.0
"""Seconds until clocks are looked at again, as somebody may have set them."""
_SHORTEST_SLEEP = 0.01
REST = 0.25
"""Seconds between two attempts at a webhook that takes nothing, however much waits for it."""
_OFTEN = 5
"""Failures one behind the other after which it is one that takes nothing."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two tries of what should not fail."""


class Means(msgspec.Struct, frozen=True):
    """What all couriers share."""

    store: Store
    egress: Egress
    slots: Slots
    settings: WebhookSettings
    dev: bool
    """Whether keys that ``--dev`` made work."""


class Courier:
    """Whoever brings events to one webhook."""

    def __init__(self, webhook_id: str, means: Means) -> None:
        self.webhook_id = webhook_id
        self._means = means
        self._store = means.store
        self._on_the_way: dict[int, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._rested_from = 0.0
        """When it last came back, by the loop's clock."""
        self._leaving = False

    def wake(self) -> None:
        """Look for what is due."""
        self._woken.set()

    async def run(self, over: Callable[[], object]) -> None:
        """Bring events until none waits, and call *over* in the same moment."""
        while True:
            self._woken.clear()
            wait = await self._without_fail(self._set_out)
            if wait is None and not self._on_the_way and not self._woken.is_set():
                over()
                return
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def leave(self, grace: float) -> None:
        """Set out no more; break off what has not arrived after *grace* seconds."""
        self._leaving = True
        tasks = [*self._on_the_way.values()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _set_out(self) -> float | None:
        """Send what is due; tell in how many seconds there is more, `None` for nothing."""
        if self._leaving:
            return None
        now, at_once = milliseconds(), self._means.settings.at_once
        limit = len(self._on_the_way) + at_once
        due, next_at = await self._store.due(self.webhook_id, now=now, limit=limit)
        fresh = [number for number in due if number not in self._on_the_way]
        if fresh:
            webhook = await self._store.webhook(self.webhook_id)
            if webhook is None or webhook.disabled_at is not None:
                return None
            if (pause := self._pause(webhook)) > 0:
                return pause
            room = (1 if webhook.failures else at_once) - len(self._on_the_way)
            for number in fresh[: max(0, room)]:
                self._send_off(webhook, number)
            if len(fresh) > room:  # whoever comes back makes room
                return _LONGEST_SLEEP
        if next_at is None:
            return None
        return min(max((next_at - now) / 1000, _SHORTEST_SLEEP), _LONGEST_SLEEP)

    def _pause(self, webhook: Webhook) -> float:
        """Seconds to leave a webhook alone."""
        if webhook.failures < _OFTEN or self._on_the_way:
            return 0.0
        return self._rested_from + REST - asyncio.get_running_loop().time()

    def _send_off(self, webhook: Webhook, number: int) -> None:
        task = asyncio.create_task(self._bring(webhook.account_id, number))
        self._on_the_way[number] = task
        task.add_done_callback(lambda _: self._back(number))

    def _back(self, number: int) -> None:
        del self._on_the_way[number]
        self._rested_from = asyncio.get_running_loop().time()
        self._woken.set()

    async def _bring(self, account_id: str, number: int) -> None:
        made = await self._without_fail(lambda: self._sent(account_id, number))
        if made is not None:
            due, sent = made
            await self._without_fail(lambda: self._note(due, sent))

    async def _sent(self, account_id: str, number: int) -> tuple[Due, Sent] | None:
        """Make an attempt once it is our turn; `None` where none is to be made by then."""
        async with self._means.slots.slot(account_id):
            # Not before: words may be deleted while it waits, and many that wait weigh much.
            due = await self._store.due_event(self.webhook_id, number)
            if due is None:
                return None
            # They go with their webhook, so that one which is there after them had some.
            secrets = await self._store.webhook_secrets(self.webhook_id, milliseconds())
            webhook = await self._store.webhook(self.webhook_id)
            if self._leaving or webhook is None or webhook.disabled_at is not None:
                return None
            if not await self._is_entitled(webhook):
                return None
            timeout = self._means.settings.timeout
            try:
                sent = await send(self._means.egress, webhook, secrets, due, timeout=timeout)
            except EgressRefused:  # as all is closing
                self._leaving = True
                return None
            return due, sent

    async def _is_entitled(self, webhook: Webhook) -> bool:
        """Whether the key that it was made with works still; else it is disabled."""
        now = milliseconds()
        if webhook.key_id is None or self._works(await self._store.key(webhook.key_id), now):
            return True
        await self._store.disable_webhook(webhook.id, "key", now=now)
        _log.info("webhook %s is told nothing more: its key works no more", webhook.id)
        return False

    def _works(self, key: Key | None, now: int) -> bool:
        if key is None or key.revoked_at is not None or (key.dev and not self._means.dev):
            return False
        return key.expires_at is None or key.expires_at > now

    async def _note(self, due: Due, sent: Sent) -> None:
        webhook = await self._store.webhook(self.webhook_id)
        if webhook is not None:
            schedule, chance = self._means.settings.schedule, random.random()
            attempt = sent.attempt
            attempted = concluded(webhook, due, attempt, sent.asked_wait, schedule, chance)
            await self._store.note_attempt(attempted)
            if attempted.disables is not None:
                _log.info("webhook %s is told nothing more: %s", webhook.id, attempted.disables)

    async def _without_fail(self, step: Callable[[], Awaitable[T]]) -> T:
        """Take *step* again and again, until nothing unexpected happens."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await step()
            except Exception:
                if pause == _FIRST_PAUSE:
                    _log.exception("webhook %s has to wait for its events", self.webhook_id)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
