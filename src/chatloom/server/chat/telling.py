"""What a turn tells its readers: as many as there are, each at his own pace."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol, Self

import msgspec

from chatloom.server.chat.answer import Answer
from chatloom.server.models.driver import Delta, ProviderError, Usage
from chatloom.server.store.contract import Node, Outcome, Turn
from chatloom.server.store.trees import Making

MOST_AT_ONCE = 128
"""Deltas a reader is handed in one batch, however far he lags behind."""


_FAILURES: frozenset[Outcome | None] = frozenset({"cancelled", "truncated", "provider_error"})


class About(Protocol):
    """What is known of a turn from its beginning."""

    @property
    def conversation_id(self) -> str: ...
    @property
    def end_user(self) -> str | None: ...
    @property
    def protocol(self) -> str: ...
    @property
    def told_as(self) -> str: ...
    @property
    def streamed(self) -> bool: ...
    @property
    def started_at(self) -> int: ...


class Telling:
    """A turn as it is told, while it runs and afterwards.

    `said` holds the deltas that may be shown, in order; it only ever grows, and
    its last entries come together with `outcome`.
    """

    def __init__(self, id: str, about: About, model: str) -> None:
        self.id = id
        self.about = about
        self.said: list[Delta] = []
        self.answer = Answer()
        self.outcome: Outcome | None = None
        self.problem: ProviderError | None = None
        self.stopped: str | None = None
        """Why it was told to stop, where it was."""
        self.was_interrupted = False
        """Whether it was the server that stopped, and nobody's wish."""
        self.usage: Usage | None = None
        """What is charged, once it is settled; `None` for nothing."""
        self.branch_id: str | None = None
        """The branch that it concerns, once it is settled."""
        self.grown: Sequence[Node] = ()
        """What its branch gained, once it is settled: the question, then the answer."""
        self.making: Making | None = None
        """How its answer came about, once it is settled."""
        self._model = model
        self._readers: set[Reader] = set()
        self._present = 0  # of them: who surely are there

    @classmethod
    def past(
        cls, turn: Turn, deltas: bytes, grown: Sequence[Node] = (), making: Making | None = None
    ) -> Self:
        """A settled turn, told again from what was stored of it."""
        telling = cls(turn.id, turn, turn.served_model or turn.model)
        telling.said = _read_deltas(deltas)
        telling.answer.add(telling.said)
        telling.outcome, telling.usage = turn.outcome, turn.usage
        telling.branch_id, telling.grown, telling.making = turn.branch_id, grown, making
        if turn.outcome == "cancelled":
            telling.stopped = turn.problem
        elif telling.failed:
            telling.problem = ProviderError(turn.problem_kind or "unavailable", turn.problem or "")
        return telling

    @property
    def message_id(self) -> str | None:
        """The answer's place in the tree, once it is settled and has one."""
        return self.grown[-1].id if self.grown else None

    @property
    def served_model(self) -> str:
        """Who answers, as far as that is known."""
        return self.answer.served_model or self._model

    @property
    def failed(self) -> bool:
        """Whether it ended without a whole answer."""
        return self.outcome in _FAILURES

    def read(self, after: int = 0, *, silence: float | None = None) -> Reader:
        """Read it from behind the first *after* deltas on; `Reader.leave` when done.

        Where nothing was said for *silence* seconds, an empty batch says so.
        """
        reader = Reader(self, after, silence)
        self._readers.add(reader)
        self._present += 1
        self._attended()
        return reader

    async def ended(self) -> None:
        """Wait until it is settled."""
        if self.outcome is None:
            with self.read() as reader:
                await reader.end()

    def _faded(self) -> None:
        self._present -= 1
        if not self._present:
            self._forsaken()

    def _left(self, reader: Reader) -> None:
        self._readers.discard(reader)

    def _attended(self) -> None:
        """Take note that somebody reads it."""

    def _forsaken(self) -> None:
        """Take note that nobody reads it any more."""

    def _tell(self, deltas: Sequence[Delta]) -> None:
        self.said += deltas
        for reader in self._readers:
            reader.wake()


class Reader:
    """Somebody who reads a turn, batch by batch."""

    def __init__(self, telling: Telling, after: int, silence: float | None) -> None:
        self.has_left = False
        self._is_present = True
        self._telling = telling
        self._after = after
        self._silence = silence
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[None] | None = None
        self._heard_at = self._loop.time()
        self._alarm: asyncio.TimerHandle | None = None

    def leave(self) -> None:
        """Read no more; who is reading finds the end."""
        if not self.has_left:
            self.has_left = True
            if self._alarm is not None:
                self._alarm.cancel()
            self.wake()
            self._telling._left(self)  # pyright: ignore[reportPrivateUsage] - the two are one
            self.fade()

    def fade(self) -> None:
        """Go on reading, without keeping the turn alive by it: perhaps nobody listens."""
        if self._is_present:
            self._is_present = False
            self._telling._faded()  # pyright: ignore[reportPrivateUsage] - the two are one

    def wake(self) -> None:
        """Look again: there is more, or it is over."""
        waiting = self._waiting
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def end(self) -> None:
        """Wait until the turn is settled, or the reader has left."""
        while self._telling.outcome is None and not self.has_left:
            await self._wait()

    async def word(self, seconds: float) -> None:
        """Wait until something was said, or it ended; *seconds* at most."""
        if not self._is_due:
            alarm = self._loop.call_later(seconds, self.wake)
            try:
                await self._wait()
            finally:
                alarm.cancel()

    @property
    def _is_due(self) -> bool:
        telling = self._telling
        return self._after < len(telling.said) or telling.outcome is not None or self.has_left

    async def _wait(self) -> None:
        self._waiting = self._loop.create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Delta]:
        said = self._telling.said
        if not self._is_due:
            await self._wait_or_beat()
        if self.has_left:
            raise StopAsyncIteration
        batch = said[self._after : self._after + MOST_AT_ONCE]
        if not batch and self._telling.outcome is not None:
            raise StopAsyncIteration
        self._after += len(batch)
        return batch

    async def _wait_or_beat(self) -> None:
        self._heard_at = self._loop.time()
        if self._silence is not None and self._alarm is None:
            self._alarm = self._loop.call_later(self._silence, self._beat)
        await self._wait()

    def _beat(self) -> None:
        """Wake a reader who has heard nothing for too long; one alarm serves all its waits."""
        assert self._silence is not None
        rest = self._heard_at + self._silence - self._loop.time()
        if rest > 0.001:
            self._alarm = self._loop.call_later(rest, self._beat)
        else:
            self._alarm = None
            self.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


_read_deltas = msgspec.json.Decoder(list[Delta]).decode
