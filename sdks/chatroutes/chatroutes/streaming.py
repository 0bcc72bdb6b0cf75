"""An answer that arrives piece by piece."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

from chatloom.core.errors import StreamError, Truncated
from chatloom.core.event_stream import Event, EventStreamDecoder
from chatloom.core.http import UNREADABLE
from chatloom.core.operations import typed
from chatloom.core.reading import Reading
from chatloom.core.streams import AsyncStream, Stream
from chatroutes.answers import Object, exchange, mapping, usage
from chatroutes.types import Message, MessageUsage, SendMessageResponse, StreamChunk

__all__ = ["AsyncMessageStream", "MessageStream"]

OnChunk: TypeAlias = Callable[[StreamChunk], object]
OnComplete: TypeAlias = Callable[[Message], object]

_decode = typed(Object)


class MessageReading(Reading[StreamChunk, SendMessageResponse]):
    """Reads the frames of an answer; the pieces are those with text.

    One that begins behind an event, *after*, may find just the end of the answer.
    """

    def __init__(self, conversation_id: str = "", after: str = "") -> None:
        self.last_event_id = after
        self.restart()
        self._conversation_id = conversation_id
        self._is_rest = bool(after)
        self._marks = [after]
        self._texts: list[str] = []
        self._model: str | None = None
        self._last: Object | None = None

    def restart(self) -> None:
        """Read on in another body."""
        self._events = EventStreamDecoder()
        self._events.last_event_id = self.last_event_id

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    @property
    def model(self) -> str | None:
        """The model that answers."""
        return self._model

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended."""
        message = mapping((self._last or {}).get("message"))
        reason = mapping(message.get("metadata")).get("finishReason")
        return reason if isinstance(reason, str) else None

    @property
    def is_told(self) -> bool:
        """Whether the answer's message has arrived."""
        return self._last is not None

    def feed(self, data: bytes) -> Sequence[StreamChunk]:
        """Take in the next bytes; hand out the pieces they complete."""
        pieces: list[StreamChunk] = []
        self._marks = [self.last_event_id]
        for event in self._events.feed(data):
            if event.data == b"[DONE]":
                self._end()
                break
            try:
                frame = _decode(event.data)
            except UNREADABLE as error:
                self.failure = Truncated(f"the stream sent something unreadable: {error}")
                break
            if (failure := _failure(event, frame)) is not None:
                self.usage = frame.get("usage") or self.usage
                self.failure = failure
                break
            self.last_event_id = event.id
            if (piece := self._taken(frame)) is not None:
                pieces.append(piece)
                self._marks.append(event.id)
        return pieces

    def _taken(self, frame: Object) -> StreamChunk | None:
        """Keep what a frame tells; give it back where it is a piece of the text."""
        if isinstance(model := frame.get("model"), str):
            self._model = model
        if frame.get("type") == "complete":
            self._last = frame
            self.usage = frame.get("usage") or self.usage
        content = frame.get("content")
        if frame.get("type", "content") != "content" or not isinstance(content, str):
            return None
        self._texts.append(content)
        return cast("StreamChunk", {"type": "content", **frame})

    def _end(self) -> None:
        if self._last is None and not self._is_rest:
            self.failure = Truncated("the stream ended without the message it was to end with")
        else:
            self.complete = True

    def event_before(self, waiting: int) -> str:
        """The event to go on behind where the last *waiting* pieces were never taken."""
        return self._marks[max(0, len(self._marks) - 1 - waiting)]

    def whole(self) -> SendMessageResponse:
        """The answer, as a plain one is told."""
        frame = self._last or {}
        told: Object = {name: value for name, value in frame.items() if name != "type"}
        so_far: Object = {"id": "", "role": "assistant", "content": self.text, "createdAt": ""}
        return exchange(
            {"model": self._model, **told, "message": mapping(told.get("message")) or so_far},
            self._conversation_id,
        )


def _failure(event: Event, frame: Object) -> StreamError | None:
    """What a frame says that is no part of an answer, in any of the shapes seen."""
    error = frame.get("error")
    if error is None and "error" not in (frame.get("type"), event.event):
        return None
    inner = mapping(error)
    told = inner.get("message") or frame.get("message") or error
    failure = StreamError(str(told or "the server said no more"), body=frame)
    code = inner.get("code") or frame.get("code")
    failure.code = code if isinstance(code, str) else None
    return failure


async def tell(
    stream: AsyncMessageStream, on_chunk: OnChunk | None, on_complete: OnComplete | None = None
) -> Message:
    """Read a stream to its end, telling its pieces and then its message as they arrive.

    What is told may be awaited, if it wants to be. What it raises ends the stream.
    """
    async with stream:
        async for chunk in stream:
            if on_chunk is not None and inspect.isawaitable(told := on_chunk(chunk)):
                await told
        message = (await stream.collect())["message"]
    if on_complete is not None and inspect.isawaitable(told := on_complete(message)):
        await told
    return message


class AsyncMessageStream(AsyncStream[StreamChunk, SendMessageResponse]):
    """The pieces of an answer, as they arrive: dicts whose ``content`` is text.

    Iterate it with ``async for``, or await `collect` for the whole answer. It
    raises `StreamInterruptedError` when the answer fails or ends too early.
    """

    _reading: MessageReading

    @property
    def message(self) -> Message | None:
        """The answer's message as the server stored it; `None` before the answer's end."""
        return self._reading.whole()["message"] if self._reading.is_told else None

    @property
    def usage(self) -> MessageUsage | None:
        """The tokens that the answer took; `None` before the server told."""
        told = self._reading.usage
        return usage(told, {}) if isinstance(told, dict) else None

    @property
    def model(self) -> str | None:
        """The model that answers, where it was told."""
        return self._reading.model

    def settled(self) -> MessageStream:
        """Open the stream and offer it to a blocking caller."""
        return MessageStream(self)


class MessageStream(Stream[StreamChunk, SendMessageResponse]):
    """The pieces of an answer, as they arrive: dicts whose ``content`` is text.

    Iterate it, or call `collect` for the whole answer. It raises
    `StreamInterruptedError` when the answer fails or ends too early.
    """

    _source: AsyncMessageStream

    @property
    def message(self) -> Message | None:
        """The answer's message as the server stored it; `None` before the answer's end."""
        return self._source.message

    @property
    def usage(self) -> MessageUsage | None:
        """The tokens that the answer took; `None` before the server told."""
        return self._source.usage

    @property
    def model(self) -> str | None:
        """The model that answers, where it was told."""
        return self._source.model
