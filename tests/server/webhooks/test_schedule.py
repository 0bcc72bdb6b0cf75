"""What follows from an attempt."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chatloom.server.store.webhooks import Attempt, Due, Webhook
from chatloom.server.webhooks.schedule import LONGEST_ASKED, concluded
from chatloom.server.webhooks.settings import WebhookSettings

AT = 1_000_000
SCHEDULE = (5.0, 300.0)
WEBHOOK = Webhook(
    id="w",
    account_id="a",
    end_user=None,
    organization=None,
    key_id=None,
    url="https://a.example.com/",
    events=("*",),
    created_at=0,
    updated_at=0,
)
DUE = Due(
    number=1,
    event_id="e",
    type="webhook.ping",
    body=b"{}",
    attempts=0,
    tries=0,
    first_at=None,
)


def attempt(status: int | None) -> Attempt:
    problem = None if status is not None and 200 <= status < 300 else "it failed"
    return Attempt(number=1, started_at=AT - 100, ended_at=AT, status=status, problem=problem)


def waits(
    status: int | None, asked: float | None = None, *, tries: int = 0, chance: float = 0.0
) -> float:
    """How many seconds there are to the next attempt."""
    due = replace(DUE, tries=tries)
    follows = concluded(WEBHOOK, due, attempt(status), asked, SCHEDULE, chance)
    assert (follows.state, follows.disables) == ("waiting", None)
    assert follows.next_at is not None
    return (follows.next_at - AT) / 1000


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_only_a_2xx_is_taken_for_a_yes(status: int) -> None:
    follows = concluded(WEBHOOK, DUE, attempt(status), 99.0, SCHEDULE, 0.0)
    assert (follows.state, follows.next_at, follows.disables) == ("delivered", None, None)


@pytest.mark.parametrize("status", [None, 301, 307, 400, 404, 408, 429, 500, 503, 599])
def test_all_else_is_sent_again(status: int | None) -> None:
    assert waits(status) == 5.0
    assert waits(status, tries=1) == 300.0


def test_waits_differ_by_a_tenth() -> None:
    assert waits(500, chance=1.0) == 5.5


@pytest.mark.parametrize(
    ("status", "asked", "waited"),
    [
        (429, 60.0, 60.0),
        (503, 60.0, 60.0),
        (429, 1.0, 5.0),
        (429, 10.0 * LONGEST_ASKED, LONGEST_ASKED),
        (500, 60.0, 5.0),
        (301, 60.0, 5.0),
    ],
)
def test_who_is_busy_may_ask_for_time(status: int, asked: float, waited: float) -> None:
    assert waits(status, asked) == waited


def test_who_is_gone_is_asked_no_more() -> None:
    follows = concluded(WEBHOOK, DUE, attempt(410), None, SCHEDULE, 0.0)
    assert (follows.state, follows.next_at, follows.disables) == ("failed", None, "gone")


@pytest.mark.parametrize(
    ("delivered_at", "disables"),
    [(None, "failing"), (AT - 10_001, "failing"), (AT - 10_000, None), (AT, None)],
)
def test_behind_the_schedule_it_has_failed(delivered_at: int | None, disables: str | None) -> None:
    webhook = replace(WEBHOOK, last_delivered_at=delivered_at)
    due = replace(DUE, attempts=2, tries=2, first_at=AT - 10_000)
    follows = concluded(webhook, due, attempt(429), 60.0, SCHEDULE, 0.0)
    assert (follows.state, follows.next_at, follows.disables) == ("failed", None, disables)


def test_without_a_schedule_there_is_one_attempt() -> None:
    follows = concluded(WEBHOOK, DUE, attempt(None), None, (), 0.0)
    assert (follows.state, follows.disables) == ("failed", "failing")


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    hours = [3600 * hour for hour in (2, 5, 10, 14, 20, 24)]
    assert WebhookSettings().schedule == (5, 300, 1800, *hours)
