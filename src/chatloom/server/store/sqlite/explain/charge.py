"""What a turn cost, and how that comes about."""

from __future__ import annotations

import sqlite3

import msgspec

from chatloom.server.models.driver import Usage
from chatloom.server.moments import iso
from chatloom.server.store.sqlite.explain.looking import readable, row, rows
from chatloom.server.store.sqlite.statements import statements
from chatloom.wire import explanation as wire
from chatloom.wire.chatloom import Budget, Money

_MILLION = 1_000_000

_read_usage = msgspec.json.Decoder(Usage).decode


def charge_of(connection: sqlite3.Connection, turn: sqlite3.Row) -> wire.Charge:
    """Explain the money of *turn*."""
    usage = readable(turn["usage"], _read_usage, None)
    price = row(connection, "price", turn["price_id"])
    entries = [_entry(one) for one in rows(connection, "entries", turn["id"])]
    return wire.Charge(
        usage=None if usage is None else _usage(usage),
        unknown=usage is None and any(entry.estimated for entry in entries),
        price=None if price is None else _price(price),
        items=[] if price is None or usage is None else _items(price, usage),
        cost=None if price is None or turn["cost"] is None else Money.of(turn["cost"]),
        reserved=Money.of(turn["reserved"]),
        ledger=entries,
        budgets=_budgets(connection, turn),
    )


def _usage(usage: Usage) -> wire.Usage:
    return wire.Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        estimated=usage.estimated,
    )


def _price(price: sqlite3.Row) -> wire.Price:
    cached = price["cached"]
    return wire.Price(
        id=price["id"],
        model=price["model"],
        valid_from=iso(int(price["valid_from"])),
        prompt_per_million=Money.of(price["prompt"] * _MILLION),
        completion_per_million=Money.of(price["completion"] * _MILLION),
        cached_per_million=None if cached is None else Money.of(cached * _MILLION),
    )


def _items(price: sqlite3.Row, usage: Usage) -> list[wire.Item]:
    """The summands of `Price.of`."""
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    cheap = price["prompt"] if price["cached"] is None else price["cached"]
    parts = (
        ("prompt", usage.prompt_tokens - cached, price["prompt"]),
        ("cached prompt", cached, cheap),
        ("completion", usage.completion_tokens, price["completion"]),
    )
    return [
        wire.Item(
            what=what,
            tokens=tokens,
            per_million=Money.of(each * _MILLION),
            amount=Money.of(tokens * each),
        )
        for what, tokens, each in parts
        if tokens or what != "cached prompt"
    ]


def _entry(entry: sqlite3.Row) -> wire.Entry:
    return wire.Entry(
        kind=entry["kind"],
        amount=Money.of(entry["amount"]),
        prompt_tokens=entry["prompt_tokens"],
        completion_tokens=entry["completion_tokens"],
        estimated=bool(entry["estimated"]),
        created_at=iso(int(entry["created_at"])),
    )


def _budgets(connection: sqlite3.Connection, turn: sqlite3.Row) -> list[Budget]:
    """The budgets that it was, or is, held to; of ``end_users`` what its own end user has left."""
    account, end_user = turn["account_id"], turn["end_user"]
    person = None if end_user is None else f"{account}/{end_user}"
    group = None if turn["organization"] is None else f"{account}/{turn['organization']}"
    keys = msgspec.json.encode([turn["key_id"], *msgspec.json.decode(turn["ancestors"])]).decode()
    # As they are asked when a turn begins.
    found = connection.execute(statements()["budgets_of"], (account, keys, person, group))
    return [
        Budget(
            concern=one["concern"],
            subject=one["subject"],
            amount=Money.of(one["amount"]),
            spent=Money.of(one["spent"]),
            reserved=Money.of(one["reserved"]),
            left=Money.of(one["amount"] - one["spent"] - one["reserved"]),
        )
        for one in found
    ]
