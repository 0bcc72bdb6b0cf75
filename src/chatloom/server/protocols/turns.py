"""Turns by their id: read back, followed, cancelled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeAlias

from chatloom.server.call import Call, Reply, StreamedReply, json_reply
from chatloom.server.chat.telling import Reader, Telling
from chatloom.server.ids import is_id
from chatloom.server.protocols import completions
from chatloom.server.protocols.moments import iso
from chatloom.server.refusal import invalid, not_found
from chatloom.server.routes import Route
from chatloom.server.store import contract
from chatloom.wire import chatloom as wire
from chatloom.wire import openai

FIRST_WORD = 10.0
"""Seconds a stream waits for its first word, so that an early failure still has a status."""

Tell: TypeAlias = Callable[[Telling, Reader, int], AsyncIterator[bytes]]

_TELLERS: Mapping[str, Tell] = {"chatserver": completions.write_stream}
"""How each protocol streams a turn."""


def turn_headers(turn: Telling, *, repeated: bool) -> list[tuple[bytes, bytes]]:
    """What an answer says of its turn; *repeated* where another request began that."""
    headers = [(b"x-chatloom-turn", turn.id.encode())]
    if repeated:
        headers.append((b"idempotent-replayed", b"true"))
    return headers


async def tell(call: Call, turn: Telling, *, repeated: bool) -> StreamedReply:
    """Stream *turn* in the protocol it was asked in; a *repeated* one from where its reader was.

    Raises `Refusal` for a turn that fails before its first word, while a
    status can still say so.
    """
    after = _after(call, turn) if repeated else 0
    reader = call.reader(turn, after, silence=completions.SILENCE)
    await reader.word(FIRST_WORD)
    if turn.failed and not turn.said:
        raise completions.failure_of(turn)
    pieces = _TELLERS[turn.about.protocol](turn, reader, after)
    return StreamedReply(pieces, turn_headers(turn, repeated=repeated))


def _after(call: Call, turn: Telling) -> int:
    """The event that the reader saw last, 0 for none. Raises `Refusal` for one not told yet."""
    told = call.headers.get("last-event-id") or call.query.get("after") or "0"
    after = int(told) if told.isascii() and told.isdigit() and len(told) < _DIGITS else None
    if after is None or after > len(turn.said):
        raise invalid("this turn has told no such event", param="after", code="unknown_event")
    return after


_DIGITS = 12


def _id(call: Call) -> str:
    """The turn that the address names; a completion's id does, too."""
    id = completions.turn_id_of(call.parts["turn_id"])
    if not is_id(id):
        raise not_found("turn")
    return id


async def get_turn(call: Call) -> Reply:
    """Answer ``GET /v1/turns/{turn_id}``."""
    store, account = call.services.store, call.key.account_id
    turn = await store.turn(account, _id(call))
    if turn is None:
        raise not_found("turn")
    node = await store.node(account, turn.message_id) if turn.message_id else None
    return json_reply(_told(turn, node.message.text if node else ""))


def _told(turn: contract.Turn, text: str) -> wire.Turn:
    usage = None
    if (counted := turn.usage) is not None:
        usage = wire.TurnUsage(counted.prompt_tokens, counted.completion_tokens, counted.estimated)
    return wire.Turn(
        id=turn.id,
        conversation_id=turn.conversation_id,
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


async def follow_turn(call: Call) -> StreamedReply:
    """Answer ``GET /v1/turns/{turn_id}/events``."""
    turn = await call.services.turns.telling(call.key.account_id, _id(call))
    return await tell(call, turn, repeated=True)


async def cancel_turn(call: Call) -> Reply:
    """Answer ``POST /v1/turns/{turn_id}/cancel``, when the turn is settled."""
    turn = call.services.turns.live(call.key.account_id, _id(call))
    if turn is not None:
        turn.cancel()
        await turn.ended()
    return await get_turn(call)


ROUTES = (
    Route(
        method="GET",
        path="/v1/turns/{turn_id}",
        owner="chatloom",
        summary="Read a turn back: its outcome, its text, what it took and cost",
        endpoint=get_turn,
        scope="chat",
        answer=wire.Turn,
        errors=("unauthenticated", "forbidden", "not_found"),
    ),
    Route(
        method="GET",
        path="/v1/turns/{turn_id}/events",
        owner="chatloom",
        summary="Follow a turn: what stands behind `Last-Event-ID` or `after`, then the rest",
        endpoint=follow_turn,
        scope="chat",
        streams=openai.Chunk,
        errors=("invalid", "unauthenticated", "forbidden", "not_found", "conflict", "gone"),
    ),
    Route(
        method="POST",
        path="/v1/turns/{turn_id}/cancel",
        owner="chatloom",
        summary="Stop a turn, and read it back once it is settled",
        endpoint=cancel_turn,
        scope="chat",
        answer=wire.Turn,
        errors=("unauthenticated", "forbidden", "not_found"),
    ),
)
