"""Answers that arrive piece by piece, on both wires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar, cast

from pydantic import ValidationError

from chatloom.core.errors import StreamError, Truncated
from chatloom.core.event_stream import Event, EventStreamDecoder
from chatloom.core.http import JSON
from chatloom.core.reading import Reading
from chatloom.core.streams import AsyncStream, Stream
from zaguan._blocks import MessageSoFar
from zaguan.accumulator import StreamAccumulator
from zaguan.models import ChatChunk, ChatResponse, MessagesResponse, MessagesStreamEvent

__all__ = ["AsyncChatStream", "AsyncMessagesStream", "ChatStream", "MessagesStream"]

Piece = TypeVar("Piece", ChatChunk, MessagesStreamEvent)
Whole = TypeVar("Whole")

_FAILED = frozenset({"error", "abort", "cancelled"})
"""What some servers write where the answer is no whole one."""


class EventReading(Reading[Piece, Whole], Generic[Piece, Whole]):
    """Reads events, each of them a piece.

    A server may tell several events under one id, which the last of them carries.
    Where an answer breaks off among them, it goes on behind the id before, so that
    those which are known are told again: they are passed over.

    One that begins behind an event, *after*, may find just the end of the answer.
    """

    def __init__(self, after: str = "") -> None:
        self.last_event_id = after
        self._is_rest = bool(after)
        self._without_id = 0
        self.restart()
        self._marks = [after]

    def restart(self) -> None:
        """Read on in another body."""
        self._events = EventStreamDecoder()
        self._events.last_event_id = self.last_event_id
        self._told_again = self._without_id

    def feed(self, data: bytes) -> Sequence[Piece]:
        """Take in the next bytes; hand out the pieces they complete."""
        pieces: list[Piece] = []
        self._marks = [self.last_event_id]
        for event in self._events.feed(data):
            try:
                piece = self._read(event)
            except ValidationError as error:
                reason = error.errors(include_url=False, include_input=False)[0]["msg"]
                self.failure = Truncated(f"the stream sent something unreadable: {reason}")
            else:
                if piece is not None and self._is_new(event):
                    self._take(piece)
                    pieces.append(piece)
                    self._marks.append(event.id)
            if self.complete or self.failure is not None:
                break
        return pieces

    def _is_new(self, event: Event) -> bool:
        """Take note of the event's id, and say whether it was not told before."""
        if event.id != self.last_event_id:
            self.last_event_id = event.id
            self._without_id = 0
        elif not self._told_again:
            self._without_id += 1
        if self._told_again:
            self._told_again -= 1
            return False
        return True

    def event_before(self, waiting: int) -> str:
        """The event to go on behind where the last *waiting* pieces were never taken."""
        return self._marks[max(0, len(self._marks) - 1 - waiting)]

    def _end(self, reasons: Sequence[str | None]) -> None:
        """The server said that it is done; whether the answer is depends on how it ended."""
        if failed := [reason for reason in reasons if reason in _FAILED]:
            self.failure = StreamError(f"the answer ended with {failed[0]!r}")
        elif None in reasons and not self._is_rest:
            self.failure = Truncated("the stream ended without saying how its answer did")
        else:
            self.complete = True

    def _read(self, event: Event) -> Piece | None:
        """Make a piece of an event; `None` for one that is none, its meaning noted."""
        raise NotImplementedError

    def _take(self, piece: Piece) -> None:
        """Keep a piece for the whole."""
        raise NotImplementedError


class ChatReading(EventReading[ChatChunk, ChatResponse]):
    """Reads the chunks of a chat completion."""

    def __init__(self, after: str = "") -> None:
        super().__init__(after)
        self.accumulator = StreamAccumulator()

    @property
    def text(self) -> str:
        """The text of the first choice so far."""
        return self.accumulator.get_content()

    @property
    def model(self) -> str | None:
        """The model that answers."""
        return self.accumulator.model or None

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended."""
        return self.accumulator.get_finish_reason()

    def whole(self) -> ChatResponse:
        """The answer."""
        return self.accumulator.get_response()

    def _read(self, event: Event) -> ChatChunk | None:
        if event.data == b"[DONE]":
            known = self.accumulator
            indexes = known.choice_indexes or [0]
            self._end([known.get_finish_reason(index) for index in indexes])
            return None
        chunk = ChatChunk.model_validate_json(event.data)
        if (complaint := _complaint(chunk, event.event)) is not None:
            self._note_usage(chunk)
            self.failure = _told(complaint)
            return None
        return chunk

    def _take(self, piece: ChatChunk) -> None:
        self.accumulator.add_chunk(piece)
        self._note_usage(piece)

    def _note_usage(self, chunk: ChatChunk) -> None:
        if chunk.usage is not None:
            self.usage = cast("JSON", chunk.usage.model_dump(mode="json", exclude_unset=True))


class MessagesReading(EventReading[MessagesStreamEvent, MessagesResponse]):
    """Reads the events of a message on the Anthropic wire."""

    def __init__(self, after: str = "") -> None:
        super().__init__(after)
        self._message = MessageSoFar()

    @property
    def text(self) -> str:
        """The text so far."""
        return self._message.text

    @property
    def model(self) -> str | None:
        """The model that answers."""
        return self._message.model

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended."""
        return self._message.stop_reason

    def whole(self) -> MessagesResponse:
        """The answer."""
        return self._message.whole()

    def _read(self, event: Event) -> MessagesStreamEvent | None:
        told = MessagesStreamEvent.model_validate_json(event.data)
        extra = cast("Mapping[str, JSON]", told.model_extra or {})
        if told.type == "error" or event.event == "error":
            self._note(told)
            self.failure = _told(extra.get("error") or "the server said no more")
            return None
        return None if told.type == "ping" else told

    def _take(self, piece: MessagesStreamEvent) -> None:
        self._note(piece)
        if piece.type == "message_stop":
            self._end([self._message.stop_reason])

    def _note(self, event: MessagesStreamEvent) -> None:
        self._message.add(event)
        if event.usage is not None or event.message is not None:
            usage = self._message.usage.model_dump(mode="json", exclude_unset=True)
            self.usage = cast("JSON", usage)


def _complaint(chunk: ChatChunk, event: str) -> JSON:
    """What an event that is no part of an answer says, in any of the shapes seen."""
    extra = cast("Mapping[str, JSON]", chunk.model_extra or {})
    if (error := extra.get("error")) is not None:
        return error
    if event == "error" or not chunk.choices:
        told = extra.get("message") or extra.get("detail")
        return told if told is not None or event != "error" else "the server said no more"
    return None


def _told(error: JSON) -> StreamError:
    details = error if isinstance(error, dict) else {}
    message = details.get("message", error)
    failure = StreamError(str(message), body=cast("JSON", {"error": error}))
    code = details.get("code") or details.get("type")
    failure.code = code if isinstance(code, str) else None
    return failure


class AsyncChatStream(AsyncStream[ChatChunk, ChatResponse]):
    """The chunks of an answer, as they arrive.

    Iterate it with ``async for``, or await `collect` for the whole answer. It
    raises `StreamInterruptedError` when the answer fails or ends too early.
    """

    _reading: ChatReading

    @property
    def response(self) -> ChatResponse:
        """What has arrived so far, as a plain answer would hold it, tool calls included."""
        return self._reading.whole()

    def settled(self) -> ChatStream:
        """Open the stream and offer it to a blocking caller."""
        return ChatStream(self)


class ChatStream(Stream[ChatChunk, ChatResponse]):
    """The chunks of an answer, as they arrive.

    Iterate it, or call `collect` for the whole answer. It raises
    `StreamInterruptedError` when the answer fails or ends too early.
    """

    _source: AsyncChatStream

    @property
    def response(self) -> ChatResponse:
        """What has arrived so far, as a plain answer would hold it, tool calls included."""
        return self._source.response


class AsyncMessagesStream(AsyncStream[MessagesStreamEvent, MessagesResponse]):
    """The events of an answer, as they arrive.

    Iterate it with ``async for``, or await `collect` for the whole answer. It
    raises `StreamInterruptedError` when the answer fails or ends too early.
    """

    _reading: MessagesReading

    @property
    def response(self) -> MessagesResponse:
        """What has arrived so far, as a plain answer would hold it."""
        return self._reading.whole()

    def settled(self) -> MessagesStream:
        """Open the stream and offer it to a blocking caller."""
        return MessagesStream(self)


class MessagesStream(Stream[MessagesStreamEvent, MessagesResponse]):
    """The events of an answer, as they arrive.

    Iterate it, or call `collect` for the whole answer. It raises
    `StreamInterruptedError` when the answer fails or ends too early.
    """

    _source: AsyncMessagesStream

    @property
    def response(self) -> MessagesResponse:
        """What has arrived so far, as a plain answer would hold it."""
        return self._source.response
