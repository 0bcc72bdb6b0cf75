"""The smallest SDK: one operation of each kind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chatloom.core.clients import AwaitingClient, BlockingClient
from chatloom.core.engine import Async, Mode, Sync
from chatloom.core.errors import ChatloomError, StreamError
from chatloom.core.event_stream import EventStreamDecoder
from chatloom.core.operations import Resource, operation, paginated, streaming, typed
from chatloom.core.pages import AsyncPages
from chatloom.core.reading import Reading
from chatloom.core.streams import AsyncStream


class ToyError(ChatloomError):
    """What the toy's document calls an error."""


class Words(Reading[str, str]):
    """Each event is a word, or by its name ``usage``, ``error`` or ``done``."""

    def __init__(self, after: str = "") -> None:
        self.last_event_id = after
        self._seen = [after]
        self.restart()
        self._words: list[str] = []

    @property
    def text(self) -> str:
        return " ".join(self._words)

    def feed(self, data: bytes) -> Sequence[str]:
        words: list[str] = []
        for event in self._events.feed(data):
            said = event.data.decode()
            if event.event == "error":
                self.failure = StreamError(said)
                break
            self.last_event_id = event.id
            if event.event == "usage":
                self.usage = {"words": int(said)}
            elif event.event == "done":
                self.complete = True
            else:
                words.append(said)
                self._seen.append(event.id)
        self._words += words
        return words

    def restart(self) -> None:
        self._events = EventStreamDecoder(limit=1000)
        self._events.last_event_id = self.last_event_id

    def event_before(self, waiting: int) -> str:
        return self._seen[-waiting - 1]

    def whole(self) -> str:
        return self.text


class Slice:
    """A page of numbers."""

    def __init__(self, numbers: list[int], following: int | None) -> None:
        self.items = numbers
        self.following = following


class Toy(Resource[Mode]):
    """Everything the toy offers."""

    @operation
    async def ask(self, word: str, *, times: int = 1) -> list[str]:
        """Say *word* so many *times*."""
        return await self._post("/ask", {"word": word, "times": times}, typed(list[str]))

    @operation
    async def find(self, word: str | None = None, page: int = 1) -> list[str]:
        """Find a word."""
        return await self._get("/find", typed(list[str]), word=word, page=page)

    @operation
    async def oversleep(self) -> None:
        """Wait for something that only an event loop can do."""
        await asyncio.sleep(0)

    @streaming
    def tell(self) -> AsyncStream[str, str]:
        """Tell a story, word by word."""
        return AsyncStream(self._opening("/tell", {}, "/turns"), Words())

    @streaming
    def tell_on(self, resume_token: str) -> AsyncStream[str, str]:
        """Go on with a story."""
        opening = self._going_on("/turns", resume_token)
        return AsyncStream(opening, Words(opening.after))

    @paginated
    def count(self, start: int = 1) -> AsyncPages[int]:
        """Count, page by page."""

        async def fetch(following: str | int) -> Slice:
            numbers = await self._get("/count", typed(list[int]), start=following)
            return Slice(numbers, numbers[-1] + 1 if numbers else None)

        return AsyncPages(fetch, start)


class ToyClient(Toy[Sync], BlockingClient):
    """The blocking client."""


class AsyncToyClient(Toy[Async], AwaitingClient):
    """The asyncio client."""
