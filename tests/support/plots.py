"""One conversation in a house, grown by hand."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chatloom.server.chat import forking, merging
from chatloom.server.chat.context import Context, told_behind
from chatloom.server.chat.message import Message
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.models.driver import Finish, Text, ToolCall, Usage
from chatloom.server.store.contract import Branch, Conversation, Node, Store
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.trees import Checkpoint, ContextMode
from support.house import House, Step, a_house

NEW = Message("user", "And then?")


@dataclass
class Plot:
    """A conversation; what is said gets an answer that repeats it."""

    house: House
    id: str

    @property
    def store(self) -> Store:
        return self.house.store

    async def say(
        self,
        text: str | Message,
        branch: Branch | None = None,
        *,
        parent: str | None = None,
        answers: Sequence[str] = (),
        call: str | None = None,
    ) -> Node:
        """Say something at the head of *branch*, the main one if it is not named; the answer."""
        asked = Message("user", text) if isinstance(text, str) else text
        told = answers or [f"{asked.text}!"]
        self.house.driver.steps = [_answer(told, call)]
        turn = await self.house.settled(
            self.house.ask(
                asked,
                conversation_id=self.id,
                branch_id=branch.id if branch is not None else None,
                parent_id=parent,
                n=len(told),
            )
        )
        assert turn.outcome in {"complete", "tool_calls"}
        return turn.grown[-1]

    async def fork(
        self, at: str | None = None, *, name: str = "a fork", mode: ContextMode = "FULL"
    ) -> Branch:
        return await forking.fork(
            self.store,
            await self.conversation(),
            at,
            name=name,
            description=None,
            context_mode=mode,
        )

    async def edit(self, node: Node, text: str) -> tuple[Node, Branch]:
        """The new message, and the branch that keeps the old path."""
        now = await self.node(node.id)
        said, kept_id = await forking.say_otherwise(self.store, self.house.account_id, now, text)
        return said, await self.branch(kept_id)

    async def merge(
        self,
        source: Branch,
        target: Branch | None = None,
        strategy: merging.Strategy = "append",
        picked: Sequence[str] | None = None,
        summarize: merging.Summarize | None = None,
    ) -> merging.Merged:
        async def refuse(_: Branch, __: Branch, ___: Sequence[Node]) -> merging.Summary:
            raise AssertionError("nothing is to be summed up")

        return await merging.merge(
            self.store,
            await self.conversation(),
            source.id,
            target_id=target.id if target is not None else None,
            strategy=strategy,
            picked=picked,
            summarize=summarize or refuse,
        )

    async def sum_up(self, node: Node, summary: str) -> Checkpoint:
        """Keep a checkpoint at *node*."""
        checkpoint = Checkpoint(
            id=new_id(),
            account_id=self.house.account_id,
            conversation_id=self.id,
            branch_id=node.branch_id or "",
            anchor_id=node.id,
            anchor_depth=node.depth,
            summary=summary,
            tokens=1,
            model=None,
            turn_id=None,
            created_at=milliseconds(),
        )
        await self.store.add_checkpoint(checkpoint)
        return checkpoint

    async def erase(self, id: str) -> None:
        """Delete a message."""
        assert await self.store.delete_message(self.house.account_id, id, milliseconds())

    async def drop(self, branch: Branch) -> None:
        """Delete a branch."""
        assert await self.store.delete_branch(self.id, branch.id, milliseconds())

    async def change(
        self, branch: Branch, *, mode: ContextMode | None = None, active: bool | None = None
    ) -> Branch:
        await self.store.change_branch(
            self.id,
            branch.id,
            name=None,
            description=None,
            context_mode=mode,
            active=active,
            now=milliseconds(),
        )
        return await self.branch(branch.id)

    async def main(self) -> Branch:
        main = await self.store.main_branch(self.id)
        assert main is not None
        return main

    async def branch(self, id: str) -> Branch:
        branch = await self.store.branch(self.id, id)
        assert branch is not None
        return branch

    async def node(self, id: str) -> Node:
        node = await self.store.node(self.house.account_id, id)
        assert node is not None
        return node

    async def conversation(self) -> Conversation:
        conversation = await self.store.conversation(self.house.account_id, self.id)
        assert conversation is not None
        return conversation

    async def path(self, branch: Branch) -> list[Node]:
        return await self.store.path((await self.branch(branch.id)).head_id or "")

    async def said(self, branch: Branch) -> list[str]:
        """What stands on a branch, in words."""
        return [node.message.text for node in await self.path(branch)]

    async def told(self, branch: Branch, new: Message = NEW) -> tuple[list[str], Context]:
        """What a model is told of a branch."""
        now = await self.branch(branch.id)
        head = await self.node(now.head_id or "")
        account = self.house.account_id
        messages, context = await told_behind(self.store, account, now, head, [new])
        return [one.text for one in messages], context

    async def assert_sound(self) -> None:
        assert (await self.store.check()).problems == []


def _answer(texts: Sequence[str], call: str | None) -> Step:
    said = [Text(text, choice) for choice, text in enumerate(texts) if text]
    if call is not None:
        return [*said, ToolCall(0, call, "look", "{}"), Finish("tool_calls"), Usage(10, 2)]
    return [*said, *(Finish("stop", choice) for choice in range(len(texts))), Usage(10, 2)]


@asynccontextmanager
async def a_plot(
    *first: str, lead: str | None = None, path: Path | None = None
) -> AsyncGenerator[Plot]:
    """A conversation in which *first* was said, led by a system message if there is to be one."""
    async with a_house(
        path or Path(), open_store=lambda at: SQLiteStore(at if path else None)
    ) as house:
        asked = [Message("system", lead)] if lead is not None else []
        house.driver.steps = [_answer([f"{first[0]}!"], None)]
        turn = await house.settled(house.ask(*asked, Message("user", first[0])))
        plot = Plot(house, turn.opening.conversation_id)
        for text in first[1:]:
            await plot.say(text)
        yield plot
