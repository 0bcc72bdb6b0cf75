"""Merges that make sense, and those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from chatloom.server.chat import merging
from chatloom.server.chat.merging import Summary
from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import node_hash
from chatloom.server.ids import new_id
from chatloom.server.refusal import Refusal
from chatloom.server.store.contract import Branch, Node
from support.house import PRICE
from support.plots import Plot, a_plot

pytestmark = pytest.mark.anyio

COST = 10 * PRICE.prompt + 2 * PRICE.completion


@pytest.fixture
async def plot() -> AsyncIterator[Plot]:
    async with a_plot("a", "b") as plot:
        yield plot


async def parted(plot: Plot, *said: str) -> Branch:
    """A branch on which *said* is said, while the main branch goes on."""
    fork = await plot.fork()
    for text in said or ("else",):
        await plot.say(text, fork)
    await plot.say("more")
    return await plot.branch(fork.id)


async def refusal(plot: Plot, source: Branch, target: Branch | None = None) -> str:
    """Why a merge is refused."""
    with pytest.raises(Refusal) as refused:
        await plot.merge(source, target)
    return refused.value.code


async def test_a_target_that_stood_still_takes_over_what_was_said(plot: Plot) -> None:
    fork = await plot.fork()
    last = await plot.say("else", fork)
    further = await plot.fork(last.id)
    done = await plot.merge(fork)
    main, fork = await plot.main(), await plot.branch(fork.id)
    assert (done.node, done.repeated, len(done.brought)) == (None, False, 2)
    assert main.head_id == fork.head_id == fork.forked_from_id == last.id
    assert (main.cost, fork.cost, main.tokens_in, fork.tokens_out) == (3 * COST, 0, 30, 0)
    assert (await plot.branch(further.id)).parent_branch_id == main.id
    assert await plot.said(main) == ["a", "a!", "b", "b!", "else", "else!"]
    again = await plot.merge(fork)
    assert (again.node, again.repeated) == (None, True)
    await plot.assert_sound()


async def test_a_target_that_went_on_gains_a_node_with_two_parents(plot: Plot) -> None:
    fork = await parted(plot)
    before = await plot.main()
    done = await plot.merge(fork)
    main, own = await plot.main(), (await plot.path(fork))[4:]
    assert done.node is not None
    node = await plot.node(done.node.id)
    assert main.head_id == node.id
    assert (node.parent_id, node.branch_id) == (before.head_id, main.id)
    assert await plot.store.others(plot.id, node.id) == [fork.head_id, *(one.id for one in own)]
    parents = [await plot.node(id) for id in (before.head_id or "", fork.head_id or "")]
    assert node.hash == node_hash(node.message, [one.hash for one in (*parents, *own)])
    assert (main.cost, fork.cost) == (3 * COST, COST)
    again = await plot.merge(fork)
    assert (again.node, again.repeated, again.brought) == (node, True, done.brought)
    await plot.assert_sound()


async def test_a_branch_that_goes_on_merges_only_what_is_new(plot: Plot) -> None:
    fork = await parted(plot)
    await plot.merge(fork)
    await plot.say("new", fork)
    done = await plot.merge(fork)
    assert [(await plot.node(id)).message.text for id in done.brought] == ["new", "new!"]
    await plot.assert_sound()


async def test_what_was_merged_is_not_merged_again_after_another_merge(plot: Plot) -> None:
    fork, other = await parted(plot), await plot.fork()
    await plot.say("other", other)
    first = await plot.merge(fork)
    await plot.merge(fork, other)
    again = await plot.merge(fork, await plot.main())
    assert (again.repeated, again.node) == (True, first.node)
    told = (await plot.told(await plot.main()))[0]
    assert told.count("else") == 1
    await plot.assert_sound()


async def test_what_came_from_a_branch_is_not_brought_back_to_it(plot: Plot) -> None:
    fork, other = await parted(plot), await plot.fork()
    await plot.say("other", other)
    await plot.merge(fork, other)
    done = await plot.merge(other, fork)
    texts = [(await plot.node(id)).message.text for id in done.brought]
    assert texts == ["more", "more!", "other", "other!"]
    assert (await plot.merge(fork, other)).repeated
    assert (await plot.told(fork))[0].count("else") == 1
    await plot.assert_sound()


async def test_messages_can_be_picked_one_after_the_other(plot: Plot) -> None:
    fork = await parted(plot, "first", "second")
    own = (await plot.path(fork))[4:]
    second = await plot.merge(fork, strategy="pick", picked=[own[2].id])
    assert list(second.brought) == [own[2].id, own[3].id]  # a question's answer comes with it
    first = await plot.merge(fork, strategy="pick", picked=[own[1].id])
    assert list(first.brought) == [own[0].id, own[1].id]
    again = await plot.merge(fork, strategy="pick", picked=[own[3].id])
    assert (again.repeated, again.node, again.brought) == (True, second.node, second.brought)
    assert (await plot.merge(fork)).repeated
    await plot.assert_sound()


async def test_what_was_not_picked_can_be_merged_later(plot: Plot) -> None:
    fork = await parted(plot, "first", "second")
    own = [node.id for node in (await plot.path(fork))[4:]]
    await plot.merge(fork, strategy="pick", picked=[own[0]])
    done = await plot.merge(fork)
    assert (done.repeated, list(done.brought)) == (False, own[2:])


async def test_a_tools_result_is_picked_with_its_call(plot: Plot) -> None:
    fork = await plot.fork()
    await plot.say("look", fork, call="1")
    await plot.say(Message("tool", "found", tool_call_id="1"), fork)
    await plot.say("else", fork)
    await plot.say("more")
    own = [node.id for node in (await plot.path(fork))[4:]]
    done = await plot.merge(fork, strategy="pick", picked=[own[2]])
    assert list(done.brought) == own[:4]


async def test_what_an_edit_took_back_can_be_merged_again(plot: Plot) -> None:
    fork = await parted(plot)
    done = await plot.merge(fork)
    assert done.node is not None
    before_it = await plot.node(done.node.parent_id or "")
    await plot.edit(before_it, "Something else.")
    assert "else" not in (await plot.told(await plot.main()))[0]
    again = await plot.merge(fork, await plot.main())
    assert (again.repeated, again.brought) == (False, done.brought)
    assert "else" in (await plot.told(await plot.main()))[0]
    await plot.assert_sound()


async def test_what_was_taken_over_and_then_said_otherwise_can_be_merged(plot: Plot) -> None:
    fork = await plot.fork()
    await plot.say("else", fork)
    await plot.merge(fork)
    own = (await plot.path(fork))[4:]
    await plot.edit(own[0], "otherwise")
    done = await plot.merge(fork, await plot.main())
    assert list(done.brought) == [node.id for node in own]
    await plot.assert_sound()


async def test_a_merge_brings_in_what_another_merge_did_and_not_its_note(plot: Plot) -> None:
    fork, other = await parted(plot), await plot.fork()
    await plot.say("other", other)
    await plot.say("even more")
    await plot.merge(fork, other)
    done = await plot.merge(other)
    texts = [(await plot.node(id)).message.text for id in done.brought]
    assert texts == ["other", "other!", "else", "else!"]


async def test_a_summary_stands_for_what_it_sums_up(plot: Plot) -> None:
    fork = await parted(plot)
    own = [node.id for node in (await plot.path(fork))[4:]]
    asked: list[str] = []

    async def summarize(source: Branch, target: Branch, nodes: Sequence[Node]) -> Summary:
        assert (source.id, target.is_main) == (fork.id, True)
        asked.extend(node.id for node in nodes)
        return Summary("In short: else.", "turn", 4)

    done = await plot.merge(fork, strategy="summarize", summarize=summarize)
    assert asked == list(done.brought) == own
    assert done.node is not None
    assert (done.node.tokens, done.node.turn_id) == (4, "turn")
    assert (await plot.merge(fork)).repeated
    assert await refusal(plot, fork, fork) == "same_branch"
    await plot.assert_sound()


async def test_a_summary_covers_nothing_that_was_said_while_it_was_made(plot: Plot) -> None:
    fork = await parted(plot)
    own = [node.id for node in (await plot.path(fork))[4:]]
    calls = 0

    async def summarize(_: Branch, __: Branch, ___: Sequence[Node]) -> Summary:
        nonlocal calls
        calls += 1
        await plot.say("late", fork)
        return Summary("In short: else.", "turn", 4)

    done = await plot.merge(fork, strategy="summarize", summarize=summarize)
    assert (calls, list(done.brought)) == (1, own)
    late = await plot.merge(fork)
    assert [(await plot.node(id)).message.text for id in late.brought] == ["late", "late!"]
    await plot.assert_sound()


async def test_a_branch_is_taken_over_by_one_of_two_that_want_it_at_once(tmp_path: Path) -> None:
    async with a_plot("a", path=tmp_path) as plot:
        fork, other = await plot.fork(), await plot.fork()
        await plot.say("else", fork)
        done = await asyncio.gather(
            *(plot.merge(fork, target) for target in (await plot.main(), other))
        )
        assert sorted(one.node is None for one in done) == [False, True]
        for branch in (await plot.main(), other):
            assert (await plot.told(branch))[0] == ["a", "a!", "else", "else!"]
        await plot.assert_sound()


async def test_a_turn_that_runs_meanwhile_goes_on_from_where_it_began(plot: Plot) -> None:
    fork = await parted(plot)
    gate = asyncio.Event()
    plot.house.driver.steps = [gate, *plot.house.driver.steps]
    turn = await plot.house.begun(plot.house.ask(Message("user", "slow"), conversation_id=plot.id))
    before = await plot.main()
    await asyncio.sleep(0)
    await plot.merge(fork)
    gate.set()
    await turn.ended()
    (sibling,) = [one for one in await plot.store.branches(plot.id) if one.id == turn.branch_id]
    assert (sibling.is_main, sibling.forked_from_id) == (False, before.head_id)
    await plot.assert_sound()


async def test_a_merge_that_makes_no_sense_says_why(plot: Plot) -> None:
    fork = await parted(plot)
    main, inner = await plot.main(), await plot.fork(fork.head_id)
    await plot.say("inner", inner)
    gone, idle, empty = await plot.fork(), await plot.fork(), await plot.fork()
    await plot.drop(gone)
    idle = await plot.change(idle, active=False)
    before = [await plot.branch(one.id) for one in (main, fork, inner, gone, idle, empty)]
    assert [
        await refusal(plot, main),
        await refusal(plot, main, main),
        await refusal(plot, fork, fork),
        await refusal(plot, main, fork),
        await refusal(plot, fork, inner),
        await refusal(plot, gone, main),
        await refusal(plot, fork, gone),
        await refusal(plot, fork, idle),
        await refusal(plot, empty),
    ] == [
        "main_branch",
        "same_branch",
        "same_branch",
        "ancestor",
        "ancestor",
        "branch_deleted",
        "branch_deleted",
        "branch_inactive",
        "nothing_to_merge",
    ]
    assert before == [await plot.branch(one.id) for one in before]
    assert (await plot.conversation()).message_count == 10
    await plot.assert_sound()


async def test_a_merge_into_a_parent_that_is_deleted_asks_for_another(plot: Plot) -> None:
    fork = await parted(plot)
    inner = await plot.fork(fork.head_id)
    await plot.say("inner", inner)
    await plot.drop(fork)
    assert await refusal(plot, inner) == "branch_deleted"
    done = await plot.merge(inner, await plot.main())
    assert len(done.brought) == 4
    await plot.assert_sound()


async def test_only_what_is_there_can_be_merged(plot: Plot) -> None:
    fork = await parted(plot)
    ghost = new_id()
    for source, target in ((ghost, None), (fork.id, ghost)):
        with pytest.raises(Refusal, match="not found"):
            await merging.merge(
                plot.store,
                await plot.conversation(),
                source,
                target_id=target,
                strategy="append",
                picked=None,
                summarize=_never,
            )


async def _never(_: Branch, __: Branch, ___: Sequence[Node]) -> Summary:
    raise AssertionError("nothing is to be summed up")


async def test_only_what_the_target_has_not_can_be_picked(plot: Plot) -> None:
    fork = await parted(plot)
    path = [node.id for node in await plot.path(fork)]
    for picked in ([path[0]], [new_id()], [path[4], path[0]], []):
        with pytest.raises(Refusal) as refused:
            await plot.merge(fork, strategy="pick", picked=picked)
        assert (refused.value.kind, refused.value.param) == ("invalid", "messageIds")
    with pytest.raises(Refusal, match="the strategy pick"):
        await plot.merge(fork, picked=[path[4]])


async def test_what_is_deleted_is_not_brought_in(plot: Plot) -> None:
    fork = await parted(plot, "first", "second")
    own = [node.id for node in (await plot.path(fork))[4:]]
    await plot.erase(own[1])
    assert list((await plot.merge(fork)).brought) == [own[0], *own[2:]]
    other = await parted(plot)
    for node in (await plot.path(other))[-2:]:
        await plot.erase(node.id)
    assert await refusal(plot, other) == "nothing_to_merge"
    await plot.assert_sound()


async def test_too_many_messages_are_not_merged_at_once(
    plot: Plot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork = await parted(plot, "first", "second")
    monkeypatch.setattr(merging, "MOST_BROUGHT_IN", 3)
    assert await refusal(plot, fork) == "too_many"
    monkeypatch.setattr(merging, "MOST_BROUGHT_IN", 4)
    assert len((await plot.merge(fork)).brought) == 4


async def test_branches_that_keep_moving_are_not_merged(
    plot: Plot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork = await parted(plot)

    async def moved(_: object) -> bool:
        return False

    monkeypatch.setattr(plot.store, "merge", moved)
    with pytest.raises(Refusal) as refused:
        await plot.merge(fork)
    assert (refused.value.code, refused.value.repeatable) == ("busy", True)
