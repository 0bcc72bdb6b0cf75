"""Beginning turns, and keeping those that run."""

from __future__ import annotations

import asyncio

import msgspec

from chatloom.server.chat.ask import Ask
from chatloom.server.chat.live import LiveTurn
from chatloom.server.chat.message import Message
from chatloom.server.chat.place import Place, find_place
from chatloom.server.chat.tree import canonical
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.models.driver import Prompt, Usage
from chatloom.server.models.registry import Registry, Resolved
from chatloom.server.refusal import Refusal
from chatloom.server.store.contract import Opening, Store

UNLIMITED_ANSWER = 4096
"""Tokens set aside for an answer whose length nobody limited."""
LONGEST_ANSWER = 1_000_000
"""Tokens beyond which nothing is set aside, whatever a request allows."""


class Turns:
    """All turns of one server."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._live: dict[str, LiveTurn] = {}
        self.closing = False

    def live(self, account_id: str, id: str) -> LiveTurn | None:
        """The running turn of this id, in this account."""
        turn = self._live.get(id)
        return turn if turn is not None and turn.opening.account_id == account_id else None

    async def begin(self, ask: Ask) -> LiveTurn:
        """Store a turn and its reservation, then dispatch it.

        Raises `UnknownModel`, `Refusal`, or `ProviderError` for what the model
        cannot obey; then nothing is stored.
        """
        if self.closing:
            raise Refusal("unavailable", "the server is stopping", code="stopping", repeatable=True)
        resolved = self._registry.resolve(ask.model)
        place = await find_place(self._store, ask)
        prompt = _prompt(ask, place, resolved)
        resolved.driver.check(prompt)
        opening = _opening(ask, place, resolved, prompt)
        price_id = await self._store.open_turn(opening)
        turn = LiveTurn(
            self._store, resolved.driver, prompt, opening, price_id, place.parent, place.new
        )
        self._live[turn.id] = turn
        turn.start().add_done_callback(lambda _: self._live.pop(turn.id, None))
        return turn

    async def close(self, grace: float) -> None:
        """Begin no more; let running turns end for *grace* seconds, then cancel them."""
        self.closing = True
        ending = [asyncio.create_task(turn.ended()) for turn in self._live.values()]
        if not ending:
            return
        _, late = await asyncio.wait(ending, timeout=grace)
        for turn in list(self._live.values()):
            turn.cancel("the server stopped before the answer was whole")
        if late:
            await asyncio.wait(late)


def _prompt(ask: Ask, place: Place, resolved: Resolved) -> Prompt:
    lead = [Message(role="system", content=ask.system_prompt)] if ask.system_prompt else []
    return Prompt(
        model=resolved.model,
        messages=[*lead, *place.before, *place.new],
        parameters=ask.parameters,
        streamed=ask.streamed,
        extra=ask.extra,
        options=resolved.options,
        attempt_key=ask.attempt_key,
    )


def _at_most(prompt: Prompt) -> int:
    """About as many tokens as a prompt can have, without counting: three bytes of UTF-8 each."""
    parts = sum(len(part) for part in map(canonical, prompt.messages))
    return (parts + len(msgspec.json.encode(prompt.parameters.tools))) // 3


def _opening(ask: Ask, place: Place, resolved: Resolved, prompt: Prompt) -> Opening:
    longest = ask.parameters.max_tokens or resolved.info.max_output_tokens or UNLIMITED_ANSWER
    most = Usage(_at_most(prompt), min(longest, LONGEST_ANSWER) * ask.parameters.n)
    request = {
        "new": place.new,
        "system_prompt": ask.system_prompt,
        "parameters": ask.parameters,
        "extra": ask.extra,
        "metadata": ask.metadata,
    }
    return Opening(
        turn_id=new_id(),
        account_id=ask.account_id,
        key_id=ask.key_id,
        end_user=ask.end_user,
        conversation_id=place.conversation_id,
        starts_conversation=place.starts_conversation,
        listed=ask.end_user is not None or ask.names_a_place,
        metadata=ask.metadata,
        branch_id=place.branch_id,
        parent_id=place.parent.id if place.parent else None,
        protocol=ask.protocol,
        model=ask.model,
        provider=resolved.info.provider,
        streamed=ask.streamed,
        request=msgspec.json.encode(request),
        priced_as=resolved.info.id,
        price=resolved.price,
        reserved=resolved.price.of(most) if resolved.price else 0,
        started_at=milliseconds(),
    )
