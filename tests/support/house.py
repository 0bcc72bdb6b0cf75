"""The server's inside without HTTP: a store on a file, and turns answered by a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chatloom.server.chat.ask import Ask
from chatloom.server.chat.live import LiveTurn
from chatloom.server.chat.message import Message
from chatloom.server.chat.turns import Turns
from chatloom.server.identity.keys import Identity
from chatloom.server.identity.powers import NewKey
from chatloom.server.models.driver import (
    Delta,
    Finish,
    ModelInfo,
    Parameters,
    Price,
    Prompt,
    Text,
    Usage,
)
from chatloom.server.models.registry import Registry, Resolved
from chatloom.server.protocols.deeds import deed
from chatloom.server.store.contract import Store, Turn
from chatloom.server.store.sqlite import SQLiteStore

Step = Sequence[Delta] | BaseException | asyncio.Event
PRICE = Price(prompt=100, completion=400)
WHOLE: Sequence[Delta] = [Text("All"), Text(" said."), Finish("stop"), Usage(10, 2)]


class ScriptedDriver:
    """Answers with the steps it was given: says deltas, raises, or waits."""

    def __init__(self, *steps: Step) -> None:
        self.steps: Sequence[Step] = steps
        self.prompts: list[Prompt] = []
        self.left = 0
        """How many answers were ended, in whatever way."""

    async def answer(self, prompt: Prompt) -> AsyncIterator[Sequence[Delta]]:
        self.prompts.append(prompt)
        try:
            for step in self.steps:
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, BaseException):
                    raise step
                else:
                    yield step
        finally:
            self.left += 1

    def check(self, prompt: Prompt) -> None: ...

    async def models(self) -> Sequence[ModelInfo]:
        return []

    def price(self, model: str) -> Price | None:
        return PRICE

    async def close(self) -> None: ...


class OneModel(Registry):
    """Whatever model is named, the script answers."""

    def __init__(self, driver: ScriptedDriver, price: Price | None = PRICE) -> None:
        self.driver = driver
        self.price = price

    def resolve(self, name: str) -> Resolved:
        info = ModelInfo(id=name, provider="script")
        return Resolved(driver=self.driver, model=name, info=info, price=self.price)


@dataclass
class House:
    """One account in one store, and its turns."""

    store: Store
    turns: Turns
    driver: ScriptedDriver
    registry: OneModel
    account_id: str
    key_id: str

    def ask(
        self,
        *messages: Message,
        streamed: bool = True,
        conversation_id: str | None = None,
        parent_id: str | None = None,
        branch_id: str | None = None,
        end_user: str | None = None,
        n: int = 1,
    ) -> Ask:
        """A request for an answer; by default to one greeting."""
        return Ask(
            account_id=self.account_id,
            key_id=self.key_id,
            protocol="chatserver",
            model="script",
            messages=list(messages) or [Message("user", "Hello!")],
            parameters=Parameters(n=n),
            streamed=streamed,
            conversation_id=conversation_id,
            parent_id=parent_id,
            branch_id=branch_id,
            end_user=end_user,
        )

    async def begun(self, ask: Ask | None = None) -> LiveTurn:
        """Begin a turn."""
        turn, _ = await self.turns.begin(ask or self.ask())
        assert isinstance(turn, LiveTurn)
        return turn

    async def settled(self, ask: Ask | None = None) -> LiveTurn:
        """Take a turn, and wait for its end."""
        turn = await self.begun(ask)
        await turn.ended()
        return turn

    async def stored(self, turn: LiveTurn) -> Turn:
        """A turn as the store has it."""
        found = await self.store.turn(self.account_id, turn.id)
        assert found is not None
        return found


@asynccontextmanager
async def a_house(
    folder: Path, *steps: Step, open_store: Callable[[Path], Store] = SQLiteStore
) -> AsyncGenerator[House]:
    """Open a house in *folder*, whose model does *steps* in every turn."""
    store = open_store(folder / "house.db")
    key, _ = await Identity(store, dev=False).mint(
        NewKey(name="house"), deed("test", "key.created")
    )
    driver = ScriptedDriver(*steps)
    registry = OneModel(driver)
    turns = Turns(store, registry)
    try:
        yield House(store, turns, driver, registry, key.account_id, key.id)
    finally:
        await turns.close(0)
        await store.close()
