"""Conversations in a house, and beside each what it should be: changed together, compared."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import pytest

from chatloom.server.chat.forking import fork, say_otherwise
from chatloom.server.chat.live import LiveTurn
from chatloom.server.chat.merging import Merged, Strategy, Summary, merge
from chatloom.server.chat.message import Message
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.models.driver import Finish, ProviderError, Text, ToolCall, Usage
from chatloom.server.refusal import Refusal
from chatloom.server.store.contract import Branch, Conversation, Node
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.trees import Checkpoint, ContextMode, Defaults, NewConversation
from support.groves import Bough, Grove, Leaf
from support.house import House, Step

T = TypeVar("T")

ANSWERS = ("said", "said", "said", "twice", "thrice", "call", "call", "cut", "failed", "charged")
WORDS = ("apple", "birch", "cedar")
MODES: tuple[ContextMode, ...] = ("FULL", "FULL", "PARTIAL", "MINIMAL")
STRATEGIES: tuple[Strategy, ...] = ("append", "append", "pick", "summarize")


@dataclass
class Sent:
    """A turn under way: what it is to add, and where."""

    turn: LiveTurn
    grove: Grove
    asked: Message
    answer: str
    gate: asyncio.Event


class Bare(SQLiteStore):
    """A store in memory, whose tables can be seen."""

    def __init__(self) -> None:
        super().__init__(None)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Read from its tables."""
        return self._reader.execute(statement, values).fetchall()


class World:
    """What can be done with trees; each way takes numbers that say to which of what there is."""

    def __init__(self, house: House, store: Bare) -> None:
        self.house = house
        self.store = store
        self.groves: list[Grove] = []
        self.running: list[Sent] = []
        self._count = 0

    async def begin(self, x: int, _: int, z: int) -> None:
        """Begin a conversation: with an exchange, with one that is still open, or with nothing."""
        if len(self.groves) > 2:
            return
        if x % 3 < 2:
            sent = await self._begin(None, None, None, z)
            self.running.append(sent)
            if x % 3 == 0:
                await self.close(-1, 0, 0)
            return
        new = NewConversation(
            id=new_id(),
            account_id=self.house.account_id,
            end_user=None,
            organization=None,
            title="",
            metadata={},
            defaults=Defaults(),
            main_branch_id=new_id(),
            now=milliseconds(),
        )
        await self.store.add_conversation(new)
        main = Bough(new.main_branch_id, None, is_main=True, name="main")
        self.groves.append(Grove(new.id, boughs={main.id: main}, is_stored=True))

    async def send(self, x: int, y: int, z: int) -> None:
        """Say something at the head of a branch, and hear the answer."""
        if await self.ask(x, y, z):
            await self.close(-1, 0, 0)

    async def ask(self, x: int, y: int, z: int) -> bool:
        """Say something at the head of a branch."""
        if (grove := self._grove(x)) is None:
            return False
        bough = _any(list(grove.boughs.values()), y)
        before = len(self.running)
        async with self._refused(
            "branch_inactive", not bough.is_active, "not_found", bough.is_deleted
        ):
            self.running.append(await self._begin(grove, bough, None, z))
        return len(self.running) > before

    async def behind(self, x: int, y: int, z: int) -> None:
        """Say something behind any message, and hear the answer."""
        if (grove := self._grove(x)) is None or not grove.leaves:
            return
        leaf = _any(list(grove.leaves.values()), y)
        async with self._refused("not_found", leaf.is_deleted or leaf not in grove.visible()):
            self.running.append(await self._begin(grove, None, leaf.id, z))
            await self.close(-1, 0, 0)

    async def close(self, x: int, _: int, __: int) -> None:
        """Hear how a turn ends."""
        if not self.running:
            return
        sent = self.running.pop(x % len(self.running))
        sent.gate.set()
        await sent.turn.ended()
        await self._grown(sent)

    async def fork(self, x: int, y: int, z: int) -> None:
        """Fork a conversation at any message, or at the head of its main branch."""
        if (grove := self._grove(x)) is None:
            return
        leaf = _any([*grove.leaves.values(), *[None] * len(grove.boughs)], y)
        mode = _any(MODES, z)
        is_gone = leaf is not None and (leaf.is_deleted or leaf not in grove.visible())
        async with self._refused("not_found", is_gone):
            made = await fork(
                self.store,
                await self._conversation(grove),
                leaf.id if leaf is not None else None,
                name=f"fork {self._next()}",
                description=None,
                context_mode=mode,
            )
            at = leaf.id if leaf is not None else grove.main.head
            grove.is_stored = True
            bough = Bough(made.id, at, at, name=made.name, mode=mode, beside=grove.main.id)
            grove.boughs[made.id] = bough
            assert made == await self.store.branch(grove.id, made.id)

    async def edit(self, x: int, y: int, _: int) -> None:
        """Say a message otherwise."""
        if (grove := self._grove(x)) is None:
            return
        leaves = [one for one in grove.visible() if not one.is_deleted]
        if not leaves:
            return
        leaf = _any(leaves, y)
        node = await self._node(leaf.id)
        bough = grove.owner(leaf.id)
        is_merge = leaf.kind != "plain"
        async with self._refused("is_merge", is_merge, "branch_deleted", bough.is_deleted):
            said, kept_id = await say_otherwise(
                self.store, self.house.account_id, node, self._words("edited")
            )
            kept = Bough(kept_id, bough.head, leaf.parent, name=f"{bough.name}, before an edit")
            kept.mode, kept.beside = bough.mode, bough.id
            grove.boughs[kept_id] = kept
            replaced = msgspec.structs.replace(
                leaf.message, content=said.message.text, tool_calls=None
            )
            grove.leaves[said.id] = Leaf(said.id, leaf.parent, replaced)
            bough.head = said.id

    async def erase(self, x: int, y: int, _: int) -> None:
        """Delete a message."""
        if (grove := self._grove(x)) is None or not grove.leaves:
            return
        leaf = _any(list(grove.leaves.values()), y)
        done = await self.store.delete_message(self.house.account_id, leaf.id, milliseconds())
        assert done is not leaf.is_deleted
        if not leaf.is_deleted:
            grove.checkpoints = {
                id: at for id, at in grove.checkpoints.items() if leaf not in grove.path(at)
            }
        leaf.is_deleted, leaf.message = True, Message()

    async def drop(self, x: int, y: int, _: int) -> None:
        """Delete a branch."""
        if (grove := self._grove(x)) is None:
            return
        bough = _any(list(grove.boughs.values()), y)
        done = await self.store.delete_branch(grove.id, bough.id, milliseconds())
        assert done is not (bough.is_deleted or bough.is_main)
        bough.is_deleted = not bough.is_main

    async def rename(self, x: int, y: int, z: int) -> None:
        """Change a branch: its name, its mode, whether it is active."""
        if (grove := self._grove(x)) is None:
            return
        bough = _any(grove.alive, y)
        name, mode = f"name {self._next()}", _any(MODES, z)
        active = None if bough.is_main else z % 3 > 0
        await self.store.change_branch(
            grove.id,
            bough.id,
            name=name,
            description="described",
            context_mode=mode,
            active=active,
            now=milliseconds(),
        )
        bough.name, bough.mode, grove.is_stored = name, mode, True
        bough.is_active = bough.is_active if active is None else active

    async def default(self, x: int, _: int, z: int) -> None:
        """Change what requests need not say."""
        if (grove := self._grove(x)) is None:
            return
        defaults = Defaults(temperature=z / 60)
        account = self.house.account_id
        await self.store.set_defaults(account, grove.id, defaults, milliseconds())
        grove.is_stored = True
        assert (await self._conversation(grove)).defaults == defaults

    async def remember(self, x: int, y: int, _: int) -> None:
        """Keep a checkpoint, or forget one."""
        if (grove := self._grove(x)) is None or not grove.leaves:
            return
        leaf = _any(list(grove.leaves.values()), y)
        owner = grove.owner(leaf.id)
        checkpoint = Checkpoint(
            id=new_id(),
            account_id=self.house.account_id,
            conversation_id=grove.id,
            branch_id=owner.id,
            anchor_id=leaf.id,
            anchor_depth=grove.depth(leaf.id),
            summary=f"summary {self._next()}",
            tokens=2,
            model=None,
            turn_id=None,
            created_at=milliseconds(),
        )
        await self.store.add_checkpoint(checkpoint)
        grove.checkpoints[checkpoint.id] = leaf.id
        if y % 3 == 0:
            id = _any(list(grove.checkpoints), y)
            account = self.house.account_id
            assert await self.store.delete_checkpoint(account, id, milliseconds())
            assert not await self.store.delete_checkpoint(account, id, milliseconds())
            del grove.checkpoints[id]

    async def end(self, x: int, y: int, _: int) -> None:
        """Delete a conversation, now and then."""
        if (grove := self._grove(x)) is None or y % 4 or len(self.groves) < 2:
            return
        account = self.house.account_id
        assert await self.store.delete_conversation(account, grove.id, milliseconds())
        assert not await self.store.delete_conversation(account, grove.id, milliseconds())
        grove.is_deleted = grove.is_stored = True

    async def merge(self, x: int, y: int, z: int) -> None:
        """Merge any branch into any other, or into the one it was forked from."""
        if (grove := self._grove(x)) is None:
            return
        boughs = list(grove.boughs.values())
        source = _any(boughs[1:] if y % 4 and boughs[1:] else boughs, y)
        target = _any([*boughs, *[None] * len(boughs)], z)
        strategy = _any(STRATEGIES, x + y + z)
        picked = _picks(grove, source, y + z) if strategy == "pick" else None
        if target is None and source.forked is None and not source.is_main:
            target = grove.main
        foreseen = grove.foreseen(source, target, picked)
        before = self._dump()
        async with self._refused(foreseen, foreseen not in {None, "repeated"}):
            done = await self._merged(grove, source, target, strategy, picked)
            into = grove.boughs[done.target.id]
            assert into is (target or grove.parent_of(source))
            assert done.repeated is (foreseen == "repeated")
            if done.repeated:
                assert self._dump() == before
            else:
                await self._brought(grove, source, into, strategy, picked, done)

    async def _merged(
        self,
        grove: Grove,
        source: Bough,
        target: Bough | None,
        strategy: Strategy,
        picked: list[str] | None,
    ) -> Merged:
        async def summarize(one: Branch, other: Branch, nodes: Sequence[Node]) -> Summary:
            assert one.id == source.id
            ask = self.house.ask(
                Message("user", "Sum up!"), conversation_id=grove.id, branch_id=other.id
            )
            self.house.driver.steps = _steps("said", ["summed up"], self._next())
            turn = await self.house.settled(msgspec.structs.replace(ask, apart=True))
            grove.boughs[other.id].wasted += await self._cost(turn.id)
            return Summary("summed up", turn.id, len(nodes))

        return await merge(
            self.store,
            await self._conversation(grove),
            source.id,
            target_id=target.id if target is not None else None,
            strategy=strategy,
            picked=picked,
            summarize=summarize,
        )

    async def _brought(
        self,
        grove: Grove,
        source: Bough,
        target: Bough,
        strategy: Strategy,
        picked: list[str] | None,
        done: Merged,
    ) -> None:
        ids = grove.unmerged(source, target)
        is_taken_over = strategy == "append" and source.forked == target.head
        assert is_taken_over == (done.node is None)
        if done.node is None:
            assert list(done.brought) == ids
            target.head = source.forked = source.head
            source.merged_into = target.id
            return
        if picked is not None:
            assert set(picked) <= set(done.brought)
            assert list(done.brought) == [id for id in ids if id in done.brought]
        else:
            assert list(done.brought) == ids
        node = await self._node(done.node.id)
        assert source.head is not None
        grove.leaves[node.id] = Leaf(
            node.id,
            target.head,
            Message("system", node.message.content),
            "merge_summary" if strategy == "summarize" else "merge",
            [source.head, *done.brought],
        )
        assert await self.store.others(grove.id, node.id) == grove.leaves[node.id].others
        target.head, source.merged_into = node.id, target.id

    async def _begin(
        self, grove: Grove | None, bough: Bough | None, parent: str | None, z: int
    ) -> Sent:
        number, answer = self._next(), _any(ANSWERS, z)
        at = bough.head if bough is not None else parent
        asked = Message("user", self._words("asked"))
        before = grove.path(at) if grove is not None else []
        calls = before[-1].message.tool_calls if before else None
        if calls and number % 3:
            asked = Message("tool", self._words("found"), tool_call_id=str(calls[0]["id"]))
        choices = {"twice": 2, "thrice": 3}.get(answer, 1)
        ask = self.house.ask(
            asked,
            conversation_id=grove.id if grove is not None else None,
            branch_id=bough.id if bough is not None else None,
            parent_id=parent,
            n=choices,
        )
        gate, driver = asyncio.Event(), self.house.driver
        texts = [self._words("said") for _ in range(choices)]
        driver.steps = [gate, *_steps(answer, texts, number)]
        dispatched = len(driver.prompts)
        turn = await self.house.begun(ask)
        await asyncio.sleep(0)  # its task begins
        assert len(driver.prompts) == dispatched + 1
        if grove is None:
            id = turn.opening.conversation_id
            main = Bough(turn.opening.branch_id or "", None, is_main=True, name="main")
            grove = Grove(id, boughs={main.id: main})
            self.groves.append(grove)
        else:
            named = bough.id if bough is not None else _at(grove, parent)
            assert turn.opening.branch_id == named
            ground = grove.boughs[named] if named is not None else grove.owner(at or "")
            if ground.mode == "FULL":
                assert driver.prompts[-1].messages == [*grove.told(before, asked), asked]
        return Sent(turn, grove, asked, answer, gate)

    async def _grown(self, sent: Sent) -> None:
        """Have the model grow as the turn should have made the tree grow."""
        turn, grove = sent.turn, sent.grove
        cost, opening = await self._cost(turn.id), turn.opening
        is_one_of_many = any(one.grove is grove for one in self.running)
        if sent.answer in {"failed", "charged"}:
            assert not turn.grown
            if grove.is_stored or (cost and is_one_of_many):
                grove.is_stored = True
                grove.boughs.get(opening.branch_id or "", grove.main).wasted += cost
            elif not is_one_of_many:
                self.groves.remove(grove)
            return
        grove.is_stored = True
        question, answer = turn.grown
        assert (question.message, question.parent_id) == (sent.asked, opening.parent_id)
        grove.leaves[question.id] = Leaf(question.id, opening.parent_id, sent.asked)
        grove.leaves[answer.id] = Leaf(answer.id, question.id, answer.message, cost=cost)
        bough = grove.boughs.get(opening.branch_id or "")
        if bough is None or bough.is_deleted or bough.head != opening.parent_id:
            assert turn.branch_id is not None
            assert turn.branch_id not in grove.boughs
            ground = grove.owner(opening.parent_id).mode if opening.parent_id else "FULL"
            bough = Bough(turn.branch_id, None, opening.parent_id, mode=ground)
            bough.beside = opening.branch_id or grove.main.id
            if opening.parent_id is None:
                bough.mode = grove.boughs[bough.beside].mode
            bough.name = f"branch {len(grove.alive) + 1}"
            grove.boughs[bough.id] = bough
        assert turn.branch_id == bough.id
        bough.head = answer.id
        await self._branched_out(sent, question.id, bough)

    async def _branched_out(self, sent: Sent, question: str, bough: Bough) -> None:
        """Further answers are heads of branches of their own, in their order."""
        grove = sent.grove
        count = {"twice": 1, "thrice": 2}.get(sent.answer, 0)
        found = self.rows(
            "SELECT id, conversation_id, branch_id FROM message WHERE turn_id = ? ORDER BY rowid",
            sent.turn.id,
        )[2:]
        assert len(found) == count
        for id, conversation_id, branch_id in found:
            assert conversation_id == grove.id
            node = await self._node_of_any(id)
            grove.leaves[id] = Leaf(id, question, node.message)
            name = f"alternative {len(grove.alive) + 1}"
            grove.boughs[branch_id] = Bough(branch_id, id, question, name=name, mode=bough.mode)

    async def _node(self, id: str) -> Node:
        node = await self.store.node(self.house.account_id, id)
        assert node is not None
        return node

    async def _node_of_any(self, id: str) -> Node:
        """Also of a deleted conversation."""
        (node,) = await self.store.nodes(self.house.account_id, [id])
        return node

    async def _conversation(self, grove: Grove) -> Conversation:
        conversation = await self.store.conversation(self.house.account_id, grove.id)
        assert conversation is not None
        return conversation

    async def _cost(self, turn_id: str) -> int:
        turn = await self.store.turn(self.house.account_id, turn_id)
        assert turn is not None
        return turn.cost or 0

    def _grove(self, x: int) -> Grove | None:
        groves = [one for one in self.groves if not one.is_deleted]
        return _any(groves, x) if groves else None

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _words(self, what: str) -> str:
        number = self._next()
        return f"{what} {number} {WORDS[number % 3]}"

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Read behind the store's back."""
        return self.store.rows(statement, *values)

    def _dump(self) -> list[list[tuple[Any, ...]]]:
        """Everything that a tree is made of."""
        tables = ("conversation", "branch", "message", "merge", "checkpoint", "turn", "ledger")
        return [self.rows(f"SELECT * FROM {name}") for name in tables]

    @contextlib.asynccontextmanager
    async def _refused(self, *reasons: str | bool | None) -> AsyncGenerator[None]:
        """What is done here is refused for one of the reasons that hold, and changes nothing."""
        foreseen = {code for code, holds in zip(reasons[::2], reasons[1::2], strict=True) if holds}
        if not foreseen:
            yield
            return
        before = self._dump()
        with pytest.raises(Refusal) as refused:
            yield
        assert refused.value.code in foreseen
        assert self._dump() == before


def _any(some: Sequence[T], which: int) -> T:
    return some[which % len(some)]


def _at(grove: Grove, head: str | None) -> str | None:
    """The branch that goes on where *head* is named, if any does."""
    if grove.main.head == head:
        return grove.main.id
    active = [one for one in grove.alive if one.is_active and one.head == head]
    return min((one.id for one in active), default=None)


def _picks(grove: Grove, source: Bough, which: int) -> list[str]:
    """Some messages of a branch, mostly such that can be picked."""
    path = grove.expanded(grove.path(source.head))[-4:]
    if not path:
        return [new_id()]
    return [_any(path, which).id, _any(path, which // 2).id]


def _steps(answer: str, texts: Sequence[str], number: int) -> list[Step]:
    """What a model does to answer so."""
    usage = Usage(number, 1)
    if answer == "failed":
        return [ProviderError("unavailable", "it was down")]
    if answer == "charged":
        return [[usage], ProviderError("unavailable", "it was down")]
    if answer == "cut":
        return [[Text(texts[0])], ProviderError("truncated", "it broke off")]
    if answer == "call":
        # Some providers give the same id to one call after the other.
        call = ToolCall(0, f"call {number % 2}", "look", str(number))
        said = [Text(texts[0])] if number % 3 == 0 else []
        return [[*said, call, Finish("tool_calls"), usage]]
    said = [Text(text, choice) for choice, text in enumerate(texts)]
    return [[*said, *(Finish("stop", choice) for choice in range(len(texts))), usage]]
