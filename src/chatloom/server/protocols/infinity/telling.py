"""How Infinity Assistant tells a turn: in one piece, and in two ways as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec

from chatloom.core.event_stream import HEARTBEAT, encode_event
from chatloom.server.call import BrokenOff, LastPiece
from chatloom.server.chat.telling import Reader, Telling
from chatloom.server.models.driver import Delta, Text
from chatloom.server.protocols.envelopes import failure_of
from chatloom.server.protocols.infinity.errors import infinity_error
from chatloom.server.protocols.voice import Voice
from chatloom.wire import infinity as wire
from chatloom.wire.chatloom import Money

PROTOCOL = "infinity"

_encode = msgspec.json.Encoder().encode


class Wording(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an answer is told, and what was told to the model for it; kept with the turn."""

    mode: wire.Mode | None = None
    is_driving: bool = False
    memories: list[str] = []
    knowledge: list[str] = []
    is_named: bool = False
    """Whether its stream has named events, as the service's own pages read it."""


def told_as(wording: Wording) -> str:
    """A wording, as it is kept."""
    return _encode(wording).decode()


def _wording(told: str) -> Wording:
    return _read(told) if told else Wording()


_read = msgspec.json.Decoder(Wording).decode


def answer_of(turn: Telling) -> wire.ChatAnswer:
    """Tell a settled turn in one piece."""
    assert turn.message_id is not None, "a turn that went well has grown its tree"
    return wire.ChatAnswer(
        response=turn.answer.text,
        conversation_id=turn.about.conversation_id,
        message_id=turn.message_id,
        metadata=_metadata(turn, _wording(turn.about.told_as)),
    )


def _metadata(turn: Telling, wording: Wording) -> wire.ChatMetadata:
    making, usage, choice = turn.making, turn.usage, turn.answer.choices.get(0)
    tokens = usage.prompt_tokens + usage.completion_tokens if usage is not None else 0
    ended = making.ended_at if making is not None else None
    priced = making is not None and making.priced and making.cost is not None
    return wire.ChatMetadata(
        model=turn.served_model,
        tokens_used=tokens,
        usage=None
        if usage is None
        else wire.ChatUsage(
            prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens
        ),
        finish_reason=choice.finish_reason if choice is not None else None,
        processing_time=ended - turn.about.started_at if ended is not None else 0,
        mode=wording.mode,
        driving_mode=wording.is_driving,
        cost=Money.of(making.cost or 0) if making is not None and priced else None,
        turn_id=turn.id,
        conversation_id=turn.about.conversation_id,
        message_id=turn.message_id,
        memories_used=wording.memories,
        knowledge_used=wording.knowledge,
    )


async def _write(
    turn: Telling, reader: Reader, after: int = 0, told: str = ""
) -> AsyncIterator[bytes]:
    """Tell a turn as it lives. A failure is told, and then there is no end.

    *told* says in which dialect. All else is as the model was told when the turn began: a
    repeated request may have found something else since.
    """
    dialect: _Dialect
    wording = _wording(turn.about.told_as)
    dialect = _Named(turn, wording) if _wording(told).is_named else _Plain(turn, wording)
    number = after
    if not after and (begin := dialect.begin()):
        yield begin
    async for batch in reader:
        if not batch:
            yield HEARTBEAT
            continue
        events = b"".join(dialect.pieces(batch, number))
        number += len(batch)
        if events:
            yield events
    if reader.has_left:
        raise BrokenOff
    if turn.failed:
        yield dialect.failure()
        raise BrokenOff
    # The event that tells the end is numbered as the last there is: who heard that has it.
    yield LastPiece(dialect.end(number, is_heard=0 < after == len(turn.said)))


class _Dialect:
    """One way of telling a stream."""

    def __init__(self, turn: Telling, wording: Wording) -> None:
        self.turn = turn
        self.wording = wording

    def begin(self) -> bytes:
        """What comes first."""
        return b""

    def pieces(self, deltas: list[Delta], number: int) -> Iterator[bytes]:
        """The events of *deltas*, which stand behind the first *number* of them."""
        for delta in deltas:
            number += 1
            if isinstance(delta, Text) and not delta.choice:
                yield self.piece(delta.text, str(number))

    def piece(self, text: str, id: str) -> bytes:
        """Tell a piece of the answer."""
        raise NotImplementedError

    def failure(self) -> bytes:
        """Tell why there is no whole answer."""
        raise NotImplementedError

    def end(self, number: int, *, is_heard: bool) -> bytes:
        """Tell that the answer is whole, and stored; again, if *is_heard*."""
        raise NotImplementedError

    def error(self) -> wire.ErrorFrame:
        """Why there is no whole answer."""
        told = infinity_error(failure_of(self.turn))
        return wire.ErrorFrame(
            error=told.error, message=told.message, code=told.code, turn_id=self.turn.id
        )


class _Plain(_Dialect):
    """As the SDK reads it: frames without names, ``[DONE]`` behind them."""

    def piece(self, text: str, id: str) -> bytes:
        return encode_event(_encode(wire.TextFrame(content=text)), id=id)

    def failure(self) -> bytes:
        return encode_event(_encode(self.error()))

    def end(self, number: int, *, is_heard: bool) -> bytes:
        told = wire.MetadataFrame(metadata=_metadata(self.turn, self.wording))
        metadata = b"" if is_heard else encode_event(_encode(told), id=str(number))
        return metadata + b"data: [DONE]\n\n"


class _Named(_Dialect):
    """As the service's own pages read it: named events."""

    def begin(self) -> bytes:
        told = wire.StartEvent(conversation_id=self.turn.about.conversation_id)
        return encode_event(_encode(told), event="start")

    def piece(self, text: str, id: str) -> bytes:
        return encode_event(_encode(wire.ChunkEvent(text=text)), event="chunk", id=id)

    def failure(self) -> bytes:
        return encode_event(_encode(self.error()), event="error")

    def end(self, number: int, *, is_heard: bool) -> bytes:
        turn = self.turn
        told = wire.DoneEvent(
            conversation_id=turn.about.conversation_id,
            message_id=turn.message_id,
            metadata=_metadata(turn, self.wording),
        )
        return encode_event(_encode(told), event="done", id=str(number))


VOICE = Voice(answer_of, _write)
