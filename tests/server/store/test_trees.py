"""Trees, as every store keeps them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import grow, node_hash
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.store.contract import Branch, Node, Opening, Settlement
from chatloom.server.store.trees import ContextMode, Defaults, Merging
from support.books import COST, USAGE, Books, answered, failed

pytestmark = pytest.mark.anyio


async def assert_sound(own: Books, open_turns: int = 0) -> None:
    health = await own.store.check()
    assert (health.problems, len(health.open_turns)) == ([], open_turns)


def said(opening: Opening, parent: Node | None, *texts: str, answers: int = 1) -> Settlement:
    """A turn's end: *texts* behind *parent*, the last of them said so many times."""
    nodes: list[Node] = []
    for at, text in enumerate(texts[:-1]):
        role = "assistant" if at % 2 else "user"
        nodes += _grow(opening, nodes[-1] if nodes else parent, role, text)
    last = nodes[-1] if nodes else parent
    told = [_grow(opening, last, "assistant", texts[-1])[0] for _ in range(answers)]
    return replace(
        answered(opening), nodes=[*nodes, told[0]], alternatives=told[1:], head_id=told[0].id
    )


def _grow(opening: Opening, parent: Node | None, role: str, text: str) -> list[Node]:
    return grow(
        parent,
        [Message(role, text)],
        conversation_id=opening.conversation_id,
        turn_id=opening.turn_id,
        now=3,
        said_here=True,
    )


async def whole_tree(own: Books, opening: Opening, size: int = 100) -> list[Node]:
    nodes: list[Node] = []
    last: int | None = 0
    while last is not None:
        slice = await own.store.tree_slice(opening.conversation_id, last, size)
        nodes, last = [*nodes, *slice.nodes], slice.last
    return nodes


def a_branch(opening: Opening, at: Node | None, parent: str | None, id: str = "") -> Branch:
    """A branch at a message."""
    return Branch(
        id=id or new_id(),
        conversation_id=opening.conversation_id,
        name="a fork",
        head_id=at.id if at else None,
        parent_branch_id=parent,
        forked_from_id=at.id if at else None,
        is_main=False,
        created_at=1,
        updated_at=1,
    )


@pytest.mark.parametrize("count", [15, 16, 17, 33, 40])
async def test_of_a_long_history_each_message_comes_behind_its_parent(
    own: Books, count: int
) -> None:
    opening = await own.begin(own.opening())
    texts = [f"{number}" for number in range(count)]
    await own.store.settle(said(opening, None, *texts))
    for size in (1, 7, 100):
        nodes = await whole_tree(own, opening, size)
        assert [node.message.text for node in nodes] == texts
    assert await own.store.path_start(nodes[-1], 5) == nodes[:5]


async def test_further_answers_begin_branches_free_of_charge(own: Books) -> None:
    opening = await own.begin(own.opening())
    settlement = said(opening, None, "Question?", "Answer.", answers=3)
    assert await own.store.settle(settlement) == opening.branch_id
    conversation, branches = await own.tree(opening)
    assert [one.name for one in branches] == ["main", "alternative 2", "alternative 3"]
    assert [one.head_id for one in branches[1:]] == [one.id for one in settlement.alternatives]
    assert {one.forked_from_id for one in branches[1:]} == {settlement.nodes[0].id}
    assert [one.cost for one in branches] == [COST, 0, 0]
    assert (conversation.message_count, conversation.branch_count) == (4, 3)
    await assert_sound(own)


async def test_a_question_of_another_branch_can_be_answered_many_times(own: Books) -> None:
    first = await own.talk("First?")
    conversation, (main,) = await own.tree(first)
    question, _ = await own.store.path(main.head_id or "")
    opening = await own.begin(own.opening(conversation, None, question))
    id = await own.store.settle(said(opening, question, "Else.", answers=2))
    _, branches = await own.tree(first)
    assert [one.parent_branch_id for one in branches] == [None, main.id, main.id]
    assert branches[1].id == id
    await assert_sound(own)


async def test_what_is_said_at_once_is_told_on_a_branch_of_its_own(own: Books) -> None:
    first = await own.talk("First?")
    head = await own.head(first)
    openings = [await own.begin(await own.next(first)) for _ in range(2)]
    told = [await own.store.settle(answered(one, head)) for one in openings]
    _, (main, sibling) = await own.tree(first)
    assert told == [main.id, sibling.id]
    turn = await own.store.turn(own.account_id, openings[1].turn_id)
    assert turn is not None
    assert turn.branch_id == sibling.id
    assert (main.cost, sibling.cost) == (2 * COST, COST)


async def test_a_turn_that_grows_nothing_is_charged_where_it_belongs(own: Books) -> None:
    first = await own.talk("First?")
    conversation, (main,) = await own.tree(first)
    head = await own.head(first)
    fork = a_branch(first, head, main.id)
    await own.store.add_branch(fork)
    for branch in (main, fork, None):
        opening = own.opening(conversation, branch, head)
        opening = await own.begin(replace(opening, apart=True))
        id = await own.store.settle(failed(opening, usage=USAGE))
        assert id == (branch.id if branch else "")
    _, branches = await own.tree(first)
    assert [one.cost for one in branches] == [3 * COST, COST]
    await assert_sound(own)


async def test_a_branch_belongs_under_the_one_that_holds_its_message_now(own: Books) -> None:
    first = await own.talk("First?")
    _, (main,) = await own.tree(first)
    await own.store.add_branch(a_branch(first, await own.head(first), "of another time"))
    _, (_, fork) = await own.tree(first)
    assert fork.parent_branch_id == main.id
    await assert_sound(own)


@pytest.mark.parametrize("charged", [False, True])
async def test_a_conversation_changes_while_its_first_turn_runs(own: Books, charged: bool) -> None:
    opening = await own.begin(own.opening())
    id, main = opening.conversation_id, opening.branch_id or ""
    mode: ContextMode = "MINIMAL"
    await own.store.set_defaults(new_id(), id, Defaults(model="another's"), 5)
    await own.store.set_defaults(own.account_id, id, Defaults(model="mine"), 5)
    await own.store.change_branch(
        id, main, name="trunk", description=None, context_mode=mode, active=None, now=5
    )
    settlement = failed(opening, usage=USAGE) if charged else answered(opening)
    assert await own.store.settle(settlement) == main
    conversation, (branch,) = await own.tree(opening)
    assert conversation.defaults == Defaults(model="mine")
    assert (branch.name, branch.context_mode, branch.id) == ("trunk", "MINIMAL", main)
    assert conversation.cost == branch.cost == COST
    await assert_sound(own)


async def test_a_conversation_can_be_deleted_while_its_first_turn_runs(own: Books) -> None:
    opening = await own.begin(own.opening())
    id = opening.conversation_id
    assert not await own.store.delete_conversation(new_id(), id, 5)
    assert await own.store.delete_conversation(own.account_id, id, 5)
    assert not await own.store.delete_conversation(own.account_id, id, 6)
    assert await own.store.conversation(own.account_id, id) is None
    settlement = answered(opening)
    await own.store.settle(settlement)
    assert await own.store.conversation(own.account_id, id) is None
    assert await own.store.node(own.account_id, settlement.head_id or "") is None
    await assert_sound(own)


async def test_what_nothing_that_is_kept_brings_in_is_not_kept(own: Books) -> None:
    first = await own.talk("First?", "Second?")
    conversation, (main,) = await own.tree(first)
    second, head = (await own.store.path(main.head_id or ""))[1::2]
    source, target = a_branch(first, second, main.id), a_branch(first, second, main.id)
    grown: dict[str, list[Node]] = {}
    for branch in (source, target):
        await own.store.add_branch(branch)
        opening = await own.begin(own.opening(conversation, branch, second))
        settlement = answered(opening, second, question=branch.id)
        await own.store.settle(settlement)
        grown[branch.id] = settlement.nodes
    brought, last = grown[source.id], grown[target.id][-1]
    merged = _merge_of(own, first, source, target, last, brought)
    assert await own.store.merge(merged)
    assert merged.node is not None
    await own.store.add_branch(a_branch(first, last, target.id))
    await own.store.delete_branch(conversation.id, source.id, 9)
    assert brought[-1].id in {node.id for node in await whole_tree(own, first)}
    await own.store.delete_branch(conversation.id, target.id, 9)
    kept = {node.id for node in await whole_tree(own, first)}
    assert {head.id, last.id} <= kept
    assert kept.isdisjoint({merged.node.id, *(node.id for node in brought)})
    await assert_sound(own)


def _merge_of(
    own: Books, opening: Opening, source: Branch, target: Branch, last: Node, brought: list[Node]
) -> Merging:
    message = Message("system", "Merged.", name="merge")
    node = Node(
        id=new_id(),
        conversation_id=opening.conversation_id,
        parent_id=last.id,
        depth=last.depth + 1,
        message=message,
        hash=node_hash(message, [one.hash for one in (last, brought[-1], *brought)]),
        turn_id=None,
        tokens=None,
        created_at=milliseconds(),
        answered=True,
    )
    return Merging(
        conversation_id=opening.conversation_id,
        account_id=own.account_id,
        source_id=source.id,
        source_head_id=brought[-1].id,
        target_id=target.id,
        target_head_id=last.id,
        node=node,
        others=[brought[-1].id, *(one.id for one in brought)],
        now=9,
    )


async def test_a_merge_of_what_has_moved_changes_nothing(own: Books) -> None:
    first = await own.talk("First?")
    conversation, (main,) = await own.tree(first)
    head = await own.head(first)
    source = a_branch(first, head, main.id)
    await own.store.add_branch(source)
    opening = await own.begin(own.opening(conversation, source, head))
    settlement = answered(opening, head)
    await own.store.settle(settlement)
    merging = _merge_of(own, first, source, main, head, settlement.nodes)
    taken_over = replace(merging, node=None, others=[])
    before = await own.tree(first)
    for moved in (
        replace(merging, target_head_id=source.id),
        replace(merging, source_head_id=head.id),
        replace(merging, target_id=new_id()),
        replace(taken_over, target_head_id=None),
    ):
        assert not await own.store.merge(moved)
        assert await own.tree(first) == before
    assert await own.store.merge(taken_over)
    assert not await own.store.merge(taken_over)
    _, (main, source) = await own.tree(first)
    assert (main.head_id, main.cost, source.cost) == (settlement.head_id, 2 * COST, 0)
    await assert_sound(own)


async def test_nothing_is_left_of_a_deleted_message_but_its_place(own: Books) -> None:
    opening = await own.talk("First?")
    head = await own.head(opening)
    await own.store.index_words()
    assert await own.store.delete_message(own.account_id, head.id, 9)
    assert not await own.store.delete_message(own.account_id, head.id, 9)
    assert not await own.store.delete_message(new_id(), head.parent_id or "", 9)
    left = await own.store.node(own.account_id, head.id)
    assert left == replace(head, message=Message(), deleted_at=9)
    assert await own.store.replay(opening.turn_id) is None
    assert await own.store.find_node(own.account_id, None, None, head.hash) is None
    assert (await own.tree(opening))[0].message_count == 1
    await assert_sound(own)


async def test_a_deleted_summary_is_not_told_again_by_its_turn(own: Books) -> None:
    first = await own.talk("First?")
    conversation, (main,) = await own.tree(first)
    head = await own.head(first)
    source = a_branch(first, head, main.id)
    await own.store.add_branch(source)
    opening = await own.begin(own.opening(conversation, source, head))
    brought = answered(opening, head)
    await own.store.settle(brought)
    summing = await own.begin(replace(own.opening(conversation, main, head), apart=True))
    await own.store.settle(replace(failed(summing, usage=USAGE), deltas=b'[["t","In short."]]'))
    merging = _merge_of(own, first, source, main, head, brought.nodes)
    assert merging.node is not None
    node = replace(merging.node, turn_id=summing.turn_id)
    assert await own.store.merge(replace(merging, node=node))
    assert await own.store.replay(summing.turn_id) is not None
    await own.store.delete_message(own.account_id, node.id, 9)
    assert await own.store.replay(summing.turn_id) is None
    await assert_sound(own)


async def test_only_one_who_may_be_is_deleted(own: Books) -> None:
    first = await own.talk("First?")
    _, (main,) = await own.tree(first)
    fork = a_branch(first, await own.head(first), main.id)
    await own.store.add_branch(fork)
    conversation_id = first.conversation_id
    assert not await own.store.delete_branch(conversation_id, main.id, 9)
    assert not await own.store.delete_branch(new_id(), fork.id, 9)
    assert await own.store.delete_branch(conversation_id, fork.id, 9)
    assert not await own.store.delete_branch(conversation_id, fork.id, 9)
    conversation, branches = await own.tree(first)
    assert (conversation.branch_count, [one.id for one in branches]) == (1, [main.id])
    deleted = await own.store.branch(conversation_id, fork.id)
    assert deleted is not None
    assert deleted.deleted_at == 9
    await assert_sound(own)


async def test_another_account_sees_nothing_of_a_tree(own: Books, foreign: Books) -> None:
    first = await own.talk("First?")
    head = await own.head(first)
    store, other = own.store, foreign.account_id
    await store.index_words()
    assert await store.nodes(other, [head.id]) == []
    assert not await store.delete_conversation(other, first.conversation_id, 9)
    for account, count in ((other, 0), (own.account_id, 1)):
        found = await store.search(
            account, "First", end_user=None, conversation_id=None, before=None, limit=9
        )
        assert len(found) == count
    assert (
        await store.search(
            other,
            "First",
            end_user=None,
            conversation_id=first.conversation_id,
            before=None,
            limit=9,
        )
        == []
    )
