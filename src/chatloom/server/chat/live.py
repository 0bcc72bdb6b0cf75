"""A turn while it lives: dispatched, streamed, settled.

It lives by itself, not on any reader's connection. What it says is committed
before anybody is told; its last words, with how it ended, are committed
together with the tree and the ledger.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from functools import partial

import msgspec

from chatloom.server.chat.answer import Answer
from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import grow
from chatloom.server.ids import milliseconds
from chatloom.server.models import tokens
from chatloom.server.models.driver import (
    Delta,
    Driver,
    Finish,
    FinishReason,
    Prompt,
    ProviderError,
    Usage,
)
from chatloom.server.store.contract import Node, Opening, Outcome, Settlement, Store

_log = logging.getLogger("chatloom.turns")

RELEASE_PAUSES = (0.5, 5.0, 30.0, 120.0)
"""Seconds before each try to close a turn whose answer could not be stored."""

REPLAY_MILLISECONDS = 24 * 3600 * 1000

_OUTCOMES: dict[FinishReason, Outcome] = {
    "stop": "complete",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


class LiveTurn:
    """One attempt to grow a conversation.

    `said` holds the deltas that may be shown, in order; it only ever grows, and
    its last entries come together with `outcome`.
    """

    def __init__(
        self,
        store: Store,
        driver: Driver,
        prompt: Prompt,
        opening: Opening,
        price_id: int | None,
        parent: Node | None,
        new: Sequence[Message],
    ) -> None:
        self.id = opening.turn_id
        self.opening = opening
        self.prompt = prompt
        self.said: list[Delta] = []
        self.answer = Answer()
        self.outcome: Outcome | None = None
        self.problem: ProviderError | None = None
        self.usage: Usage | None = None
        """What is charged, once it is settled; `None` for nothing."""
        self.message_id: str | None = None
        self._store = store
        self._driver = driver
        self._price_id = price_id
        self._parent = parent
        self._new = new
        self._waiting: list[Delta] = []  # said by the provider, not yet committed
        self._held: list[Delta] = []  # to be told last, once everything is settled
        self._first_token_at: int | None = None
        self._changed: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._listens = False  # to the provider; settling is never cancelled
        self.stopped: str | None = None
        """Why it was told to stop, where it was."""

    def start(self) -> asyncio.Task[None]:
        """Dispatch it; the task ends when it is settled."""
        self._task = asyncio.create_task(self._run(), name=f"turn {self.id}")
        return self._task

    def cancel(self, reason: str = "the turn was cancelled") -> None:
        """Stop it; it is settled as cancelled."""
        self.stopped = self.stopped or reason
        if self._listens and self._task is not None:
            self._task.cancel()

    async def follow(
        self, after: int = 0, *, silence: float | None = None
    ) -> AsyncIterator[list[Delta]]:
        """Read it: what was said behind the first *after* deltas, then the rest as it comes.

        Where nothing was said for *silence* seconds, an empty list says so.
        """
        while True:
            if after < len(self.said):
                batch = self.said[after:]
                after = len(self.said)
                yield batch
            elif self.outcome is not None:
                return
            elif not await self.changes_within(silence):
                yield []

    async def ended(self) -> None:
        """Wait until it is settled."""
        while self.outcome is None:
            await self.change()

    async def change(self) -> None:
        """Wait until more was said, or it ended."""
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)

    async def changes_within(self, seconds: float | None) -> bool:
        """Wait until more was said, or it ended; False when neither happened in time."""
        try:
            async with asyncio.timeout(seconds):
                await self.change()
        except TimeoutError:
            return False
        return True

    async def _run(self) -> None:
        await self._settle(await self._dispatch())

    async def _dispatch(self) -> Outcome:
        if self.stopped is not None:
            return "cancelled"
        self._listens = True
        try:
            return await self._listen()
        except ProviderError as error:
            self.problem = error
            return "truncated" if error.kind == "truncated" else "provider_error"
        except asyncio.CancelledError:
            return "cancelled"
        except Exception as error:
            _log.exception("turn %s failed", self.id)
            self.problem = ProviderError("unavailable", f"internal error ({type(error).__name__})")
            return "provider_error"
        finally:
            self._listens = False

    async def _listen(self) -> Outcome:
        choices = self.prompt.parameters.n
        async for deltas in self._driver.answer(self.prompt):
            self._take(deltas)
            if self.opening.streamed and self._waiting and not self.answer.is_whole(choices):
                await self._commit()
        if not self.answer.is_whole(choices):
            raise ProviderError("truncated", "the provider stopped before its answer was whole")
        reason = self.answer.choices[0].finish_reason
        assert reason is not None
        return _OUTCOMES[reason]

    def _take(self, deltas: Sequence[Delta]) -> None:
        if self._first_token_at is None and deltas:
            self._first_token_at = milliseconds()
        self.answer.add(deltas)
        for delta in deltas:
            if isinstance(delta, Finish | Usage):
                self._held.append(delta)
            else:
                self._waiting.append(delta)

    async def _commit(self) -> None:
        batch = self._waiting
        last = len(self.said) + len(batch)
        await self._store.append(self.id, last, msgspec.json.encode(batch))
        self._waiting = []
        self._tell(batch)

    def _tell(self, deltas: Sequence[Delta]) -> None:
        self.said += deltas
        changed, self._changed = self._changed, None
        if changed is not None and not changed.done():
            changed.set_result(None)

    async def _settle(self, outcome: Outcome) -> None:
        try:
            last_words = await self._settle_as(outcome)
        except Exception:
            _log.exception("turn %s could not be settled as %s", self.id, outcome)
            self.problem = ProviderError("unavailable", "the answer could not be stored")
            self.outcome = "provider_error"
            self._tell(())
            await self._release()
        else:
            self.outcome = outcome
            self._tell(last_words)

    async def _settle_as(self, outcome: Outcome) -> list[Delta]:
        """Settle the turn; return its last words."""
        usage = self._usage(outcome)
        last_words = list(self._waiting)
        if self.problem is None and outcome != "cancelled":
            last_words += [delta for delta in self._held if isinstance(delta, Finish)]
            last_words += [usage] if usage is not None else []
        keeps = self.answer.said_something or (self.problem is None and outcome != "cancelled")
        nodes, answers = self._nodes(usage) if keeps else ([], [])
        settlement = self._settlement(outcome, usage, last_words, nodes, answers)
        await self._store.settle(settlement)
        self.message_id, self.usage = settlement.head_id, usage
        return last_words

    async def _release(self) -> None:
        """Settle a turn whose answer could not be stored: without it, and free of charge."""
        for pause in RELEASE_PAUSES:
            await asyncio.sleep(pause)
            try:
                await self._store.settle(self._settlement("provider_error", None))
            except Exception as error:
                _log.warning("turn %s is still open: %s", self.id, error)
            else:
                return

    def _settlement(
        self,
        outcome: Outcome,
        usage: Usage | None,
        last_words: Sequence[Delta] = (),
        nodes: Sequence[Node] = (),
        answers: Sequence[Node] = (),
    ) -> Settlement:
        price, now = self.opening.price, milliseconds()
        return Settlement(
            opening=self.opening,
            outcome=outcome,
            problem=self.problem.message if self.problem else None,
            served_model=self.answer.served_model or self.prompt.model,
            nodes=[*nodes, *answers],
            head_id=answers[0].id if answers else None,
            title=_title(self._new),
            usage=usage,
            price_id=self._price_id,
            cost=price.of(usage) if price is not None and usage is not None else 0,
            deltas=msgspec.json.encode([*self.said, *last_words]),
            deltas_expire_at=now + REPLAY_MILLISECONDS,
            first_token_at=self._first_token_at,
            ended_at=now,
        )

    def _nodes(self, usage: Usage | None) -> tuple[list[Node], list[Node]]:
        """The nodes of what was asked, and of each answer to it."""
        growing = partial(
            grow,
            conversation_id=self.opening.conversation_id,
            turn_id=self.id,
            now=milliseconds(),
        )
        asked = growing(self._parent, self._new, said_here=False)
        parent = asked[-1] if asked else self._parent
        answers: list[Node] = []
        for _, choice in self.answer.ordered():
            answers += growing(parent, [choice.message()], said_here=True)
        if answers and usage is not None:
            answers[0] = msgspec.structs.replace(answers[0], tokens=usage.completion_tokens)
        return asked, answers

    def _usage(self, outcome: Outcome) -> Usage | None:
        """What is charged: the provider's figures, else a guess, else nothing."""
        if self.answer.usage is not None:
            return self.answer.usage
        if not self.answer.said_something and outcome in {
            "provider_error",
            "cancelled",
            "truncated",
        }:
            return None
        said = sum(
            tokens.count("".join((*choice.texts, *choice.reasonings)))
            for _, choice in self.answer.ordered()
        )
        return Usage(tokens.count_prompt(self.prompt), said, estimated=True)


def _title(messages: Sequence[Message]) -> str:
    """The first line of the first thing the user said, at most 80 characters of it."""
    for message in messages:
        if message.role == "user" and (text := message.text.strip()):
            return text.splitlines()[0][:80]
    return ""
