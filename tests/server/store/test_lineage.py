"""What a key's descendants, and an organization, take is counted as theirs; and so is it held."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chatloom.server.chat.recovery import recovered
from chatloom.server.ids import new_id
from chatloom.server.models.driver import Usage
from chatloom.server.store.contract import Opening, Store
from chatloom.server.store.keys import AncestorRevoked, ApiSecret, Key
from chatloom.server.store.spending import BudgetExceeded
from chatloom.server.store.sqlite import SQLiteStore
from support.books import COST, RESERVED, Books, answered, books, failed

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Family:
    """An account's key, and those that descend from it: parents before children."""

    own: Books
    ancestors: dict[str, tuple[str, ...]]

    @property
    def ids(self) -> list[str]:
        return list(self.ancestors)

    def opening(
        self, key_id: str, end_user: str | None = None, organization: str | None = None
    ) -> Opening:
        """A turn of one of the keys."""
        opening = self.own.opening(key_id=key_id, end_user=end_user)
        return replace(opening, ancestors=self.ancestors[key_id], organization=organization)

    async def open_all(self, *openings: Opening) -> list[Opening]:
        """Open turns at once; those that passed."""
        opened = (self.own.store.open_turn(one) for one in openings)
        became = await asyncio.gather(*opened, return_exceptions=True)
        errors = [one for one in became if isinstance(one, BaseException)]
        assert all(isinstance(one, BudgetExceeded) for one in errors), errors
        return [
            opening
            for opening, one in zip(openings, became, strict=True)
            if not isinstance(one, BaseException)
        ]

    async def taken(self, key_id: str) -> tuple[int, int]:
        """What counts as spent and reserved by a key, as its budget sees it."""
        store = self.own.store
        await store.set_budget("key", key_id, 10**18)
        budget = await store.budget("key", key_id)
        await store.set_budget("key", key_id, None)
        assert budget is not None
        return budget.spent, budget.reserved


async def descend(store: Store, account_id: str, ancestors: tuple[str, ...]) -> str:
    """Add a key below others."""
    key = Key(
        id=new_id(),
        account_id=account_id,
        name="heir",
        scopes=frozenset({"chat"}),
        created_at=3,
        ancestors=ancestors,
    )
    secret = ApiSecret(key_id=key.id, digest=new_id().encode(), hint="loom", created_at=3)
    await store.add_key(key, secret)
    return key.id


async def family(own: Books, parents: list[int]) -> Family:
    """A family of which each further key descends from the one so many places in."""
    ancestors: dict[str, tuple[str, ...]] = {own.key_id: ()}
    for parent in parents:
        above = list(ancestors)[parent % len(ancestors)]
        line = (above, *ancestors[above])
        ancestors[await descend(own.store, own.account_id, line)] = line
    return Family(own, ancestors)


turns = st.lists(
    st.tuples(
        st.integers(0, 9),  # whose
        st.sampled_from([None, "ann", "ben"]),
        st.sampled_from([None, "acme"]),
        st.sampled_from(["settled", "released", "open", "recovered"]),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=15,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=6), turns, st.booleans())
def test_balances_equal_the_ledger(
    parents: list[int],
    asked: list[tuple[int, str | None, str | None, str, int]],
    together: bool,
) -> None:
    async def spend() -> None:
        store = SQLiteStore(None)
        all_of_it = await family(await books(store), parents)
        spent, reserved = Counter[str](), Counter[str]()
        for whose, end_user, organization, end, tokens in asked:
            key_id = all_of_it.ids[whose % len(all_of_it.ids)]
            opening = all_of_it.opening(key_id, end_user, organization)
            price_id = await store.open_turn(opening)
            cost, left = 0, 0
            if end == "settled":
                settlement = answered(opening, usage=Usage(tokens, 1), price_id=price_id)
                await store.settle(settlement)
                cost = settlement.cost
            elif end == "released":
                await store.settle(failed(opening))
            elif end == "recovered":
                (unfinished,) = [
                    one
                    for one in await store.open_turns()
                    if one.opening.turn_id == opening.turn_id
                ]
                assert unfinished.opening.ancestors == opening.ancestors
                assert unfinished.opening.organization == organization
                await store.settle(await recovered(store, unfinished))
            else:
                left = RESERVED
            subjects = [key_id, *opening.ancestors, f"org {organization}"]
            spent.update(dict.fromkeys(subjects, cost))
            reserved.update(dict.fromkeys(subjects, left))
        for id in all_of_it.ids:
            assert await all_of_it.taken(id) == (spent[id], reserved[id])
        found = await store.holders("organization", all_of_it.own.account_id)
        assert sum(one.spent for one in found) == spent["org acme"]
        assert (await store.check()).problems == []
        await store.close()

    asyncio.run(spend())


async def test_an_ancestors_budget_holds_whichever_descendants_spend_at_once(own: Books) -> None:
    all_of_it = await family(own, [0, 0, 1, 1, 2, 2, 3, 4, 5, 6])
    await own.store.set_budget("key", own.key_id, 50 * RESERVED + RESERVED - 1)
    await own.store.set_budget("key", all_of_it.ids[1], 20 * RESERVED)
    ids = all_of_it.ids
    passed = await all_of_it.open_all(
        *(all_of_it.opening(ids[number % len(ids)]) for number in range(200))
    )
    assert len(passed) == 50
    below = [one for one in passed if ids[1] in {one.key_id, *one.ancestors}]
    assert len(below) == 20
    assert await all_of_it.taken(ids[1]) == (0, 20 * RESERVED)
    health = await own.store.check()
    assert (health.problems, len(health.open_turns)) == ([], 50)


async def test_an_organizations_budget_holds_whoever_spends_at_once(own: Books) -> None:
    all_of_it = await family(own, [0, 0, 0])
    await own.store.set_budget("organization", f"{own.account_id}/acme", 10 * RESERVED)
    openings = [
        all_of_it.opening(all_of_it.ids[number % 4], f"user {number % 7}", organization)
        for number in range(60)
        for organization in ("acme", None)
    ]
    passed = await all_of_it.open_all(*openings)
    assert Counter(one.organization for one in passed) == {"acme": 10, None: 60}
    assert (await own.store.check()).problems == []


async def test_turns_that_end_meanwhile_do_not_let_more_pass(own: Books) -> None:
    all_of_it = await family(own, [0, 1, 2, 2])
    await own.store.set_budget("key", all_of_it.ids[1], 10 * RESERVED)
    most = 0

    async def take(key_id: str) -> None:
        nonlocal most
        for _ in range(5):
            passed = await all_of_it.open_all(all_of_it.opening(key_id))
            budget = await own.store.budget("key", all_of_it.ids[1])
            assert budget is not None
            most = max(most, budget.spent + budget.reserved)
            for opening in passed:
                await own.store.settle(answered(opening))

    await asyncio.gather(*(take(all_of_it.ids[1 + number % 4]) for number in range(40)))
    assert 9 * RESERVED < most <= 10 * RESERVED
    assert (await own.store.check()).problems == []


async def test_a_budget_below_another_does_not_bind_what_is_beside_it(own: Books) -> None:
    all_of_it = await family(own, [0, 0])
    await own.store.set_budget("key", all_of_it.ids[1], 0)
    first, second = all_of_it.ids[1:]
    openings = [all_of_it.opening(first), all_of_it.opening(second), all_of_it.opening(own.key_id)]
    assert await all_of_it.open_all(*openings) == openings[1:]


async def test_a_refused_descendant_moves_no_balance(own: Books) -> None:
    all_of_it = await family(own, [0, 1])
    await own.store.set_budget("key", all_of_it.ids[1], RESERVED - 1)
    assert await all_of_it.open_all(all_of_it.opening(all_of_it.ids[2])) == []
    await own.store.set_budget("key", all_of_it.ids[1], None)
    for id in all_of_it.ids:
        assert await all_of_it.taken(id) == (0, 0)


async def test_settling_twice_counts_once_for_everybody_above(own: Books) -> None:
    all_of_it = await family(own, [0, 1])
    (opening,) = await all_of_it.open_all(all_of_it.opening(all_of_it.ids[2]))
    settlement = answered(opening)
    settled = [await own.store.settle(settlement) for _ in range(2)]
    assert settled == [opening.branch_id, None]
    for id in all_of_it.ids:
        assert await all_of_it.taken(id) == (COST, 0)
    assert (await own.store.check()).problems == []


async def test_no_key_descends_from_a_revoked_one(own: Books) -> None:
    all_of_it = await family(own, [0, 1])
    middle, last = all_of_it.ids[1:]
    await own.store.revoke_key(middle, 5)
    for above in (middle, last):
        line = (above, *all_of_it.ancestors[above])
        with pytest.raises(AncestorRevoked):
            await descend(own.store, own.account_id, line)
    assert len(await own.store.keys(own.account_id)) == 3
    await descend(own.store, own.account_id, (own.key_id,))
    assert (await own.store.check()).problems == []


async def test_a_lineage_is_revoked_at_once_and_no_other(own: Books, foreign: Books) -> None:
    all_of_it = await family(own, [0, 1, 2, 0])
    assert await own.store.revoke_key(all_of_it.ids[1], 5)
    keys = [await own.store.key(id) for id in all_of_it.ids]
    assert [key and key.revoked_at for key in keys] == [None, 5, 5, 5, None]
    assert not await own.store.revoke_key(all_of_it.ids[1], 6)
    assert await own.store.revoke_key(own.key_id, 7)
    keys = [await own.store.key(id) for id in all_of_it.ids]
    assert [key and key.revoked_at for key in keys] == [7, 5, 5, 5, 7]
    other = await own.store.key(foreign.key_id)
    assert other is not None
    assert other.revoked_at is None
