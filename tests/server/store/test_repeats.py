"""What the store keeps for those who ask again: keys, replays, and turns a crash left open."""

from __future__ import annotations

import asyncio

import pytest

from chatloom.server.ids import milliseconds, new_id
from chatloom.server.store.contract import KeyTaken, Repetition
from support.books import PRICE, USAGE, Books, answered, failed

pytestmark = pytest.mark.anyio

REPEATED = Repetition(b"k" * 32, b"b" * 32)
LATER = milliseconds() + 10**9


async def test_a_key_finds_the_turn_it_began(own: Books, foreign: Books) -> None:
    opening = await own.begin(own.opening(repetition=REPEATED))
    found = await own.store.turn_of_key(own.account_id, REPEATED.key_digest)
    assert found is not None
    assert (found.id, found.body_digest, found.told_as) == (opening.turn_id, b"b" * 32, "a test")
    assert await own.store.turn_of_key(own.account_id, b"x" * 32) is None
    assert await own.store.turn_of_key(foreign.account_id, REPEATED.key_digest) is None
    await foreign.begin(foreign.opening(repetition=REPEATED))


async def test_of_turns_with_one_key_one_begins(own: Books) -> None:
    openings = [own.opening(repetition=REPEATED) for _ in range(5)]
    others = [own.opening() for _ in range(5)]
    begun = (own.store.open_turn(opening) for opening in [*openings, *others])
    became = await asyncio.gather(*begun, return_exceptions=True)
    assert [type(one) for one in became] == [int, *[KeyTaken] * 4, *[int] * 5]
    assert len((await own.store.check()).open_turns) == 6


@pytest.mark.parametrize("freed", [True, False])
async def test_a_key_is_free_again_where_the_turns_end_says_so(own: Books, freed: bool) -> None:
    opening = await own.begin(own.opening(repetition=REPEATED))
    await own.store.settle(failed(opening, usage=None if freed else USAGE))
    found = await own.store.turn_of_key(own.account_id, REPEATED.key_digest)
    assert (found is None) is freed
    if freed:
        turn = await own.store.turn(own.account_id, opening.turn_id)
        assert turn is not None
        assert turn.body_digest is None
        await own.begin(own.opening(repetition=REPEATED))


async def test_what_was_said_is_kept_for_replay_and_forgotten_with_its_key(own: Books) -> None:
    opening = await own.begin(own.opening(repetition=REPEATED))
    settlement = answered(opening)
    assert await own.store.replay(opening.turn_id) is None
    await own.store.settle(settlement)
    assert await own.store.forget_replays(milliseconds()) == 0
    assert await own.store.replay(opening.turn_id) == settlement.deltas
    assert await own.store.forget_replays(LATER) == 1
    assert await own.store.replay(opening.turn_id) is None
    assert await own.store.turn_of_key(own.account_id, REPEATED.key_digest) is None
    assert (await own.store.check()).problems == []


async def test_a_turn_that_said_nothing_is_told_from_one_forgotten(own: Books) -> None:
    opening = await own.begin(own.opening())
    await own.store.settle(failed(opening))
    assert await own.store.replay(opening.turn_id) == b"[]"


async def test_many_replays_are_forgotten_piece_by_piece(own: Books) -> None:
    openings = [own.opening(repetition=Repetition(new_id().encode(), b"b")) for _ in range(1100)]
    await asyncio.gather(*map(own.begin, openings))
    await asyncio.gather(*(own.store.settle(answered(opening)) for opening in openings))
    assert await own.store.forget_replays(LATER) == 1100
    turns = [await own.store.turn(own.account_id, opening.turn_id) for opening in openings]
    assert {turn and turn.body_digest for turn in turns} == {None}


async def test_an_open_turn_is_found_as_it_was_begun(own: Books) -> None:
    opening = own.opening(end_user="customer", repetition=REPEATED, unread="run")
    price_id = await own.store.open_turn(opening)
    for last, deltas in ((10, b"[3]"), (2, b"[1]"), (9, b"[2]")):
        await own.store.append(opening.turn_id, last, deltas)
    (left,) = await own.store.open_turns()
    assert left.opening == opening
    assert (left.price_id, left.deltas) == (price_id, [b"[1]", b"[2]", b"[3]"])


async def test_a_later_open_turn_is_found_as_it_was_begun(own: Books) -> None:
    opening = await own.next(await own.talk("First?"))
    opening = await own.begin(opening)
    await own.begin(own.opening(price=None))
    first, second = await own.store.open_turns()
    assert (first.opening.branch_id, first.opening.parent_id) == (
        opening.branch_id,
        opening.parent_id,
    )
    assert not first.opening.starts_conversation
    assert (first.opening.price, second.opening.price, second.price_id) == (PRICE, None, None)


async def test_a_found_turn_can_be_settled_and_is_open_no_more(own: Books) -> None:
    await own.begin(own.opening(end_user="customer"))
    (left,) = await own.store.open_turns()
    await own.store.settle(answered(left.opening, price_id=left.price_id, outcome="truncated"))
    conversation, (main,) = await own.tree(left.opening)
    assert (conversation.metadata, conversation.end_user) == ({"made": "by a test"}, "customer")
    assert (main.name, main.is_main) == ("main", True)
    assert await own.store.open_turns() == []
    assert (await own.store.check()).problems == []


async def test_a_conversation_outlives_a_charged_first_turn_while_another_goes_on(
    own: Books,
) -> None:
    first = await own.begin(own.opening())
    conversation, (main,) = await own.tree(first)
    second = await own.begin(own.opening(conversation, main))
    await own.store.settle(failed(first, usage=USAGE))
    await own.store.settle(answered(second))
    conversation, branches = await own.tree(second)
    assert (conversation.message_count, [one.name for one in branches]) == (2, ["main"])
    assert (await own.store.check()).problems == []
