"""Beginning turns, keeping those that run, finding those that ran."""

from __future__ import annotations

import asyncio
import logging
from weakref import WeakValueDictionary

import msgspec

from chatloom.server.chat.ask import Ask
from chatloom.server.chat.live import LiveTurn
from chatloom.server.chat.opening import opening_of, prompt_of
from chatloom.server.chat.place import Place, find_place, place_apart
from chatloom.server.chat.recovery import recovered, unrecovered
from chatloom.server.chat.settling import Growing, never_asked
from chatloom.server.chat.telling import Telling
from chatloom.server.models.driver import Prompt, ProviderError
from chatloom.server.models.registry import Registry, UnknownModel
from chatloom.server.refusal import Refusal, invalid, key_reused, not_found
from chatloom.server.store.contract import (
    KeyTaken,
    Node,
    Opening,
    Repetition,
    Settlement,
    Store,
    Turn,
    Unfinished,
)
from chatloom.server.store.spending import BudgetExceeded

_log = logging.getLogger("chatloom.turns")

PATIENCE = 30.0
"""Seconds after which a turn that nobody reads is cancelled."""


class Turns:
    """All turns of one server."""

    def __init__(self, store: Store, registry: Registry, patience: float = PATIENCE) -> None:
        self._store = store
        self._registry = registry
        self._patience = patience
        self._live: dict[str, LiveTurn] = {}
        self._closings: set[asyncio.Task[None]] = set()
        self._past_turns: WeakValueDictionary[str, Telling] = WeakValueDictionary()
        """Those that somebody reads again, so that all who do share one copy."""
        self._claims: dict[tuple[str, bytes], _Claim] = {}
        self.closing = False

    def live(self, account_id: str, id: str) -> LiveTurn | None:
        """The running turn of this id, in this account."""
        turn = self._live.get(id)
        return turn if turn is not None and turn.opening.account_id == account_id else None

    async def begin(self, ask: Ask) -> tuple[Telling, bool]:
        """Store a turn and its reservation, then dispatch it.

        A repetition of a request joins the turn which that began, running or
        over; then the second value is True. Raises `UnknownModel`, `Refusal`,
        `BudgetExceeded`, or `ProviderError` for what the model cannot obey; then
        nothing is stored.
        """
        if ask.repetition is None:
            if ask.goes_on:
                raise _unknown_event()
            return await self._begin(ask), False
        name = (ask.account_id, ask.repetition.key_digest)
        while (claim := self._claims.get(name)) is not None:
            _check_same(ask.repetition, claim.repetition.body_digest)
            if (turn := await asyncio.shield(claim.turn)) is not None:
                return turn, True
            # The first one was refused, as if it had never come.
        claim = self._claims[name] = _Claim(ask.repetition)
        found: Telling | None = None
        try:
            found, repeated = await self._begin_or_find(ask, ask.repetition)
            return found, repeated
        finally:
            claim.turn.set_result(found)
            if isinstance(found, LiveTurn):
                found.task.add_done_callback(lambda _: self._claims.pop(name))
            else:
                del self._claims[name]

    async def telling(self, account_id: str, id: str) -> Telling:
        """The turn of this id, running or over. Raises `Refusal` for none in this account."""
        live = self.live(account_id, id)
        if live is not None:
            return live
        turn = await self._store.turn(account_id, id)
        if turn is None:
            raise not_found("turn")
        return await self._past(turn)

    async def recover(self) -> int:
        """Settle what a crash left open; dispatch nothing. Returns how many turns that were."""
        unfinished = await self._store.open_turns()
        await asyncio.gather(*map(self._recover, unfinished))
        if unfinished:
            _log.warning(
                "turns that a crash left open and that are settled now: %d", len(unfinished)
            )
        return len(unfinished)

    async def _recover(self, unfinished: Unfinished) -> None:
        try:
            await self._store.settle(await recovered(self._store, unfinished))
        except Exception:  # or no server would ever start
            _log.exception("turn %s, left open by a crash, is given up", unfinished.opening.turn_id)
            await self._close(unrecovered(unfinished))

    async def close(self, grace: float) -> None:
        """Begin no more; let running turns end for *grace* seconds, then cancel them."""
        self.closing = True
        ending = [asyncio.create_task(turn.ended()) for turn in self._live.values()]
        ending += self._closings
        if not ending:
            return
        _, late = await asyncio.wait(ending, timeout=grace)
        for turn in list(self._live.values()):
            turn.stop()
        if late:
            await asyncio.wait(late)

    async def _begin(self, ask: Ask) -> LiveTurn:
        self._check_open()
        resolved = self._registry.resolve(ask.model)
        place = place_apart(ask) if ask.is_apart else await find_place(self._store, ask)
        leads = (ask.system_prompt or place.system_prompt, ask.found)
        lead = "\n\n".join(one for one in leads if one) or None
        ask = msgspec.structs.replace(ask, system_prompt=lead)
        prompt = prompt_of(ask, place, resolved)
        resolved.driver.check(prompt)
        opening = opening_of(ask, place, resolved, prompt)
        growing = await self._opened(opening, prompt, place)
        turn = LiveTurn(self._store, resolved.driver, growing, self._patience)
        if self.closing:  # by now
            turn.stop()
        self._live[turn.id] = turn
        turn.task.add_done_callback(lambda _: self._live.pop(turn.id))
        return turn

    def _check_open(self) -> None:
        if self.closing:
            raise Refusal("unavailable", "the server is stopping", code="stopping", repeatable=True)

    async def _opened(self, opening: Opening, prompt: Prompt, place: Place) -> Growing:
        growing = Growing(
            opening=opening, price_id=None, prompt=prompt, parent=place.parent, new=place.new
        )
        try:
            price_id = await self._store.open_turn(opening)
        except asyncio.CancelledError:
            # It may be stored all the same, and nobody is left to dispatch it.
            closing = asyncio.create_task(self._close(never_asked(growing)))
            self._closings.add(closing)
            closing.add_done_callback(self._closings.discard)
            raise
        return msgspec.structs.replace(growing, price_id=price_id)

    async def _close(self, settlement: Settlement) -> None:
        try:
            await self._store.settle(settlement)
        except Exception:
            _log.exception("turn %s is still open", settlement.opening.turn_id)

    async def _begin_or_find(self, ask: Ask, repetition: Repetition) -> tuple[Telling, bool]:
        try:
            if ask.goes_on:
                raise _unknown_event()
            return await self._begin(ask), False
        except (BudgetExceeded, KeyTaken, Refusal, UnknownModel, ProviderError) as refusal:
            # Whether it came before is asked only here, since mostly it did not.
            turn = await self._store.turn_of_key(ask.account_id, repetition.key_digest)
            if turn is not None:
                _check_same(repetition, turn.body_digest)
                return await self._past(turn), True
            if isinstance(refusal, KeyTaken):  # and has become free this very moment
                raise _unsettled() from None
            raise

    async def _past(self, turn: Turn) -> Telling:
        if turn.outcome is None:
            raise _unsettled()
        known = self._past_turns.get(turn.id)
        if known is not None:
            return known
        deltas = await self._store.replay(turn.id)
        if deltas is None:
            raise Refusal("gone", "what was said in this turn is forgotten", code="replay_expired")
        grown, making = await self._grown(turn), await self._store.makings([turn.id])
        if turn.message_id is not None and not grown:
            raise Refusal("gone", "what this turn said is deleted", code="deleted")
        about = (turn, deltas, grown, making.get(turn.id))
        if len(deltas) > _LONG:
            telling = await asyncio.to_thread(Telling.past, *about)
        else:
            telling = Telling.past(*about)
        return self._past_turns.setdefault(turn.id, telling)

    async def _grown(self, turn: Turn) -> list[Node]:
        """What a settled turn added to its branch, the answer last."""
        grown: list[Node] = []
        id = turn.message_id
        while id is not None:
            node = await self._store.node(turn.account_id, id)
            if node is None or node.turn_id != turn.id:
                break
            grown.append(node)
            id = node.parent_id
        return grown[::-1]


_LONG = 500_000
"""Bytes of deltas that are read apart, so that nobody else waits for it."""


class _Claim:
    """A request that came first with its key, and the turn it begins; `None` if it does not."""

    def __init__(self, repetition: Repetition) -> None:
        self.repetition = repetition
        self.turn: asyncio.Future[Telling | None] = asyncio.get_running_loop().create_future()


def _check_same(repetition: Repetition, body_digest: bytes | None) -> None:
    if repetition.body_digest != body_digest:
        raise key_reused()


def _unknown_event() -> Refusal:
    return invalid("no turn was begun by this request, to go on with", code="unknown_event")


def _unsettled() -> Refusal:
    return Refusal(
        "conflict",
        "this turn has ended, and its end is not stored yet",
        code="turn_unsettled",
        retry_after=1,
        repeatable=True,
    )
