"""Turns by their id: read back, followed, cancelled."""

from __future__ import annotations

from collections.abc import Mapping

from chatloom.server.call import Call, Reply, StreamedReply, json_reply
from chatloom.server.identity.powers import may_see
from chatloom.server.ids import is_id
from chatloom.server.moments import iso
from chatloom.server.protocols.completions import turn_id_of
from chatloom.server.protocols.voice import Voice, stream
from chatloom.server.refusal import Refusal, not_found
from chatloom.server.routes import Route
from chatloom.server.store import contract
from chatloom.wire import chatloom as wire
from chatloom.wire import openai


def _id(call: Call) -> str:
    """The turn that the address names; a completion's id does, too."""
    id = turn_id_of(call.parts["turn_id"])
    if not is_id(id):
        raise not_found("turn")
    return id


async def get_turn(call: Call) -> Reply:
    """Answer ``GET /v1/turns/{turn_id}``."""
    store, account = call.services.store, call.key.account_id
    turn = await store.turn(account, _id(call))
    if turn is None or not may_see(call.key, turn.end_user):
        raise not_found("turn")
    node = await store.node(account, turn.message_id) if turn.message_id else None
    return json_reply(_told(turn, node.message.text if node else ""))


def _told(turn: contract.Turn, text: str) -> wire.Turn:
    usage = None
    if (counted := turn.usage) is not None:
        usage = wire.TurnUsage(counted.prompt_tokens, counted.completion_tokens, counted.estimated)
    return wire.Turn(
        id=turn.id,
        conversation_id=turn.conversation_id or None,
        parent_message_id=turn.parent_id,
        message_id=turn.message_id,
        protocol=turn.protocol,
        model=turn.model,
        served_model=turn.served_model,
        provider=turn.provider,
        streamed=turn.streamed,
        outcome=turn.outcome,
        problem=turn.problem,
        text=text,
        usage=usage,
        cost=None if turn.cost is None or not turn.priced else wire.Money.of(turn.cost),
        started_at=iso(turn.started_at),
        ended_at=iso(turn.ended_at),
    )


async def cancel_turn(call: Call) -> Reply:
    """Answer ``POST /v1/turns/{turn_id}/cancel``, when the turn is settled."""
    turn = call.services.turns.live(call.key.account_id, _id(call))
    if turn is not None and may_see(call.key, turn.opening.end_user):
        turn.cancel()
        await turn.ended()
    return await get_turn(call)


def routes(voices: Mapping[str, Voice]) -> tuple[Route, ...]:
    """The addresses of turns, each told in the voice of the protocol it was asked in."""

    async def follow_turn(call: Call) -> StreamedReply:
        """Answer ``GET /v1/turns/{turn_id}/events``."""
        turn = await call.services.turns.telling(call.key.account_id, _id(call))
        if not may_see(call.key, turn.about.end_user):
            raise not_found("turn")
        try:
            voice, told_as = voices[turn.about.protocol], turn.about.told_as
            return await stream(call, turn, voice, told_as, repeated=True)
        except Refusal as failure:
            failure.repeatable = False  # what is settled does not change
            raise

    return (
        Route(
            method="GET",
            path="/v1/turns/{turn_id}",
            owner="chatloom",
            summary="Read a turn back: its outcome, its text, what it took and cost",
            endpoint=get_turn,
            scope="chat",
            answer=wire.Turn,
            errors=("not_found",),
        ),
        Route(
            method="GET",
            path="/v1/turns/{turn_id}/events",
            owner="chatloom",
            summary="Follow a turn: what stands behind `Last-Event-ID` or `after`, then the rest",
            endpoint=follow_turn,
            scope="chat",
            streams=openai.Chunk,
            errors=("invalid", "not_found", "conflict", "gone"),
        ),
        Route(
            method="POST",
            path="/v1/turns/{turn_id}/cancel",
            owner="chatloom",
            summary="Stop a turn, and read it back once it is settled",
            endpoint=cancel_turn,
            scope="chat",
            answer=wire.Turn,
            errors=("not_found",),
        ),
    )
