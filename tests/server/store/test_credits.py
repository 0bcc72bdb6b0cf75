"""Credits come to whole numbers whatever the order, and never to more than were given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chatloom.server.models.driver import Price, Usage
from chatloom.server.store.contract import Opening
from chatloom.server.store.spending import Allowance, BudgetExceeded, ChargeFilter
from chatloom.server.store.sqlite import SQLiteStore
from support.books import RESERVED, Books, answered, books, failed

CREDIT = 1000


@asynccontextmanager
async def an_account() -> AsyncGenerator[Books]:
    store = SQLiteStore(None)
    yield await books(store)
    await store.close()


@settings(max_examples=40, deadline=None)
@given(
    credit=st.integers(1, 5000),
    turns=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 9)), min_size=1, max_size=12),
)
def test_what_is_debited_sums_to_whole_credits_in_whatever_order(
    credit: int, turns: list[tuple[int, int]]
) -> None:
    async def spend() -> None:
        async with an_account() as own:
            price = Price(prompt=7, completion=13)
            opened = [await own.begin(own.opening(price=price)) for _ in turns]
            spent = 0
            for at in sorted(range(len(turns)), key=lambda at: turns[at][1]):
                settlement = answered(opened[at], usage=Usage(*turns[at]))
                spent += settlement.cost
                await own.store.settle(settlement)
            await check(own, credit, spent)

    asyncio.run(spend())


async def check(own: Books, credit: int, spent: int) -> None:
    """All ways to count an account's credits come to the same."""
    which = ChargeFilter(account_id=own.account_id)
    charges = await own.store.charges(which, before=None, offset=0, limit=100)
    debited = [
        (one.spent_before + one.cost) // credit - one.spent_before // credit for one in charges
    ]
    assert sum(debited) == spent // credit
    (summed,) = await own.store.charge_sums(which, None, credit)
    by_day = await own.store.charge_sums(which, "day", credit)
    assert summed.credits == sum(one.credits for one in by_day) == spent // credit
    assert (await own.store.standing(own.account_id, 0)).spent == summed.cost == spent
    assert (await own.store.check()).problems == []


@settings(max_examples=40, deadline=None)
@given(
    credits=st.integers(0, 8),
    reserved=st.integers(1, 4000),
    before=st.integers(0, 3000),
    count=st.integers(1, 15),
)
def test_as_many_pass_as_whole_credits_bear(
    credits: int, reserved: int, before: int, count: int
) -> None:
    def used(passed: int) -> int:
        return (before + passed * reserved) // CREDIT - before // CREDIT

    async def spend() -> None:
        async with an_account() as own:
            earlier = await own.begin(own.opening(price=Price(prompt=1, completion=1)))
            await own.store.settle(answered(earlier, usage=Usage(before, 0)))
            asked = [await passes(own, allowed(credits), reserved) for _ in range(count)]
            passed = sum(one is not None for one in asked)
            assert used(passed) <= credits
            assert passed == count or used(passed + 1) > credits

    asyncio.run(spend())


def allowed(credits: int, since: int = 10, *, unpriced: bool = False) -> Allowance:
    return Allowance(
        credits=credits, credit=CREDIT, since=since, until=since + 10, allows_unpriced=unpriced
    )


async def passes(own: Books, allowance: Allowance, reserved: int = RESERVED) -> Opening | None:
    """Open a turn, unless that is more than is allowed."""
    opening = replace(own.opening(), allowance=allowance, reserved=reserved)
    try:
        return await own.begin(opening)
    except BudgetExceeded as refusal:
        if refusal.concern != "credits":
            raise
        return None


def test_two_hundred_at_once_pass_no_more_than_there_is() -> None:
    async def spend() -> None:
        async with an_account() as own:
            became = await asyncio.gather(*(passes(own, allowed(250)) for _ in range(200)))
            assert sum(one is not None for one in became) == 250 * CREDIT // RESERVED
            assert (await own.store.check()).problems == []

    asyncio.run(spend())


def test_what_is_released_may_be_spent_again() -> None:
    async def spend() -> None:
        async with an_account() as own:
            opening = await passes(own, allowed(5))
            assert opening is not None
            assert await passes(own, allowed(5)) is None
            await own.store.settle(failed(opening))
            assert await passes(own, allowed(5)) is not None

    asyncio.run(spend())


def test_each_period_has_credits_of_its_own() -> None:
    async def spend() -> None:
        async with an_account() as own:
            for since in (10, 20, 30):
                opening = await passes(own, allowed(5, since))
                assert opening is not None
                settled = answered(opening, usage=Usage(50, 0))
                await own.store.settle(settled)
                assert await passes(own, allowed(5, since)) is None
                standing = await own.store.standing(own.account_id, since)
                assert standing.spent - standing.spent_before == settled.cost == 5 * CREDIT
                later = await own.store.standing(own.account_id, since + 10)
                assert later.spent == later.spent_before

    asyncio.run(spend())


def test_what_nobody_knows_the_price_of_passes_only_where_that_is_allowed() -> None:
    async def spend() -> None:
        async with an_account() as own:
            for unpriced in (False, True):
                allowance = allowed(10**9, unpriced=unpriced)
                opening = replace(own.opening(price=None), allowance=allowance)
                try:
                    await own.begin(opening)
                    passed = True
                except BudgetExceeded:
                    passed = False
                assert passed is unpriced

    asyncio.run(spend())
