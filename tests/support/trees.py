"""Trees that have seen all there is: forks, merges, edits, deletions, checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import NoReturn

from chatloom.server.chat.forking import fork, say_otherwise
from chatloom.server.chat.merging import merge
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.refusal import Refusal
from chatloom.server.store.contract import Branch, Conversation, Node
from chatloom.server.store.trees import Checkpoint, ContextMode
from support.books import Books, answered


class Gardener:
    """Changes one conversation by chance, by what the server itself does."""

    def __init__(self, books: Books, chance: Random, conversation_id: str = "") -> None:
        self._books = books
        self._store = books.store
        self._chance = chance
        self._id = conversation_id
        self._acts = (
            *[self.say] * 6,
            *[self.fork] * 4,
            *[self.merge] * 3,
            self.edit,
            self.erase,
            self.delete,
            self.change,
            self.sum_up,
        )

    async def plant(self, acts: int) -> str:
        """Begin a conversation, and change it so often; return its id."""
        self._id = (await self._books.talk("One?", "Two?", end_user="anna")).conversation_id
        await self.go_on(acts)
        return self._id

    async def go_on(self, acts: int) -> None:
        """Change it so often."""
        for _ in range(acts):
            act = self._chance.choice(self._acts)
            with suppress(Refusal):  # not everything makes sense everywhere
                await act()

    async def _about(self) -> Conversation:
        found = await self._store.conversation(self._books.account_id, self._id)
        assert found is not None
        return found

    async def _branch(self, *, spare_main: bool = False) -> Branch:
        branches = await self._store.branches(self._id)
        return self._chance.choice(branches[1:] if spare_main and branches[1:] else branches)

    async def _message(self) -> Node:
        branch = await self._branch()
        return self._chance.choice(await self._store.path(branch.head_id or ""))

    async def say(self) -> None:
        branch = await self._branch()
        parent = await self._store.node(self._books.account_id, branch.head_id or "")
        opening = self._books.opening(await self._about(), branch, parent, end_user="anna")
        await self._books.begin(opening)
        question = f"{self._chance.random()} “Grüße”, 川\n?"
        await self._store.settle(answered(opening, parent, question=question))

    async def fork(self) -> None:
        at = await self._message()
        mode: ContextMode = self._chance.choice(["FULL", "PARTIAL", "MINIMAL"])
        name = f"branch {self._chance.randrange(1000)}"
        await fork(
            self._store,
            await self._about(),
            at.id,
            name=name,
            description=self._chance.choice([None, "Why not?"]),
            context_mode=mode,
        )

    async def merge(self) -> None:
        async def summarize(_: Branch, __: Branch, ___: Sequence[Node]) -> NoReturn:
            raise AssertionError("nothing is summed up here")

        await merge(
            self._store,
            await self._about(),
            (await self._branch(spare_main=True)).id,
            target_id=None,
            strategy="append",
            picked=None,
            summarize=summarize,
        )

    async def edit(self) -> None:
        await say_otherwise(
            self._store, self._books.account_id, await self._message(), "Otherwise."
        )

    async def erase(self) -> None:
        at = await self._message()
        await self._store.delete_message(self._books.account_id, at.id, milliseconds())

    async def delete(self) -> None:
        branch = await self._branch(spare_main=True)
        await self._store.delete_branch(self._id, branch.id, milliseconds())

    async def change(self) -> None:
        branch = await self._branch(spare_main=True)
        await self._store.change_branch(
            self._id,
            branch.id,
            name="renamed",
            description=None,
            context_mode=None,
            active=branch.is_main,
            now=milliseconds(),
        )

    async def sum_up(self) -> None:
        at = await self._message()
        assert at.branch_id is not None
        await self._store.add_checkpoint(
            Checkpoint(
                id=new_id(),
                account_id=self._books.account_id,
                conversation_id=self._id,
                branch_id=at.branch_id,
                anchor_id=at.id,
                anchor_depth=at.depth,
                summary="All of it.",
                tokens=3,
                model="loom/scribe",
                turn_id=None,
                created_at=milliseconds(),
            )
        )
