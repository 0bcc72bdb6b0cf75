"""Whether every turn's money adds up: what was set aside, what was taken, and why that much."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec

from chatloom.server.models.driver import Price, Usage
from chatloom.server.store.contract import Problem
from chatloom.server.store.sqlite.rows import Row
from chatloom.server.store.sqlite.statements import statements
from chatloom.wire.chatloom import Money


def check_charges(connection: sqlite3.Connection) -> tuple[int, list[Problem]]:
    """How many turns there are, and what is wrong with what they cost."""
    count, problems = 0, list[Problem]()
    for row in connection.execute(statements("check.sql")["every_charge"]):
        count += 1
        problems += [Problem("turn", row[0], detail) for detail in _wrong(row)]
    return count, problems


def _wrong(row: Row) -> Iterator[str]:
    _, ended, keyed, reserved, cost, usage, *entries = row
    set_aside, settled, released = entries[:3]
    if set_aside is None:
        yield "nothing was set aside for it"
    elif set_aside != reserved:
        yield "what was set aside for it is not what the ledger says"
    if not ended:
        if settled is not None or released is not None:
            yield "it is still open, and its money was settled or released"
        return
    if settled is None and released is None:
        yield "it ended, and its money was neither settled nor released"
    elif settled is not None and released is not None:
        yield "its money was both settled and released"
    elif cost != (released if settled is None else settled):
        yield "its cost is not what the ledger says"
    elif settled is not None:
        yield from _wrong_settlement(settled, usage, *entries[3:])
    if keyed and settled is None:
        yield "its idempotency key stands for a turn that was free to begin anew"


def _wrong_settlement(
    settled: int,
    usage: bytes | None,
    prompt_tokens: int | None,
    completion_tokens: int | None,
    estimated: int,
    *figures: int | None,
) -> Iterator[str]:
    """Whether *settled* is what the usage costs at the price the turn was opened at."""
    if usage is None:
        yield "it was settled, and nobody says for what"
        return
    try:
        used = _read_usage(usage)
    except msgspec.MsgspecError as error:
        yield f"its usage cannot be read: {error}"
        return
    counted = (used.prompt_tokens, used.completion_tokens, used.estimated)
    if counted != (prompt_tokens, completion_tokens, bool(estimated)):
        yield "its tokens are not those that the ledger says"
    if settled != _cost(used, *figures):
        yield "its cost is not what its tokens cost at its price"


def _cost(usage: Usage, prompt: int | None, completion: int | None, cached: int | None) -> int:
    if prompt is None or completion is None:
        return 0  # nobody knew a price
    return Price(prompt=prompt, completion=completion, cached=cached).of(usage)


_read_usage = msgspec.json.Decoder(Usage).decode


def list_overruns(connection: sqlite3.Connection) -> list[Problem]:
    """Budgets of which more was taken than they allow.

    No damage: a budget may be lowered, and an answer may cost more than could be foreseen.
    """
    return [
        Problem(
            "budget",
            f"{concern} {subject}",
            f"{Money.of(taken)} is spent or set aside, of {Money.of(amount)}",
        )
        for concern, subject, amount, taken in connection.execute(
            statements("check.sql")["every_overrun"]
        )
    ]
