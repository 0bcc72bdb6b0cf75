"""What follows from an attempt.

| the answer    | the event                                                  | the webhook        |
| ------------- | ---------------------------------------------------------- | ------------------ |
| 2xx           | is delivered                                               |                    |
| 410           | has failed                                                 | is disabled        |
| 429, 503      | waits as below, or as long as `Retry-After` asks, a day at | as below           |
|               | most, where that is longer                                 |                    |
| anything else | waits for the next place in the schedule; behind the last  | is disabled, where |
|               | one it has failed                                          | nothing arrived    |
|               |                                                            | meanwhile          |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from chatloom.server.store.webhooks import Attempt, Attempted, Disabled, Due, Webhook

LONGEST_ASKED = 86_400.0
"""Seconds that a receiver may ask to be left alone."""
_SPREAD = 0.1
"""By how much waits differ, so that what failed together does not come again together."""
_MAY_ASK = frozenset({429, 503})
_GONE = 410


def concluded(
    webhook: Webhook,
    due: Due,
    attempt: Attempt,
    asked_wait: float | None,
    schedule: Sequence[float],
    chance: float,
) -> Attempted:
    """Say what follows from *attempt*, with *webhook* as it is by now.

    *asked_wait* and *schedule* are in seconds, *chance* is from 0 to 1.
    """
    if attempt.problem is None:
        return _over(webhook, due, attempt, "delivered")
    if attempt.status == _GONE:
        return _over(webhook, due, attempt, "failed", "gone")
    if due.tries >= len(schedule):
        is_failing = not _took_something_since(due.first_at or attempt.started_at, webhook)
        return _over(webhook, due, attempt, "failed", "failing" if is_failing else None)
    wait = schedule[due.tries] * (1 + _SPREAD * chance)
    if asked_wait is not None and attempt.status in _MAY_ASK:
        wait = max(wait, min(asked_wait, LONGEST_ASKED))
    next_at = attempt.ended_at + math.ceil(wait * 1000)
    return Attempted(
        webhook_id=webhook.id, due=due, attempt=attempt, state="waiting", next_at=next_at
    )


def _took_something_since(moment: int, webhook: Webhook) -> bool:
    return webhook.last_delivered_at is not None and webhook.last_delivered_at >= moment


def _over(
    webhook: Webhook,
    due: Due,
    attempt: Attempt,
    state: Literal["delivered", "failed"],
    disables: Disabled | None = None,
) -> Attempted:
    return Attempted(
        webhook_id=webhook.id,
        due=due,
        attempt=attempt,
        state=state,
        next_at=None,
        disables=disables,
    )
