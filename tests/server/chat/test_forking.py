"""Branches begun at any message, and messages said otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import node_hash
from chatloom.server.ids import new_id
from chatloom.server.refusal import Refusal
from support.house import PRICE
from support.plots import Plot, a_plot

pytestmark = pytest.mark.anyio

COST = 10 * PRICE.prompt + 2 * PRICE.completion


@pytest.fixture
async def plot() -> AsyncIterator[Plot]:
    async with a_plot("a", "b") as plot:
        yield plot


async def test_a_branch_begins_at_any_message(plot: Plot) -> None:
    main = await plot.main()
    for node in await plot.path(main):
        fork = await plot.fork(node.id)
        assert fork == await plot.branch(fork.id)
        assert (fork.head_id, fork.forked_from_id) == (node.id, node.id)
        assert (fork.parent_branch_id, fork.fork_depth) == (main.id, node.depth)
    assert (await plot.conversation()).branch_count == 5
    await plot.assert_sound()


async def test_a_branch_begins_at_the_head_where_no_message_is_named(plot: Plot) -> None:
    main = await plot.main()
    await plot.erase(main.head_id or "")
    assert (await plot.fork()).head_id == main.head_id
    await plot.assert_sound()


async def test_a_branch_of_a_branch_belongs_under_whatever_branch_holds_its_message(
    plot: Plot,
) -> None:
    fork = await plot.fork()
    own = await plot.say("else", fork)
    assert (await plot.fork(own.id)).parent_branch_id == fork.id
    shared = (await plot.path(fork))[0]
    assert (await plot.fork(shared.id)).parent_branch_id == (await plot.main()).id


async def test_no_branch_begins_at_what_is_not_there_to_be_read(plot: Plot) -> None:
    fork = await plot.fork()
    own = await plot.say("else", fork)
    first = (await plot.path(fork))[0]
    await plot.erase(first.id)
    await plot.drop(fork)
    async with a_plot("else") as other:
        foreign = (await other.main()).head_id
    before = await plot.store.branches(plot.id)
    for id in (own.id, first.id, foreign, new_id()):
        with pytest.raises(Refusal, match="message not found"):
            await plot.fork(id)
    assert await plot.store.branches(plot.id) == before


async def test_what_something_stands_on_outlives_its_branch(plot: Plot) -> None:
    fork = await plot.fork()
    last = await plot.say("else", fork)
    question = (await plot.path(fork))[-2]
    inner = await plot.fork(question.id)
    await plot.drop(fork)
    assert await plot.store.keeps(question)
    assert not await plot.store.keeps(last)
    assert await plot.said(inner) == ["a", "a!", "b", "b!", "else"]
    assert (await plot.fork(question.id)).parent_branch_id == fork.id
    await plot.assert_sound()


async def test_a_message_said_otherwise_leaves_the_old_path_to_a_branch(plot: Plot) -> None:
    main = await plot.main()
    path = await plot.path(main)
    inner = await plot.fork(path[3].id)
    said, kept = await plot.edit(path[2], "c")
    main = await plot.main()
    assert (said.branch_id, said.parent_id, said.depth) == (main.id, path[1].id, 3)
    assert said.hash == node_hash(Message("user", "c"), [path[1].hash])
    assert (kept.name, kept.forked_from_id) == ("main, before an edit", path[1].id)
    assert (await plot.said(main), await plot.said(kept)) == (
        ["a", "a!", "c"],
        ["a", "a!", "b", "b!"],
    )
    assert (main.cost, kept.cost) == (COST, COST)
    assert (main.tokens_in, kept.tokens_in, kept.tokens_out) == (10, 10, 2)
    assert (await plot.branch(inner.id)).parent_branch_id == kept.id
    await plot.assert_sound()


async def test_an_answer_said_otherwise_takes_its_cost_along(plot: Plot) -> None:
    path = await plot.path(await plot.main())
    _, kept = await plot.edit(path[1], "otherwise")
    main = await plot.main()
    assert (main.cost, kept.cost) == (0, 2 * COST)
    assert await plot.said(main) == ["a", "otherwise"]
    await plot.assert_sound()


async def test_checkpoints_stay_with_the_messages_they_are_at(plot: Plot) -> None:
    path = await plot.path(await plot.main())
    first, last = [await plot.sum_up(path[at], "a summary") for at in (1, 3)]
    _, kept = await plot.edit(path[2], "c")
    main = await plot.main()
    assert await plot.store.checkpoints(plot.id, main.id) == [first]
    assert await plot.store.checkpoints(plot.id, kept.id) == [replace(last, branch_id=kept.id)]


async def test_an_edit_leaves_out_what_was_about_the_old_words(plot: Plot) -> None:
    await plot.say("look", call="1")
    await plot.say(Message("tool", "found", tool_call_id="1"))
    path = await plot.path(await plot.main())
    said, _ = await plot.edit(path[5], "I will not look.")
    assert said.message == Message("assistant", "I will not look.")
    await plot.assert_sound()


async def test_a_tools_result_said_otherwise_is_still_its_result(plot: Plot) -> None:
    await plot.say("look", call="1")
    await plot.say(Message("tool", "found", tool_call_id="1"))
    path = await plot.path(await plot.main())
    said, _ = await plot.edit(path[6], "lost")
    assert said.message == Message("tool", "lost", tool_call_id="1")


async def test_what_cannot_be_said_otherwise_stays(plot: Plot) -> None:
    fork = await plot.fork()
    own = await plot.say("else", fork)
    await plot.say("more")
    done = await plot.merge(fork)
    assert done.node is not None
    await plot.drop(fork)
    before = await plot.store.branches(plot.id)
    for node, code in ((done.node, "is_merge"), (own, "branch_deleted")):
        with pytest.raises(Refusal) as refused:
            await plot.edit(node, "otherwise")
        assert refused.value.code == code
    assert await plot.store.branches(plot.id) == before


async def test_of_edits_at_once_none_is_lost(tmp_path: Path) -> None:
    async with a_plot("a", "b", path=tmp_path) as plot:
        path = await plot.path(await plot.main())
        done = await asyncio.gather(
            *(plot.edit(path[at], f"edited {at}") for at in (3, 2, 1, 0)), return_exceptions=True
        )
        moved = [one for one in done if isinstance(one, Refusal)]
        assert {one.code for one in moved} <= {"moved"}
        assert [one for one in done if isinstance(one, BaseException)] == moved
        texts = {
            text for one in await plot.store.branches(plot.id) for text in await plot.said(one)
        }
        assert {"a", "a!", "b", "b!"} < texts
        assert len(texts) == 4 + len(done) - len(moved)
        await plot.assert_sound()


async def test_forks_and_edits_at_once_leave_every_branch_where_it_belongs(tmp_path: Path) -> None:
    async with a_plot("a", "b", path=tmp_path) as plot:
        path = await plot.path(await plot.main())
        for round in range(5):
            question = (await plot.path(await plot.main()))[2]
            await asyncio.gather(
                plot.fork(question.id),
                plot.edit(question, f"edited {round}"),
                plot.fork(question.id),
                plot.fork(path[1].id),
            )
        await plot.assert_sound()
