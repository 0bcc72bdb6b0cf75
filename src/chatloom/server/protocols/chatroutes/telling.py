"""How ChatRoutes tells a turn: a question with its answer, in one piece or as frames."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from chatloom.core.event_stream import HEARTBEAT, encode_event
from chatloom.server.call import BrokenOff, LastPiece
from chatloom.server.chat.telling import Reader, Telling
from chatloom.server.models.driver import Served, Text
from chatloom.server.protocols.chatroutes.errors import chatroutes_error
from chatloom.server.protocols.chatroutes.spelling import message_told, usage_told
from chatloom.server.protocols.envelopes import failure_of
from chatloom.server.protocols.voice import Voice
from chatloom.wire import chatroutes as wire

PROTOCOL = "chatroutes"

_encode = msgspec.json.Encoder().encode


def exchange_of(turn: Telling) -> wire.Exchange:
    """Tell a settled turn in one piece."""
    assert turn.usage is not None, "a turn that went well was charged"
    *before, answer = turn.grown
    message = message_told(answer, turn.making)
    return wire.Exchange(
        message=message,
        user_message=message_told(before[-1]) if before else None,
        assistant_message=message,
        usage=usage_told(turn.usage),
        model=turn.served_model,
    )


def _whole(turn: Telling) -> wire.Answer[wire.Exchange]:
    return wire.Answer(data=exchange_of(turn))


async def _write(
    turn: Telling, reader: Reader, after: int = 0, told_as: str = ""
) -> AsyncIterator[bytes]:
    """Tell a turn as it lives, one line to a frame. A failure is told, and then there is no end."""
    number, model = after, turn.served_model
    async for batch in reader:
        if not batch:
            yield HEARTBEAT
            continue
        events: list[bytes] = []
        for delta in batch:
            number += 1
            if isinstance(delta, Served):
                model = delta.model
            elif isinstance(delta, Text) and not delta.choice:
                content = wire.Content(content=delta.text, model=model)
                events.append(encode_event(_encode(content), id=str(number)))
        if events:
            yield b"".join(events)
    if reader.has_left:
        raise BrokenOff
    if turn.failed:
        yield encode_event(_encode(_failure(turn)))
        raise BrokenOff
    end = b""
    if after < len(turn.said):  # else the reader has it
        end = _end(turn, number)
    yield LastPiece(end + b"data: [DONE]\n\n")


def _end(turn: Telling, number: int) -> bytes:
    told = exchange_of(turn)
    complete = wire.Complete(
        message=told.message, usage=told.usage, model=told.model, userMessage=told.user_message
    )
    return encode_event(_encode(complete), id=str(number))


def _failure(turn: Telling) -> wire.Failed:
    told = chatroutes_error(failure_of(turn))
    return wire.Failed(
        error=told.error,
        message=told.message,
        code=told.code,
        turnId=turn.id,
        usage=usage_told(turn.usage) if turn.usage is not None else None,
    )


VOICE = Voice(_whole, _write)
