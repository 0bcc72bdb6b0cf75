"""The store's contract, kept by every backend."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from chatloom.server.chat.tree import path_hashes
from chatloom.server.ids import new_id
from chatloom.server.models.driver import Price, Usage
from chatloom.server.store.contract import Opening, Store
from chatloom.server.store.keys import ApiSecret
from support.books import COST, RESERVED, USAGE, Books, add_key, answered, failed

pytestmark = pytest.mark.anyio


async def assert_sound(store: Store, open_turns: int = 0) -> None:
    health = await store.check()
    assert health.problems == []
    assert len(health.open_turns) == open_turns


async def test_an_opened_turn_is_there_and_reserves(own: Books) -> None:
    opening = await own.begin(own.opening())
    turn = await own.store.turn(own.account_id, opening.turn_id)
    assert turn is not None
    assert (turn.outcome, turn.cost, turn.usage, turn.reserved) == (None, None, None, RESERVED)
    conversation, (main,) = await own.tree(opening)
    assert (main.name, main.head_id, main.is_main) == ("main", None, True)
    assert (conversation.message_count, conversation.listed) == (0, False)
    await assert_sound(own.store, open_turns=1)


async def test_a_settled_turn_is_told_as_it_ended(own: Books) -> None:
    opening = await own.begin(own.opening())
    await own.store.append(opening.turn_id, 1, b"[]")
    settlement = answered(opening)
    assert await own.store.settle(settlement) is not None
    turn = await own.store.turn(own.account_id, opening.turn_id)
    assert turn is not None
    assert (turn.outcome, turn.cost, turn.usage) == ("complete", COST, USAGE)
    assert (turn.message_id, turn.served_model) == (settlement.head_id, "script-1")
    assert turn.ended_at == settlement.ended_at
    await assert_sound(own.store)


async def test_a_settled_turn_grows_its_conversation(own: Books) -> None:
    opening = await own.talk("First?", "Second?", end_user="customer")
    conversation, (main,) = await own.tree(opening)
    assert (conversation.message_count, conversation.cost) == (4, 2 * COST)
    assert (conversation.tokens_in, conversation.tokens_out) == (20, 4)
    assert (conversation.title, conversation.end_user) == ("A title", "customer")
    assert conversation.listed
    path = await own.store.path(main.head_id or "")
    assert [node.message.text for node in path] == ["First?", "Good day.", "Second?", "Good day."]
    assert [node.depth for node in path] == [1, 2, 3, 4]
    assert [node.hash for node in path] == path_hashes(node.message for node in path)


async def test_settling_twice_is_settling_once(own: Books) -> None:
    opening = await own.begin(own.opening())
    first, second = answered(opening), answered(opening, answer="Something else.")
    assert await own.store.settle(first) is not None
    assert await own.store.settle(second) is None
    assert await own.store.settle(failed(opening)) is None
    conversation, (main,) = await own.tree(opening)
    assert (conversation.message_count, conversation.cost) == (2, COST)
    assert main.head_id == first.head_id
    await assert_sound(own.store)


async def test_settling_twice_at_once_is_settling_once(own: Books) -> None:
    opening = await own.begin(own.opening())
    settlements = [answered(opening, answer=f"Answer {number}.") for number in range(5)]
    done = await asyncio.gather(*map(own.store.settle, settlements))
    assert sorted(done, key=str) == [opening.branch_id, None, None, None, None]
    conversation, _ = await own.tree(opening)
    assert (conversation.message_count, conversation.cost) == (2, COST)
    await assert_sound(own.store)


@pytest.mark.parametrize("charged", [False, True])
async def test_a_failed_first_turn_leaves_no_empty_conversation(own: Books, charged: bool) -> None:
    opening = await own.begin(own.opening())
    await own.store.settle(failed(opening, usage=USAGE if charged else None))
    assert await own.store.conversation(own.account_id, opening.conversation_id) is None
    assert await own.store.branches(opening.conversation_id) == []
    turn = await own.store.turn(own.account_id, opening.turn_id)
    assert turn is not None
    assert (turn.outcome, turn.cost) == ("provider_error", COST if charged else 0)
    await assert_sound(own.store)


async def test_a_failed_later_turn_leaves_the_tree_and_may_be_charged(own: Books) -> None:
    first = await own.talk("First?")
    before = await own.tree(first)
    opening = await own.begin(await own.next(first))
    await own.store.settle(failed(opening, "cancelled", usage=USAGE))
    conversation, (main,) = await own.tree(first)
    assert conversation.message_count == before[0].message_count
    assert conversation.cost == before[0].cost + COST
    assert (main.head_id, main.cost) == (before[1][0].head_id, conversation.cost)
    assert (main.tokens_in, main.tokens_out) == (conversation.tokens_in, conversation.tokens_out)
    await assert_sound(own.store)


async def test_turns_that_grow_one_branch_at_once_are_all_kept(own: Books) -> None:
    first = await own.talk("First?")
    head = await own.head(first)
    openings = [await own.begin(await own.next(first)) for _ in range(3)]
    await asyncio.gather(
        *(
            own.store.settle(answered(opening, head, question=f"Question {number}?"))
            for number, opening in enumerate(openings)
        )
    )
    conversation, branches = await own.tree(first)
    assert conversation.message_count == 2 + 3 * 2
    assert [branch.name for branch in branches] == ["main", "branch 2", "branch 3"]
    assert {branch.forked_from_id for branch in branches[1:]} == {head.id}
    heads = [await own.store.path(branch.head_id or "") for branch in branches]
    assert {path[2].message.text for path in heads} == {f"Question {n}?" for n in range(3)}
    await assert_sound(own.store)


async def test_first_turns_that_share_an_empty_conversation_outlive_each_other(own: Books) -> None:
    first = await own.begin(own.opening())
    second = await own.begin(await _beside(own, first.conversation_id))
    await own.store.settle(failed(first))
    await own.store.settle(answered(second))
    conversation, (main,) = await own.tree(second)
    assert conversation.message_count == 2
    assert main.head_id is not None
    await assert_sound(own.store)


async def test_an_empty_conversation_goes_with_the_last_of_its_failed_turns(own: Books) -> None:
    first = await own.begin(own.opening())
    second = await own.begin(await _beside(own, first.conversation_id))
    await own.store.settle(failed(first))
    assert await own.store.conversation(own.account_id, first.conversation_id) is not None
    await own.store.settle(failed(second))
    assert await own.store.conversation(own.account_id, first.conversation_id) is None
    await assert_sound(own.store)


async def test_an_empty_conversation_is_charged_for_what_failed_before_it_had_anything(
    own: Books,
) -> None:
    first = await own.begin(own.opening())
    second = await _beside(own, first.conversation_id)  # about to begin
    await own.store.settle(failed(first, usage=USAGE))
    await own.begin(second)
    assert await own.store.settle(answered(second)) == first.branch_id
    conversation, (main,) = await own.tree(second)
    assert (conversation.cost, conversation.tokens_in) == (2 * COST, 20)
    assert (main.cost, main.tokens_in) == (2 * COST, 20)
    await assert_sound(own.store)


async def _beside(own: Books, conversation_id: str) -> Opening:
    conversation = await own.store.conversation(own.account_id, conversation_id)
    (main,) = await own.store.branches(conversation_id)
    return own.opening(conversation, main)


async def test_a_conversation_is_changed_before_its_first_turn_is_settled(own: Books) -> None:
    opening = await own.begin(own.opening(end_user="customer"))
    others = [await own.begin(own.opening()) for _ in range(3)]

    async def change(account: str, **wanted: bool | str) -> None:
        fields: dict[str, Any] = {"archived": None, "title": None, "metadata": None, **wanted}
        await own.store.change_conversation(account, opening.conversation_id, **fields, now=9)

    await change(new_id(), title="Somebody else's")
    await change(own.account_id, title="Mine", archived=True)
    together = (own.store.settle(answered(one)) for one in (*others, opening))
    branch_ids = [one.branch_id for one in (*others, opening)]
    assert await asyncio.gather(*together) == branch_ids
    conversation, branches = await own.tree(opening)
    assert (conversation.title, conversation.archived) == ("Mine", True)
    assert (conversation.listed, conversation.message_count, len(branches)) == (True, 2, 1)
    await assert_sound(own.store)


async def test_another_account_sees_nothing(own: Books, foreign: Books) -> None:
    opening = await own.talk("First?")
    head = await own.head(opening)
    store, other = own.store, foreign.account_id
    assert await store.turn(other, opening.turn_id) is None
    assert await store.conversation(other, opening.conversation_id) is None
    assert await store.node(other, head.id) is None
    assert await store.find_node(other, None, None, head.hash) is None
    assert await store.find_node(other, opening.conversation_id, None, head.hash) is None


async def test_a_node_is_found_by_what_led_to_it(own: Books) -> None:
    older, newer = await own.talk("Same?"), await own.talk("Same?")
    theirs = await own.talk("Same?", end_user="customer")
    hash = (await own.head(older)).hash
    find, account = own.store.find_node, own.account_id

    async def found(conversation_id: str | None, end_user: str | None) -> str | None:
        node = await find(account, conversation_id, end_user, hash)
        return node.conversation_id if node else None

    assert await found(None, None) == newer.conversation_id
    assert await found(None, "customer") == theirs.conversation_id
    assert await found(None, "nobody") is None
    assert await found(older.conversation_id, None) == older.conversation_id
    assert await found(older.conversation_id, "nobody") == older.conversation_id
    assert await find(account, None, None, b"\0" * 32) is None


async def test_a_branch_is_found_by_its_head(own: Books) -> None:
    opening = await own.talk("First?")
    conversation, (main,) = await own.tree(opening)
    assert await own.store.branch_at(conversation.id, main.head_id) == main
    assert await own.store.branch_at(conversation.id, new_id()) is None
    assert await own.store.branch_at(conversation.id, None) is None


async def test_a_path_nobody_knows_is_empty(own: Books) -> None:
    assert await own.store.path(new_id()) == []


async def test_a_long_path_is_read_whole(own: Books) -> None:
    opening = await own.begin(own.opening())
    await own.store.settle(answered(opening))
    head = await own.head(opening)
    for number in range(300):
        opening = await own.begin(await own.next(opening))
        settlement = answered(opening, head, question=f"Question {number}?")
        await own.store.settle(settlement)
        head = settlement.nodes[-1]
    path = await own.store.path(head.id)
    assert [node.depth for node in path] == list(range(1, 603))


async def test_a_key_is_found_by_its_secret(own: Books) -> None:
    key = await add_key(own.store, own.account_id, b"digest")
    assert await own.store.find_key(b"digest") == key
    assert await own.store.find_key(b"another") is None
    assert [one.id for one in await own.store.keys(own.account_id)] == [key.id, own.key_id]
    assert await own.store.keys(new_id()) == []


async def test_a_revoked_key_is_found_and_says_so(own: Books) -> None:
    await add_key(own.store, own.account_id, b"digest")
    key = await own.store.find_key(b"digest")
    assert key is not None
    assert await own.store.revoke_key(key.id, 7) is True
    assert await own.store.revoke_key(key.id, 8) is False
    assert await own.store.revoke_key(new_id(), 8) is False
    revoked = await own.store.find_key(b"digest")
    assert revoked is not None
    assert revoked.revoked_at == 7


async def test_a_rotated_key_has_two_secrets_for_a_while(own: Books) -> None:
    key = await add_key(own.store, own.account_id, b"old")
    secret = ApiSecret(key_id=key.id, digest=b"new", hint="loom_new", created_at=9)
    await own.store.rotate_key(secret, 50)
    old, new = await own.store.find_key(b"old"), await own.store.find_key(b"new")
    assert old is not None
    assert new is not None
    assert (old.id, old.secret_expires_at) == (key.id, 50)
    assert (new.id, new.secret_expires_at, new.hint) == (key.id, None, "loom_new")


async def test_a_later_rotation_never_prolongs_an_older_secret(own: Books) -> None:
    key = await add_key(own.store, own.account_id, b"old")
    for number, expires in enumerate((50, 90)):
        secret = ApiSecret(key_id=key.id, digest=b"new %d" % number, hint="loom_new", created_at=9)
        await own.store.rotate_key(secret, expires)
    old = await own.store.find_key(b"old")
    assert old is not None
    assert old.secret_expires_at == 50


async def test_a_keys_last_use_never_goes_back(own: Books) -> None:
    await own.store.touch_keys([(own.key_id, 9)])
    await own.store.touch_keys([(own.key_id, 5)])
    key = await own.store.key(own.key_id)
    assert key is not None
    assert key.last_used_at == 9


async def test_one_failing_write_harms_no_other(own: Books) -> None:
    good = [own.opening() for _ in range(20)]
    bad = own.opening(key_id=new_id())
    writes = [own.store.open_turn(opening) for opening in [*good[:10], bad, *good[10:]]]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [at for at, one in enumerate(results) if isinstance(one, Exception)] == [10]
    await asyncio.gather(*(own.store.settle(answered(opening)) for opening in good))
    assert await own.store.turn(own.account_id, bad.turn_id) is None
    await assert_sound(own.store)


async def test_a_new_price_does_not_change_the_past(own: Books) -> None:
    costs: list[int | None] = []
    openings = [own.opening(price=Price(prompt=1, completion=rate)) for rate in (1, 1000, 1)]
    for opening in openings:
        await own.store.settle(answered(await own.begin(opening)))
    for opening in openings:
        turn = await own.store.turn(own.account_id, opening.turn_id)
        costs.append(turn.cost if turn else None)
    assert costs == [12, 2010, 12]
    await assert_sound(own.store)


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_books_balance_after_whatever_happened(own: Books, seed: int) -> None:
    chance = Random(seed)
    trunk = await own.talk("First?")
    slots = asyncio.Semaphore(16)

    async def take_a_turn() -> int:
        async with slots:
            user = chance.choice([None, "one", "two"])
            opening = own.opening(end_user=user)
            if chance.random() < 0.5:
                opening = await own.next(trunk, end_user=user)
            await own.begin(opening)
            if chance.random() < 0.02:
                return 0  # left open
            usage = Usage(chance.randrange(99), chance.randrange(99), estimated=True)
            parent = await own.store.node(own.account_id, opening.parent_id or "")
            settlement = chance.choice(
                [
                    answered(opening, parent, usage=usage),
                    answered(opening, parent, usage=usage, outcome="truncated"),
                    failed(opening),
                    failed(opening, "cancelled", usage=usage),
                ]
            )
            await asyncio.gather(own.store.settle(settlement), own.store.settle(failed(opening)))
            return settlement.cost

    spent = sum(await asyncio.gather(*(take_a_turn() for _ in range(300))))
    health = await own.store.check()
    assert health.problems == []
    assert (health.checked["turns"], spent > 0) == (301, True)


async def test_what_is_left_open_is_listed(own: Books) -> None:
    openings = [await own.begin(own.opening()) for _ in range(3)]
    await own.store.settle(failed(openings[1]))
    health = await own.store.check()
    assert health.open_turns == sorted([openings[0].turn_id, openings[2].turn_id])
