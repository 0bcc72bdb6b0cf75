"""Whatever is done to a tree at once leaves one that doctor finds sound."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from chatloom.server.chat.merging import Summary
from chatloom.server.chat.message import Message
from chatloom.server.ids import milliseconds
from chatloom.server.refusal import Refusal
from chatloom.server.store.contract import Branch, Node
from support.plots import Plot, a_plot

pytestmark = pytest.mark.anyio


class Crowd:
    """Many who do things to one conversation."""

    def __init__(self, plot: Plot, seed: int) -> None:
        self._plot = plot
        self._chance = Random(seed)

    async def act(self) -> None:
        """Do anything; it may be that somebody else was faster."""
        acts = [self._say, self._say, self._behind, self._fork, self._edit, self._merge]
        rare = [self._drop, self._erase, self._rest]
        with suppress(Refusal):
            await self._chance.choice([*acts, *acts, *rare])()

    async def _branch(self) -> Branch:
        return self._chance.choice(await self._plot.store.branches(self._plot.id))

    async def _node(self) -> Node:
        return self._chance.choice(await self._plot.path(await self._branch()))

    async def _say(self) -> None:
        branch = await self._branch()
        await self._ask(branch.id, None)

    async def _behind(self) -> None:
        node = await self._node()
        await self._ask(None, node.id)

    async def _ask(self, branch_id: str | None, parent_id: str | None) -> None:
        house = self._plot.house
        asked = Message("user", f"{self._chance.random()}")
        await house.settled(
            house.ask(
                asked,
                conversation_id=self._plot.id,
                branch_id=branch_id,
                parent_id=parent_id,
                streamed=self._chance.random() < 0.5,
            )
        )

    async def _fork(self) -> None:
        node = await self._node()
        await self._plot.fork(node.id)

    async def _edit(self) -> None:
        node = await self._node()
        await self._plot.edit(node, "otherwise")

    async def _merge(self) -> None:
        source, target = await self._branch(), await self._branch()
        strategy = self._chance.choice(["append", "append", "summarize"])
        into = self._chance.choice([target, None])
        if strategy == "append":
            await self._plot.merge(source, into)
        else:
            await self._plot.merge(source, into, "summarize", summarize=_summarize)

    async def _drop(self) -> None:
        branch = await self._branch()
        await self._plot.store.delete_branch(self._plot.id, branch.id, milliseconds())

    async def _erase(self) -> None:
        node, account = await self._node(), self._plot.house.account_id
        await self._plot.store.delete_message(account, node.id, milliseconds())

    async def _rest(self) -> None:
        branch = await self._branch()
        if not branch.is_main:
            await self._plot.change(branch, active=not branch.active)


async def _summarize(_: Branch, __: Branch, nodes: Sequence[Node]) -> Summary:
    await asyncio.sleep(0)
    return Summary(f"{len(nodes)} messages", "a turn", 1)


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_done_at_once_leaves_a_sound_tree(tmp_path: Path, seed: int) -> None:
    async with a_plot("a", "b", path=tmp_path) as plot:
        crowd = Crowd(plot, seed)
        for _ in range(8):
            await asyncio.gather(*(crowd.act() for _ in range(12)))
            await plot.assert_sound()
        conversation = await plot.conversation()
        branches = await plot.store.branches(plot.id)
        assert len(branches) == conversation.branch_count
        for branch in branches:
            path = await plot.path(branch)
            assert [node.depth for node in path] == list(range(1, branch.head_depth + 1))
