"""What became of events, for people.

2026-11-30 12:00:03Z  delivered  chat.response
  01a22c5f-3a14-7bb6-a49e-1624bebdae6a
  1  12:00:03  500    35 ms  it answered 500: out of order
  2  12:00:08  200    12 ms
"""

from __future__ import annotations

from collections.abc import Mapping

from chatloom.cli.shared import escape, out
from chatloom.wire.webhooks import Attempt, Delivery, State

_COLOURS: Mapping[State, str] = {
    "waiting": "yellow",
    "delivered": "green",
    "failed": "red",
    "missed": "red",
}


def tell_delivery(delivery: Delivery) -> None:
    """Print what became of an event, attempt by attempt."""
    state = f"[{_COLOURS[delivery.state]}]{delivery.state:9}[/]"
    out.print(f"{moment(delivery.created_at)}  {state}  [bold]{escape(delivery.type)}[/]")
    out.print(f"  {delivery.event_id}")
    for attempt in delivery.attempts:
        out.print(f"  {_told(attempt)}".rstrip())
    if delivery.next_attempt_at is not None:
        out.print(f"  next attempt at {moment(delivery.next_attempt_at)}")
    elif delivery.state == "waiting":
        out.print("  behind another event of its conversation")


def moment(told: str) -> str:
    """A time of the wire, to the second."""
    return f"{told[:10]} {told[11:19]}Z"


def _told(attempt: Attempt) -> str:
    time, status = attempt.started_at[11:19], attempt.status or "-"
    problem = escape(": ".join(filter(None, (attempt.problem, attempt.response))))
    return f"{attempt.number}  {time}  {status!s:>3}  {attempt.milliseconds:>6,} ms  {problem}"
