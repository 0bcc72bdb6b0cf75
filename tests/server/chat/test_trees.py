"""Whatever is done to a tree, it is what a simple model of it says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatloom.server.chat.context import told_behind
from chatloom.server.chat.message import Message
from chatloom.server.store.contract import Branch, Node
from support.groves import Bough, Grove
from support.house import a_house
from support.worlds import WORDS, Bare, World

ACTS = (
    *(World.send, World.send, World.send, World.behind, World.ask, World.ask, World.close),
    *(World.close, World.fork, World.fork, World.edit, World.erase, World.drop, World.merge),
    *(World.merge, World.merge, World.rename, World.default, World.begin, World.remember),
    World.end,
)
NUMBERS = st.integers(0, 60)
DONE = st.lists(
    st.tuples(st.sampled_from(ACTS), NUMBERS, NUMBERS, NUMBERS), min_size=15, max_size=80
)
Deed: TypeAlias = tuple[Callable[[World, int, int, int], Awaitable[object]], int, int, int]
"""What is done, and to which of what there is."""
NEW = Message("user", "And then?")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DONE, NUMBERS)
def test_a_tree_is_what_was_done_to_it(done: list[Deed], how: int) -> None:
    asyncio.run(_live(done, how))


async def _live(done: Sequence[Deed], how: int) -> None:
    store = Bare()
    async with a_house(Path(), open_store=lambda _: store) as house:
        world = World(house, store)
        await world.begin(how, 0, how)
        for act, *which in done:
            await act(world, *which)
            await _check_branches(world)
        await _check_everything(world)
        while world.running:
            await world.close(-1, 0, 0)
            await _check_branches(world)
        await _check_everything(world)


async def _check_branches(world: World) -> None:
    for grove in world.groves:
        found = await world.store.branches(grove.id)
        assert [one.id for one in found] == [one.id for one in _in_order(grove)]
        for branch, bough in zip(found, _in_order(grove), strict=True):
            assert (branch.name, branch.head_id) == (bough.name, bough.head)
            assert (branch.forked_from_id, branch.active) == (bough.forked, bough.is_active)
            assert (branch.context_mode, branch.is_main) == (bough.mode, bough.is_main)
            parent = grove.parent_of(bough)
            assert branch.parent_branch_id == (parent and parent.id)
            assert branch.head_depth == grove.depth(bough.head)
            assert branch.fork_depth == grove.depth(bough.forked)


def _in_order(grove: Grove) -> list[Bough]:
    return sorted(grove.alive, key=lambda one: (not one.is_main, one.id))


async def _check_everything(world: World) -> None:
    health = await world.store.check()
    assert (health.problems, len(health.open_turns)) == ([], len(world.running))
    for grove in world.groves:
        await _check_costs(world, grove)
        await _check_tree(world, grove)
        await _check_paths(world, grove)
        await _check_checkpoints(world, grove)
    await _check_search(world)


async def _check_costs(world: World, grove: Grove) -> None:
    costs: dict[str, int] = {}
    for bough in grove.boughs.values():
        branch = await world.store.branch(grove.id, bough.id)
        assert branch is not None
        costs[bough.id] = bough.wasted + sum(leaf.cost for leaf in grove.own(bough))
        assert branch.cost == costs[bough.id]
    for message_count, branch_count, cost in world.rows(
        "SELECT message_count, branch_count, cost FROM conversation WHERE id = ?", grove.id
    ):
        assert cost == sum(costs.values())
        assert branch_count == len(grove.alive)
        assert message_count == sum(not leaf.is_deleted for leaf in grove.leaves.values())


async def _check_tree(world: World, grove: Grove) -> None:
    visible = [(leaf.id, leaf.parent, leaf.is_deleted) for leaf in grove.visible()]
    for size in (1, 3, 1000):
        nodes: list[Node] = []
        last: int | None = 0
        while last is not None:
            slice = await world.store.tree_slice(grove.id, last, size)
            assert len(slice.nodes) <= size
            nodes, last = [*nodes, *slice.nodes], slice.last
        told = [(one.id, one.parent_id, one.deleted_at is not None) for one in nodes]
        assert told == visible
    assert await world.store.size(grove.id) == len(visible)
    kept = {id for id, _, _ in visible}
    for leaf in grove.leaves.values():
        (node,) = await world.store.nodes(world.house.account_id, [leaf.id])
        assert await world.store.keeps(node) is (leaf.id in kept)
        assert node.branch_id == grove.owner(leaf.id).id
    heads = [grove.depth(bough.head) for bough in grove.alive]
    assert await world.store.deepest(grove.id) == max(heads)


async def _check_paths(world: World, grove: Grove) -> None:
    for bough in grove.alive:
        path = grove.path(bough.head)
        if bough.head is None:
            continue
        nodes = await world.store.path(bough.head)
        assert [node.id for node in nodes] == [leaf.id for leaf in path]
        assert await world.store.path_start(nodes[-1], 3) == nodes[:3]
        taken = await world.store.taken(bough.head, 2)
        assert taken.cost == sum(leaf.cost for leaf in path[1:])
        assert await world.store.path_slice(bough.head, first=2, last=3, back=True) == [
            *reversed(nodes[1:3])
        ]
        branch = await world.store.branch(grove.id, bough.id)
        await _check_context(world, grove, bough, branch, nodes)
    for one, other in islice(combinations(grove.alive, 2), 20):
        if one.head is not None and other.head is not None:
            shared = [leaf for leaf in grove.path(one.head) if leaf in grove.path(other.head)]
            common = await world.store.last_common(one.head, other.head)
            assert (common and common.id) == (shared[-1].id if shared else None)


async def _check_context(
    world: World, grove: Grove, bough: Bough, branch: Branch | None, path: Sequence[Node]
) -> None:
    account = world.house.account_id
    told, context = await told_behind(world.store, account, branch, path[-1], [NEW])
    lines = [leaf.message for leaf in grove.expanded(grove.path(bough.head))]
    assert (context.mode, context.messages) == (bough.mode, len(told))
    assert context.truncated == any(line not in told for line in lines)
    if bough.mode == "FULL":
        assert told == grove.told(grove.path(bough.head), NEW)
    kept = [one for one in told if not one.text.startswith("Summary of the conversation")]
    rest = iter([(line.role, line.content) for line in lines])
    assert all((one.role, one.content) in rest for one in kept)
    calls = [call["id"] for one in told for call in one.tool_calls or ()]
    assert calls == [one.tool_call_id for one in told if one.role == "tool"]


async def _check_checkpoints(world: World, grove: Grove) -> None:
    found = await world.store.checkpoints(grove.id, None)
    assert {one.id: one.anchor_id for one in found} == grove.checkpoints
    for bough in grove.boughs.values():
        of_it = await world.store.checkpoints(grove.id, bough.id)
        own = [leaf.id for leaf in grove.own(bough)]
        assert [one for one in found if one.anchor_id in own] == of_it
        if grove.is_deleted:
            continue
        path = await world.store.path(bough.head or "")
        last = await world.store.checkpoint_on(grove.id, path)
        here = [one for one in found if one.anchor_id in {node.id for node in path}]
        newest = max(here, key=lambda one: (one.anchor_depth, one.created_at, one.id), default=None)
        assert last == newest


async def _check_search(world: World) -> None:
    await world.store.index_words()
    for word in WORDS:
        visible = [
            leaf.id
            for grove in world.groves
            if not grove.is_deleted
            for leaf in grove.visible()
            if word in leaf.message.text and not leaf.is_deleted
        ]
        assert sorted(await _found(world, word, None, 2)) == sorted(visible)
        for grove in world.groves:
            here = [id for id in reversed(visible) if id in grove.leaves]
            assert await _found(world, word, grove.id, 3) == here


async def _found(world: World, word: str, within: str | None, limit: int) -> list[str]:
    ids: list[str] = []
    before: int | None = None
    while True:
        found = await world.store.search(
            world.house.account_id,
            word,
            end_user=None,
            conversation_id=within,
            before=before,
            limit=limit,
        )
        ids += [one.node.id for one in found]
        if len(found) < limit:
            return ids
        before = found[-1].position
