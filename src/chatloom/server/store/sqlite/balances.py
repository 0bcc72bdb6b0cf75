"""Balances and their limits, moved once a transaction however many turns it holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec

from chatloom.server.store.contract import Opening, Settlement
from chatloom.server.store.spending import Allowance, BudgetExceeded, Concern
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.statements import statements


class _Payer(NamedTuple):
    """Whom a turn concerns."""

    account: str
    key: str
    end_user: str | None
    organization: str | None
    ancestors: tuple[str, ...]


_Subject: TypeAlias = tuple[str, str]
"""A balance's scope, and whose it is."""


class _Limit(NamedTuple):
    concern: Concern
    amount: int
    taken: int
    """Before this transaction."""
    by: tuple[_Subject, ...]
    """The balances that take of it."""


class _Account:
    """What an account had spent and reserved before this transaction, and spends in it."""

    def __init__(self, spent: int, reserved: int) -> None:
        self.spent = spent
        self.reserved = reserved
        self.spent_before: int | None = None
        """When the period of its allowance began; looked up when it is asked for."""


class Balances:
    """What the turns of one transaction move, by whom it concerns, within everybody's budgets.

    Used by the writer's thread alone.
    """

    def __init__(self) -> None:
        self._moves: dict[_Payer, list[int]] = {}
        self._sums: dict[_Subject, list[int]] | None = None
        """The moves by subject, kept where budgets are looked at."""
        self._limits: dict[_Payer, list[_Limit]] = {}
        self._accounts: dict[str, _Account] = {}
        self._limited: bool | None = None
        self._now = 0

    def begin(self) -> None:
        """Forget what an undone transaction would have moved."""
        self._moves.clear()
        self._sums = None
        self._limits.clear()
        self._accounts.clear()
        self._limited = None

    def reserve(self, connection: sqlite3.Connection, opening: Opening) -> None:
        """Set aside what *opening* may cost. Raises `BudgetExceeded`, and then moves nothing."""
        if self._limited is None:
            (self._limited,) = connection.execute(statements()["any_budget"]).fetchone()
        if self._limited:
            self._check(connection, opening)
        if opening.allowance is not None:
            self._check_allowance(connection, opening, opening.allowance)
        self._now = opening.started_at
        self._move(opening, opening.reserved, 0, 0, 0, 0)

    def settle(self, connection: sqlite3.Connection, settlement: Settlement) -> int:
        """Turn what was set aside for a turn into what was spent.

        Returns what its account had spent before.
        """
        opening, usage = settlement.opening, settlement.usage
        account = self._account(connection, opening.account_id)
        before = account.spent
        self._now = settlement.ended_at
        self._move(
            opening,
            -opening.reserved,
            settlement.cost,
            1,
            usage.prompt_tokens if usage else 0,
            usage.completion_tokens if usage else 0,
        )
        return before

    def finish(self, connection: sqlite3.Connection) -> None:
        """Write the sums; the last thing a transaction does."""
        moves = self._by_subject() if self._sums is None else self._sums
        if moves:
            connection.executemany(
                statements()["move_balance"],
                [(*subject, *move, self._now) for subject, move in moves.items()],
            )

    def _account(self, connection: sqlite3.Connection, id: str) -> _Account:
        account = self._accounts.get(id)
        if account is None:
            spent, reserved = rows.one(connection, statements()["account_balance"], id) or (0, 0)
            account = self._accounts[id] = _Account(spent, reserved)
            for payer, move in self._moves.items():
                if payer.account == id:
                    account.reserved += move[0]
                    account.spent += move[1]
        return account

    def _check(self, connection: sqlite3.Connection, opening: Opening) -> None:
        payer = _payer(opening)
        if payer not in self._limits:
            self._limits[payer] = _limits(connection, payer)
        if not self._limits[payer]:
            return
        if self._sums is None:
            self._sums = self._by_subject()
        moves = self._sums
        for limit in self._limits[payer]:
            moved = sum(sum(moves[one][:2]) for one in limit.by if one in moves)
            left = limit.amount - limit.taken - moved
            wanted = None if opening.price is None else opening.reserved
            if wanted is None or wanted > max(left, 0):
                raise BudgetExceeded(limit.concern, limit.amount, left, wanted)

    def _check_allowance(
        self, connection: sqlite3.Connection, opening: Opening, allowed: Allowance
    ) -> None:
        """Hold a turn to its account's credits, counted as they are shown: by whole ones."""
        if opening.price is None and allowed.allows_unpriced:
            return
        account = self._account(connection, opening.account_id)
        if account.spent_before is None:
            account.spent_before = _period(connection, opening.account_id, account.spent, allowed)
        taken, credit = account.spent + account.reserved, allowed.credit
        most = (account.spent_before // credit + allowed.credits + 1) * credit - 1
        wanted = None if opening.price is None else opening.reserved
        if wanted is None or taken + wanted > most:
            raise BudgetExceeded("credits", allowed.credits * credit, most - taken, wanted)

    def _move(self, opening: Opening, *moved: int) -> None:
        payer = _payer(opening)
        _add(self._moves, payer, moved)
        if self._sums is not None:
            for subject in _subjects(payer):
                _add(self._sums, subject, moved)
        account = self._accounts.get(opening.account_id)
        if account is not None:
            account.reserved += moved[0]
            account.spent += moved[1]

    def _by_subject(self) -> dict[_Subject, list[int]]:
        sums: dict[_Subject, list[int]] = {}
        for payer, moved in self._moves.items():
            for subject in _subjects(payer):
                _add(sums, subject, moved)
        return sums


Name = TypeVar("Name")


def _add(sums: dict[Name, list[int]], name: Name, moved: Sequence[int]) -> None:
    sum_ = sums.get(name)
    if sum_ is None:
        sums[name] = list(moved)
    else:
        for at, amount in enumerate(moved):
            sum_[at] += amount


def _payer(opening: Opening) -> _Payer:
    return _Payer(
        opening.account_id,
        opening.key_id,
        opening.end_user,
        opening.organization,
        opening.ancestors,
    )


def _subjects(payer: _Payer) -> list[_Subject]:
    subjects = [("account", payer.account), ("key", payer.key)]
    if payer.end_user is not None:
        subjects.append(("end_user", f"{payer.account}/{payer.end_user}"))
    if payer.organization is not None:
        subjects.append(("organization", f"{payer.account}/{payer.organization}"))
    subjects += [("lineage", ancestor) for ancestor in payer.ancestors]
    return subjects


def _limits(connection: sqlite3.Connection, payer: _Payer) -> list[_Limit]:
    """The budgets that a turn is held to: what a key's descendants take is the key's, too."""
    subjects = dict(_subjects(payer))
    keys = msgspec.json.encode([payer.key, *payer.ancestors]).decode()
    end_user, organization = subjects.get("end_user"), subjects.get("organization")
    found = connection.execute(
        statements()["budgets_of"], (payer.account, keys, end_user, organization)
    )
    limits: list[_Limit] = []
    for concern, subject, amount, spent, reserved in found:
        by: tuple[_Subject, ...] = ((concern, subject),)
        if concern == "key":
            by = (("key", subject), ("lineage", subject))
        elif concern == "end_users":
            by = (("end_user", end_user or ""),)
        limits.append(_Limit(concern, amount, spent + reserved, by))
    return limits


def _period(connection: sqlite3.Connection, account_id: str, spent: int, allowed: Allowance) -> int:
    """What an account had spent when its period began; that begins with its first turn."""
    begun = rows.one(connection, statements()["allowance"], account_id)
    if begun is not None and begun[0] >= allowed.since:
        return int(begun[1])
    connection.execute(statements()["begin_allowance"], (account_id, allowed.since, spent))
    return spent
