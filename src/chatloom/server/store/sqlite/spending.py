"""Budgets, and what was spent."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from chatloom.server.ids import first_id_at
from chatloom.server.models.driver import Usage
from chatloom.server.store.administration import Deed
from chatloom.server.store.spending import (
    AccountStanding,
    Budget,
    Charge,
    ChargeFilter,
    ChargeSum,
    Concern,
    Grouping,
    Holder,
)
from chatloom.server.store.sqlite import rows
from chatloom.server.store.sqlite.audit import record
from chatloom.server.store.sqlite.opened import Opened
from chatloom.server.store.sqlite.statements import statements

_SQL = "spending.sql"
_AFTER_ALL = "g"
"""Sorts behind every id."""


class Spending(Opened):
    """Keeps budgets, and tells what was spent."""

    async def set_budget(
        self, concern: Concern, subject: str, amount: int | None, deed: Deed | None = None
    ) -> None:
        def write(connection: sqlite3.Connection) -> None:
            if amount is None:
                connection.execute(self._sql["lift_budget"], (concern, subject))
            else:
                connection.execute(self._sql["set_budget"], (concern, subject, amount))
            record(connection, deed)

        await self._place.write(write, durable=True)

    async def budgets(self) -> list[Budget]:
        def read() -> list[Budget]:
            return [_budget(row) for row in self._reader.execute(self._sql["budgets"])]

        return await self._place.apart(read)

    async def budget(self, concern: Concern, subject: str) -> Budget | None:
        row = self._one("budget", concern, subject)
        return None if row is None else _budget(row)

    async def budgets_of(
        self,
        account_id: str,
        keys: Sequence[str],
        end_user: str | None = None,
        organization: str | None = None,
    ) -> list[Budget]:
        named = [
            None if name is None else f"{account_id}/{name}" for name in (end_user, organization)
        ]
        told = msgspec.json.encode(keys).decode()
        found = self._reader.execute(self._sql["budgets_of"], (account_id, told, *named))
        return [_budget(row) for row in found]

    async def standing(self, account_id: str, since: int) -> AccountStanding:
        spent, reserved = self._one("account_balance", account_id) or (0, 0)
        begun = rows.one(self._reader, statements(_SQL)["spent_before"], account_id, since)
        # Where nothing was begun in this period, nothing of it is spent either.
        return AccountStanding(spent, reserved, begun[0] if begun else spent)

    async def charges(
        self, which: ChargeFilter, *, before: str | None, offset: int, limit: int
    ) -> list[Charge]:
        page = {"before": before or _AFTER_ALL, "offset": offset, "limit": limit}
        return await self._place.apart(
            lambda: [_charge(row) for row in self._asked("charges", which, page)]
        )

    async def count_charges(self, which: ChargeFilter) -> int:
        def read() -> int:
            ((count,),) = self._asked("count_charges", which, {})
            return int(count)

        return await self._place.apart(read)

    async def charge_sums(
        self, which: ChargeFilter, grouping: Grouping | None, credit: int
    ) -> list[ChargeSum]:
        group = _GROUPS[grouping]

        def read() -> list[ChargeSum]:
            found = self._asked("charge_sums", which, {"credit": credit}, group)
            return [_sum(row) for row in found]

        return await self._place.apart(read)

    def _asked(
        self, statement: str, which: ChargeFilter, more: Mapping[str, object], group: str = ""
    ) -> Sequence[rows.Row]:
        """Run a statement about charges; its text is put together from parts that stand here."""
        values: dict[str, object] = {**more, "account": which.account_id}
        conditions = ["l.account_id = :account AND l.kind <> 'reserve'"]
        for name, condition, value in _conditions(which):
            if value is not None:
                values[name] = value
                conditions.append(condition)
        sql = statements(_SQL)[statement]
        sql = sql.replace("{which}", " AND ".join(conditions)).replace("{group}", group)
        return self._reader.execute(sql, values).fetchall()

    async def holders(
        self, kind: Literal["end_user", "organization"], account_id: str | None
    ) -> Sequence[Holder]:
        def read() -> list[Holder]:
            found = self._reader.execute(statements(_SQL)["holders"], (kind, account_id))
            return [_holder(row) for row in found]

        return await self._place.apart(read)


def _conditions(which: ChargeFilter) -> list[tuple[str, str, object]]:
    since = None if which.since is None else first_id_at(which.since)
    until = None if which.until is None else first_id_at(which.until)
    failed = None if which.failed is None else int(which.failed)
    return [
        ("end_user", "l.end_user = :end_user", which.end_user),
        ("since", "l.turn_id >= :since", since),
        ("until", "l.turn_id < :until", until),
        ("model", "t.model = :model", which.model),
        ("provider", "t.provider = :provider", which.provider),
        ("band", "t.band = :band", which.band),
        ("failed", f"(t.outcome IN {_FAILURES}) = :failed", failed),
    ]


_FAILURES = "('cancelled', 'truncated', 'provider_error')"

_GROUPS: dict[Grouping | None, str] = {
    None: "''",
    "model": "t.model",
    "provider": "t.provider",
    "band": "t.band",
    "day": "date(t.started_at / 1000, 'unixepoch')",
}


def _budget(row: rows.Row) -> Budget:
    return Budget(concern=row[0], subject=row[1], amount=row[2], spent=row[3], reserved=row[4])


def _charge(row: rows.Row) -> Charge:
    usage = None if row[11] is None else _read_usage(row[11])
    return Charge(
        turn_id=row[0],
        request_id=row[1],
        key_id=row[2],
        end_user=row[3],
        model=row[4],
        provider=row[5],
        band=row[6],
        outcome=row[7],
        problem=row[8],
        prompt_tokens=row[9] or 0,
        completion_tokens=row[10] or 0,
        reasoning_tokens=usage.reasoning_tokens if usage else 0,
        cost=row[12],
        spent_before=row[13],
        started_at=row[14],
        ended_at=row[15],
    )


def _sum(row: rows.Row) -> ChargeSum:
    return ChargeSum(
        group=row[0],
        requests=row[1],
        prompt_tokens=int(row[2]),
        completion_tokens=int(row[3]),
        cost=row[4],
        credits=row[5],
        latency=int(row[6]),
    )


def _holder(row: rows.Row) -> Holder:
    account, _, name = row[0].partition("/")
    return Holder(
        account_id=account,
        name=name,
        requests=row[1],
        prompt_tokens=row[2],
        completion_tokens=row[3],
        spent=row[4],
        last_used_at=row[5],
    )


_read_usage = msgspec.json.Decoder(Usage).decode
