"""Answers of the Messages API, whole and as events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from chatloom.core.event_stream import HEARTBEAT, encode_event
from chatloom.server.call import BrokenOff, LastPiece
from chatloom.server.chat.telling import Reader, Telling
from chatloom.server.models.driver import (
    Delta,
    Finish,
    Reasoning,
    Served,
    Text,
    ToolCall,
    Usage,
)
from chatloom.server.protocols.anthropic.errors import anthropic_error
from chatloom.server.protocols.anthropic.layout import (
    Layout,
    Said,
    Wording,
    block_of,
    stop_of,
    usage_of,
    wording_of,
    words_of,
)
from chatloom.server.protocols.envelopes import failure_of
from chatloom.server.protocols.voice import Voice
from chatloom.wire import anthropic as wire


def message_id(turn: Telling) -> str:
    """The id by which clients of this wire know a turn."""
    return "msg_" + turn.id.replace("-", "")


def message_of(turn: Telling, wording: Wording | None = None) -> wire.MessageAnswer:
    """Tell a settled turn in one piece, in the wording it was asked for unless that is given."""
    assert turn.usage is not None, "a turn that went well was charged"
    layout = Layout(wording or wording_of(turn.about.told_as))
    blocks: list[tuple[Said, list[str]]] = []
    for placed in map(layout.place, turn.said):
        if placed is not None:
            index, said, begins = placed
            if begins:
                blocks.append((said, []))
            blocks[index][1].append(words_of(said))
    reason = turn.answer.choices[0].finish_reason
    return wire.MessageAnswer(
        id=message_id(turn),
        model=turn.served_model,
        content=[block_of(first, "".join(words)) for first, words in blocks],
        stop_reason=stop_of(reason, refuses=layout.refuses),
        usage=usage_of(turn.usage),
        conversation_id=turn.about.conversation_id,
    )


class EventWriter:
    """Writes the deltas of one turn as events, from behind the first *after* of them on.

    The last of the events that a delta becomes has its number as id, so that a
    reader who lost the connection can say where to go on. What is written for a
    delta depends only on those before it, wherever a reader begins.
    """

    def __init__(self, turn: Telling, after: int, told_as: str) -> None:
        self._turn = turn
        self._wording = wording_of(told_as)
        self._layout = Layout(self._wording)
        self._number = 0
        self._has_begun = False
        self._finish: Finish | None = None
        for delta in turn.said[:after]:  # what the reader has seen already
            self._number += 1
            self._events(delta)

    def write(self, deltas: Sequence[Delta]) -> bytes:
        """The events of *deltas*, which follow those written before."""
        layout = self._layout
        written: list[bytes] = []
        for delta in deltas:
            self._number += 1
            if isinstance(delta, Text) and layout.is_text and delta.text and not delta.choice:
                # The one event that matters for speed; the same as is written below.
                written.append(_TEXT_EVENT % (self._number, layout.current, _encode(delta.text)))
            elif events := self._events(delta):
                written += [_written(event) for event in events[:-1]]
                written.append(_written(events[-1], str(self._number)))
        return b"".join(written)

    def _events(self, delta: Delta) -> list[wire.Event]:
        events: list[wire.Event] = []
        if not self._has_begun:
            self._has_begun = True
            events.append(self._start(delta))
        if isinstance(delta, Finish):
            if not delta.choice:
                self._finish = delta
        elif isinstance(delta, Usage):
            events += self._end(delta)
        else:
            events += self._addition(delta)
        return events

    def _start(self, first: Delta) -> wire.MessageStart:
        turn = self._turn
        usage = wire.MessageUsage(input_tokens=self._wording.input_tokens, output_tokens=0)
        return wire.MessageStart(
            wire.MessageAnswer(
                id=message_id(turn),
                model=first.model if isinstance(first, Served) else turn.served_model,
                content=[],
                usage=usage,
                conversation_id=turn.about.conversation_id,
            )
        )

    def _addition(self, delta: Delta) -> list[wire.Event]:
        before = self._layout.current
        placed = self._layout.place(delta)
        if placed is None:
            return []
        index, said, begins = placed
        events: list[wire.Event] = []
        if begins:
            if before is not None:
                events.append(wire.BlockStop(before))
            events.append(wire.BlockStart(index, block_of(said, "")))
        if words := words_of(said):
            events.append(wire.BlockDelta(index, _delta(said, words)))
        return events

    def _end(self, usage: Usage) -> list[wire.Event]:
        last = self._layout.current
        reason = self._finish.reason if self._finish is not None else None
        stop = wire.Stop(stop_of(reason, refuses=self._layout.refuses))
        end = wire.MessageDelta(stop, usage_of(usage))
        return [end] if last is None else [wire.BlockStop(last), end]


def _delta(said: Said, words: str) -> wire.TextDelta | wire.ThinkingDelta | wire.InputDelta:
    if isinstance(said, ToolCall):
        return wire.InputDelta(words)
    return wire.ThinkingDelta(words) if isinstance(said, Reasoning) else wire.TextDelta(words)


_encode = msgspec.json.Encoder().encode

_TEXT_EVENT = (
    b"event: content_block_delta\nid: %d\n"
    b'data: {"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":%s}}\n\n'
)


def _written(event: wire.Event, id: str = "") -> bytes:
    return encode_event(_encode(event), event=str(event.__struct_config__.tag), id=id)


_LAST = LastPiece(_written(wire.MessageStop()))


async def write_stream(
    turn: Telling, reader: Reader, after: int = 0, told_as: str = ""
) -> AsyncIterator[bytes]:
    """Tell a turn as it lives. A failure is told, and then the answer has no end."""
    writer = EventWriter(turn, after, told_as)
    async for batch in reader:
        # Thoughts that are not told are no reason to keep silent.
        yield writer.write(batch) or HEARTBEAT
    if reader.has_left:
        raise BrokenOff
    if turn.failed:
        yield _failure(turn)
        raise BrokenOff
    yield _LAST


def _failure(turn: Telling) -> bytes:
    failure = failure_of(turn)
    failure.partial = None  # its reader has it
    usage = usage_of(turn.usage) if turn.usage is not None else None
    told = {**anthropic_error(failure), **({"usage": usage} if usage else {})}
    return encode_event(_encode(told), event="error")


VOICE = Voice(message_of, write_stream)
"""For every protocol that speaks Anthropic's."""
