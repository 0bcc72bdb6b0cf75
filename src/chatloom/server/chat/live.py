"""A turn while it lives: dispatched, streamed, settled.

It lives by itself, not on any reader's connection. What it says is committed
before anybody is told; its last words, with how it ended, are committed
together with the tree and the ledger.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from chatloom.server.chat.settling import (
    End,
    Growing,
    given_up,
    making_of,
    outcome_of,
    settlement_of,
)
from chatloom.server.chat.telling import Telling
from chatloom.server.ids import milliseconds
from chatloom.server.models.attempts import noting
from chatloom.server.models.driver import Delta, Driver, Finish, ProviderError, Usage
from chatloom.server.store.contract import Attempt, Outcome, Store

_log = logging.getLogger("chatloom.turns")

RELEASE_PAUSES = (0.5, 5.0, 30.0, 120.0)
"""Seconds before each try to close a turn whose answer could not be stored."""

_LAST_WORDS = (Finish, Usage)

OUTCOMES: dict[str, Outcome] = {
    "stop": "complete",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}
"""How a turn ends whose model finished for this reason."""


class LiveTurn(Telling):
    """One attempt to grow a conversation, dispatched at once; `task` ends when it is settled.

    It is cancelled when nobody has read it for *patience* seconds, where its
    opening does not let it run.
    """

    def __init__(self, store: Store, driver: Driver, growing: Growing, patience: float) -> None:
        super().__init__(growing.opening.turn_id, growing.opening, growing.prompt.model)
        self.opening = growing.opening
        self._store = store
        self._driver = driver
        self._growing = growing
        self._patience = patience
        self._alarm: asyncio.TimerHandle | None = None
        self._waiting: list[Delta] = []  # said by the provider, not yet committed
        self._journalled = False
        self._attempts: list[Attempt] = []
        self._first_token_at: int | None = None
        self._listens = False  # to the provider; settling is never cancelled
        self.task = asyncio.create_task(self._run(), name=f"turn {self.id}")

    def cancel(self, reason: str = "the turn was cancelled") -> None:
        """Stop it; it is settled as cancelled."""
        self.stopped = self.stopped or reason
        if self._listens:
            self.task.cancel()

    def stop(self) -> None:
        """Cancel it since the server stops; whoever was told nothing may ask again."""
        self.was_interrupted = True
        self.cancel("the server stopped before the answer was whole")

    def _attended(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _forsaken(self) -> None:
        if self.outcome is None and self.opening.unread == "cancel":
            loop = asyncio.get_running_loop()
            reason = f"nobody has read it for {self._patience:g} seconds"
            self._alarm = loop.call_later(self._patience, self.cancel, reason)

    async def _run(self) -> None:
        await self._settle(await self._dispatch())
        self._attended()  # or an alarm would ring for what is over

    async def _dispatch(self) -> Outcome:
        if self.stopped is not None:
            return "cancelled"
        self._listens = True
        try:
            with noting() as self._attempts:
                return await self._listen()
        except ProviderError as error:
            self.problem = error
            return outcome_of(error)
        except asyncio.CancelledError:
            self.stopped = self.stopped or "the turn was cancelled"
            return "cancelled"
        except Exception as error:
            _log.exception("turn %s failed", self.id)
            self.problem = ProviderError("unavailable", f"internal error ({type(error).__name__})")
            return "provider_error"
        finally:
            self._listens = False

    async def _listen(self) -> Outcome:
        prompt = self._growing.prompt
        choices, streamed = prompt.choices, self.opening.streamed
        async for deltas in self._driver.answer(prompt):
            self._take(deltas)
            if streamed and self._waiting and not self.answer.is_whole(choices):
                await self._commit()
        if not self.answer.is_whole(choices):
            raise ProviderError("truncated", "the provider stopped before its answer was whole")
        reason = self.answer.choices[0].finish_reason
        assert reason is not None
        return OUTCOMES[reason]

    def _take(self, deltas: Sequence[Delta]) -> None:
        if self._first_token_at is None and deltas:
            self._first_token_at = milliseconds()
        self.answer.add(deltas)
        # How it ended is told last, once everything is settled.
        self._waiting += [one for one in deltas if not isinstance(one, _LAST_WORDS)]

    async def _commit(self) -> None:
        batch = self._waiting
        last = len(self.said) + len(batch)
        self._journalled = True  # or about to be: who is cancelled meanwhile cannot tell
        await self._store.append(self.id, last, msgspec.json.encode(batch))
        self._waiting = []
        self._tell(batch)

    async def _settle(self, outcome: Outcome) -> None:
        end = End(
            outcome=outcome,
            answer=self.answer,
            said=self.said,
            unsaid=self._waiting,
            problem=self.problem,
            stopped=self.stopped if outcome == "cancelled" else None,
            attempts=self._attempts,
            first_token_at=self._first_token_at,
        )
        try:
            settlement, last_words = settlement_of(self._growing, end, journalled=self._journalled)
            branch_id = await self._store.settle(settlement)
        except Exception:
            _log.exception("turn %s could not be settled as %s", self.id, outcome)
            self.problem = ProviderError("unavailable", "the answer could not be stored")
            self.outcome = "provider_error"
            self._tell(())
            await self._release(self.problem)
        else:
            self.usage, self.branch_id = settlement.usage, branch_id or None
            self.grown = [replace(node, branch_id=branch_id) for node in settlement.nodes]
            self.making = making_of(settlement)
            self.outcome = outcome
            self._tell(last_words)

    async def _release(self, problem: ProviderError) -> None:
        """Settle a turn whose answer could not be stored: without it, and free of charge."""
        for pause in RELEASE_PAUSES:
            await asyncio.sleep(pause)
            try:
                closing = given_up(self._growing, problem, journalled=self._journalled)
                await self._store.settle(closing)
            except Exception as error:
                _log.warning("turn %s is still open: %s", self.id, error)
            else:
                return
