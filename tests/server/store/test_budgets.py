"""Budgets hold, whoever spends at once; a turn that passes one leaves nothing."""

from __future__ import annotations

import asyncio

import pytest

from chatloom.server.models.driver import Usage
from chatloom.server.store.spending import Budget, BudgetExceeded, Concern
from support.books import COST, RESERVED, USAGE, Books, answered, failed

pytestmark = pytest.mark.anyio


def subject(own: Books, concern: Concern) -> str:
    return {
        "account": own.account_id,
        "key": own.key_id,
        "end_user": f"{own.account_id}/customer",
        "end_users": own.account_id,
    }[concern]


CONCERNS: list[Concern] = ["account", "key", "end_user", "end_users"]


async def attempts(own: Books, count: int, end_user: str | None = "customer") -> list[object]:
    """Open so many turns at once; what became of each."""
    openings = [own.opening(end_user=end_user) for _ in range(count)]
    opened = (own.store.open_turn(opening) for opening in openings)
    return await asyncio.gather(*opened, return_exceptions=True)


@pytest.mark.parametrize("concern", CONCERNS)
async def test_a_budget_for_fifty_lets_fifty_of_two_hundred_pass(
    own: Books, concern: Concern
) -> None:
    await own.store.set_budget(concern, subject(own, concern), 50 * RESERVED + RESERVED - 1)
    became = await attempts(own, 200)
    refused = [one for one in became if isinstance(one, BudgetExceeded)]
    assert (len(refused), len(became)) == (150, 200)
    assert {(one.concern, one.left, one.wanted) for one in refused} == {
        (concern, RESERVED - 1, RESERVED)
    }
    health = await own.store.check()
    assert (health.problems, len(health.open_turns)) == ([], 50)


async def test_a_budget_is_never_passed_by_turns_that_begin_and_end(own: Books) -> None:
    await own.store.set_budget("key", own.key_id, 20 * RESERVED)
    most = 0

    async def take_turns() -> None:
        nonlocal most
        for _ in range(5):
            opening = own.opening()
            try:
                await own.store.open_turn(opening)
            except BudgetExceeded:
                continue
            (budget,) = await own.store.budgets()
            most = max(most, budget.spent + budget.reserved)
            await own.store.settle(answered(opening, usage=Usage(25, 6)))

    await asyncio.gather(*(take_turns() for _ in range(64)))
    assert 0 < most <= 20 * RESERVED
    assert (await own.store.check()).problems == []


async def test_what_is_left_is_what_is_neither_spent_nor_reserved(own: Books) -> None:
    await own.store.set_budget("account", own.account_id, 2 * RESERVED)
    opening = await own.begin(own.opening())
    await own.begin(own.opening())
    with pytest.raises(BudgetExceeded) as refusal:
        await own.begin(own.opening())
    assert refusal.value.left == 0
    await own.store.settle(answered(opening))
    with pytest.raises(BudgetExceeded) as refusal:
        await own.begin(own.opening())
    assert refusal.value.left == RESERVED - COST


async def test_a_refused_turn_leaves_nothing(own: Books) -> None:
    await own.store.set_budget("key", own.key_id, RESERVED - 1)
    opening = own.opening()
    with pytest.raises(BudgetExceeded):
        await own.store.open_turn(opening)
    assert await own.store.turn(own.account_id, opening.turn_id) is None
    assert await own.store.conversation(own.account_id, opening.conversation_id) is None
    assert await own.store.budgets() == [
        Budget(concern="key", subject=own.key_id, amount=RESERVED - 1)
    ]


async def test_a_released_turn_gives_back_what_it_reserved(own: Books) -> None:
    await own.store.set_budget("key", own.key_id, RESERVED)
    await own.store.settle(failed(await own.begin(own.opening())))
    await own.begin(own.opening())


async def test_a_turn_of_unknown_price_is_refused_where_a_budget_concerns_it(own: Books) -> None:
    await own.begin(own.opening(price=None))
    await own.store.set_budget("key", own.key_id, 10**18)
    with pytest.raises(BudgetExceeded, match="unknown amount") as refusal:
        await own.begin(own.opening(price=None))
    assert refusal.value.wanted is None


async def test_a_budget_concerns_nobody_else(own: Books, foreign: Books) -> None:
    for concern in CONCERNS:
        await own.store.set_budget(concern, subject(own, concern), 0)
    await foreign.begin(foreign.opening(end_user="customer"))
    with pytest.raises(BudgetExceeded):
        await own.begin(own.opening())


async def test_an_end_users_own_budget_stands_before_that_of_all(own: Books) -> None:
    await own.store.set_budget("end_users", own.account_id, RESERVED)
    await own.store.set_budget("end_user", subject(own, "end_user"), 3 * RESERVED)
    became = [await attempts(own, 5, user) for user in ("customer", "another", None)]
    passed = [sum(not isinstance(one, BudgetExceeded) for one in some) for some in became]
    assert passed == [3, 1, 5]


async def test_a_budget_is_changed_and_lifted(own: Books) -> None:
    await own.store.set_budget("key", own.key_id, 0)
    await own.store.set_budget("key", own.key_id, RESERVED)
    opening = await own.begin(own.opening())
    await own.store.settle(answered(opening, usage=USAGE))
    told = Budget(concern="key", subject=own.key_id, amount=RESERVED, spent=COST)
    assert await own.store.budgets() == [told]
    assert await own.store.budget("key", own.key_id) == told
    assert await own.store.budget("account", own.key_id) is None
    await own.store.set_budget("key", own.key_id, None)
    assert await own.store.budgets() == []
    await asyncio.gather(*(own.begin(own.opening()) for _ in range(5)))
