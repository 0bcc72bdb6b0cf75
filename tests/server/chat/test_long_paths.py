"""What is told of long paths and large trees, of which not all is read: as where all is."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random

import msgspec
import pytest

from chatloom.server.chat import context, forking, merging
from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import grow
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.refusal import Refusal
from chatloom.server.store.contract import Branch, Conversation, Node, Opening, Settlement
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.trees import Checkpoint, ContextMode
from support.books import Books, answered, books

pytestmark = pytest.mark.anyio

MODES: tuple[ContextMode, ...] = ("FULL", "PARTIAL", "MINIMAL")
LEAD = Message("system", "Be brief.")
ASKED = Message("user", "And then?")
SAID = (
    ASKED,
    Message("assistant", "Nothing else, for all anybody knows."),
    Message("assistant", None, tool_calls=[{"id": "1", "type": "function", "function": {}}]),
    Message("tool", "found", tool_call_id="1"),
    Message("system", "Be kind."),
)


class Wood:
    """A tree that grows by chance."""

    def __init__(self, own: Books, seed: int) -> None:
        self.chance = Random(seed)
        self._own = own
        self._store = own.store
        self._id = ""

    async def begin(self) -> None:
        """Begin with as many leading messages as happens."""
        opening = await self._own.begin(self._own.opening())
        self._id = opening.conversation_id
        lead = [LEAD] * self.chance.choice([0, 0, 1, 2, 6])
        await self._store.settle(_said(opening, None, [*lead, *SAID[:2]]))

    async def change(self) -> None:
        """Do anything that can be done with a tree."""
        rare = [self._edit, self._delete, self._merge, self._sum_up]
        act = self.chance.choice([*[self._grow] * 6, *[self._fork] * 3, *rare])
        with suppress(Refusal):  # what makes no sense here
            await act()

    async def branches(self) -> list[Branch]:
        return await self._store.branches(self._id)

    async def node(self) -> Node:
        """Any message on any branch."""
        head = self.chance.choice(await self.branches()).head_id
        return self.chance.choice(await self._store.path(head or ""))

    async def _conversation(self) -> Conversation:
        found = await self._store.conversation(self._own.account_id, self._id)
        assert found is not None
        return found

    async def _grow(self) -> None:
        branch = self.chance.choice(await self.branches())
        (parent,) = await self._store.path_slice(branch.head_id or "", first=branch.head_depth)
        opening = self._own.opening(await self._conversation(), branch, parent)
        said = [self.chance.choice(SAID) for _ in range(self.chance.randint(1, 12))]
        await self._store.settle(_said(await self._own.begin(opening), parent, said))

    async def _fork(self) -> None:
        at = (await self.node()).id
        whole = await self._conversation()
        mode = self.chance.choice(MODES)
        await forking.fork(
            self._store, whole, at, name="a branch", description=None, context_mode=mode
        )

    async def _edit(self) -> None:
        await forking.say_otherwise(self._store, self._own.account_id, await self.node(), "Else?")

    async def _delete(self) -> None:
        node = await self.node()
        await self._store.delete_message(self._own.account_id, node.id, milliseconds())

    async def _merge(self) -> None:
        source = self.chance.choice(await self.branches())

        async def summarize(*_: object) -> merging.Summary:
            raise AssertionError("nothing is summed up here")

        await merging.merge(
            self._store,
            await self._conversation(),
            source.id,
            target_id=None,
            strategy="append",
            picked=None,
            summarize=summarize,
        )

    async def _sum_up(self) -> None:
        anchor = await self.node()
        if anchor.deleted_at is None:
            await self._store.add_checkpoint(_checkpoint(self._own.account_id, anchor))


def _said(opening: Opening, parent: Node | None, said: list[Message]) -> Settlement:
    nodes = grow(
        parent,
        said,
        conversation_id=opening.conversation_id,
        turn_id=opening.turn_id,
        now=milliseconds(),
        said_here=True,
    )
    return msgspec.structs.replace(answered(opening), nodes=nodes, head_id=nodes[-1].id)


def _checkpoint(account_id: str, anchor: Node) -> Checkpoint:
    return Checkpoint(
        id=new_id(),
        account_id=account_id,
        conversation_id=anchor.conversation_id,
        branch_id=anchor.branch_id or "",
        anchor_id=anchor.id,
        anchor_depth=anchor.depth,
        summary="Something was said.",
        tokens=3,
        model=None,
        turn_id=None,
        created_at=milliseconds(),
    )


@pytest.mark.parametrize("seed", range(12))
async def test_a_long_path_tells_what_a_short_one_would(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "PARTIAL_TOKENS", 40)
    monkeypatch.setattr(context, "_FEW", 2)
    store = SQLiteStore(tmp_path / "store.db" if seed % 2 else None)
    own = await books(store)
    wood = Wood(own, seed)
    await wood.begin()
    for _ in range(60):
        await wood.change()
    assert (await store.check()).problems == []
    for _ in range(40):
        branch = wood.chance.choice(await wood.branches())
        mode = wood.chance.choice(MODES)
        await store.change_branch(
            branch.conversation_id,
            branch.id,
            name=None,
            description=None,
            context_mode=mode,
            active=None,
            now=milliseconds(),
        )
        grown = await store.branch(branch.conversation_id, branch.id)
        (head,) = await store.path_slice(branch.head_id or "", first=branch.head_depth)
        for place in ((grown, head), (None, await wood.node())):
            told: list[object] = []
            for length in (10**9, 0):
                monkeypatch.setattr(context, "_LONG", length)
                told.append(await context.told_behind(store, own.account_id, *place, [ASKED]))
            assert told[1] == told[0]
    await store.close()


@pytest.mark.parametrize("seed", range(6))
async def test_a_path_is_read_from_its_start(seed: int) -> None:
    store = SQLiteStore(None)
    wood = Wood(await books(store), seed)
    await wood.begin()
    for _ in range(80):
        await wood.change()
    for _ in range(60):
        node, count = await wood.node(), wood.chance.randint(1, 20)
        path = await store.path(node.id)
        assert await store.path_start(node, count) == path[:count]
    await store.close()


@pytest.mark.parametrize("seed", range(6))
async def test_a_tree_is_as_large_as_all_its_slices(seed: int) -> None:
    store = SQLiteStore(None)
    wood = Wood(await books(store), seed)
    await wood.begin()
    for step in range(60):
        await wood.change()
        if step % 6 == 0:
            branch = wood.chance.choice(await wood.branches())
            await store.delete_branch(branch.conversation_id, branch.id, milliseconds())
    (main, *_) = await wood.branches()
    shown = 0
    after: int | None = 0
    while after is not None:
        some = await store.tree_slice(main.conversation_id, after, 7)
        shown += len(some.nodes)
        after = some.last
    assert await store.size(main.conversation_id) == shown
    await store.close()
