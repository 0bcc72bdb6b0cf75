"""Conversations of any size, planted in a store by turns that are opened and settled as any are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from bench.stored import turn
from chatloom.server.chat.tree import grow
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.store.contract import Branch, Node, Opening, Settlement, Store
from chatloom.server.store.keys import Key
from chatloom.server.store.trees import ContextMode


class Tip(msgspec.Struct):
    """Where a branch is to go on."""

    branch_id: str
    head: Node

    @property
    def conversation(self) -> str:
        """The conversation that it is in."""
        return self.head.conversation_id


class Garden:
    """Plants conversations of one key's."""

    def __init__(self, store: Store, key: Key) -> None:
        self._store = store
        self._key = key

    async def plant(self, messages: int, branches: int, trunk: int = 2) -> list[Tip]:
        """A conversation of so many messages; its branches, the main one first.

        They leave the main one behind its first *trunk* messages, and grow side by side.
        """
        main = await self.begin()
        await self._grow_all([main], trunk // 2 - 1)
        tips = [main, *[await self.fork(main) for _ in range(branches - 1)]]
        await self._grow_all(tips, round((messages - trunk) / branches / 2))
        return tips

    async def plant_many(self, messages: int, copies: int) -> list[Tip]:
        """So many conversations of one branch, which grow side by side."""
        tips = [await self.begin() for _ in range(copies)]
        await self._grow_all(tips, messages // 2 - 1)
        return tips

    async def _grow_all(self, tips: Sequence[Tip], turns: int) -> None:
        # None has two turns that lie together in the file: a busy server's conversations never do.
        for _ in range(turns):
            await asyncio.gather(*map(self.grow, tips))

    async def begin(self) -> Tip:
        """A conversation of one question and its answer."""
        opening, settlement = turn(self._key)
        opening = msgspec.structs.replace(opening, listed=True)
        await self._store_turn(opening, settlement)
        assert opening.branch_id is not None
        return Tip(opening.branch_id, settlement.nodes[-1])

    async def fork(self, tip: Tip, mode: ContextMode = "FULL") -> Tip:
        """A branch that leaves another where that ends now."""
        now = milliseconds()
        branch = Branch(
            id=new_id(),
            conversation_id=tip.conversation,
            name="a branch",
            head_id=tip.head.id,
            parent_branch_id=tip.branch_id,
            forked_from_id=tip.head.id,
            is_main=False,
            context_mode=mode,
            created_at=now,
            updated_at=now,
        )
        await self._store.add_branch(branch, None)
        return Tip(branch.id, tip.head)

    async def grow(self, tip: Tip, pairs: int = 1) -> None:
        """Go on with a branch by a turn that says so many questions, each with its answer."""
        opening, settlement = turn(self._key)
        opening = msgspec.structs.replace(
            opening,
            conversation_id=tip.conversation,
            starts_conversation=False,
            branch_id=tip.branch_id,
            parent_id=tip.head.id,
        )
        nodes = grow(
            tip.head,
            [node.message for node in settlement.nodes] * pairs,
            conversation_id=tip.conversation,
            turn_id=opening.turn_id,
            now=opening.started_at,
            said_here=True,
        )
        said = msgspec.structs.replace(settlement, nodes=nodes, head_id=nodes[-1].id)
        await self._store_turn(opening, said)
        tip.head = nodes[-1]

    async def _store_turn(self, opening: Opening, settlement: Settlement) -> None:
        price_id = await self._store.open_turn(opening)
        settled = msgspec.structs.replace(settlement, opening=opening, price_id=price_id)
        await self._store.settle(settled)
