"""An answer that arrives piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from chatloom.core.errors import Truncated
from chatloom.core.event_stream import Event, EventStreamDecoder
from chatloom.core.http import JSON, UNREADABLE
from chatloom.core.reading import Reading
from chatloom.core.streams import AsyncStream, Stream
from infinity_assistant.answers import Object, exchange, is_refusal, mapping, objects, told
from infinity_assistant.frames import Said, complaint, said
from infinity_assistant.types import ChatMetadata, ChatResponse, ChatStreamChunk

__all__ = ["AsyncChatStream", "ChatStream"]

_LOOK = 64
"""Bytes that may be blank before the first one that tells a plain answer from events."""


class ChatReading(Reading[ChatStreamChunk, ChatResponse]):
    """Reads an answer in events, or one that is told at once, as JSON.

    The last piece of one that is whole says that it is done. One that begins behind an
    event, *after*, may find just that.
    """

    def __init__(self, after: str = "") -> None:
        self.last_event_id = after
        self.restart()
        self._marks = [after]
        self._texts: list[str] = []
        self._told: Object = {}
        self._metadata: Object = {}

    def restart(self) -> None:
        """Read on in another body."""
        self._events = EventStreamDecoder()
        self._events.last_event_id = self.last_event_id
        self._plain: bytearray | None = bytearray()

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    @property
    def metadata(self) -> ChatMetadata:
        """What was told beside the text so far."""
        return cast("ChatMetadata", self._metadata)

    @property
    def model(self) -> str | None:
        """The model that answers."""
        return self._word("model")

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended."""
        return self._word("finishReason")

    def _word(self, name: str) -> str | None:
        word = self._metadata.get(name)
        return word if isinstance(word, str) else None

    def feed(self, data: bytes) -> Sequence[ChatStreamChunk]:
        """Take in the next bytes; hand out the pieces they complete."""
        self._marks = [self.last_event_id]
        if self._plain is not None:
            self._plain += data
            head = bytes(self._plain[:_LOOK]).lstrip()
            if not data:
                return self._read_plain(bytes(self._plain))
            if head.startswith(b"{") or (not head and len(self._plain) < _LOOK):
                return ()
            data, self._plain = bytes(self._plain), None
        pieces: list[ChatStreamChunk] = []
        for event in self._events.feed(data):
            pieces += self._taken(event)
            if self.complete or self.failure is not None:
                break
        return pieces

    def _taken(self, event: Event) -> list[ChatStreamChunk]:
        """Keep what an event tells, and give it as pieces."""
        try:
            pieces = list(self._pieces(said(event)))
        except UNREADABLE as error:
            self.failure = Truncated(f"the stream sent something unreadable: {error}")
            return []
        if self.failure is None:
            # Whoever goes on between two pieces of one event is told both again.
            self._marks += [self.last_event_id] * (len(pieces) - 1) + [event.id] * bool(pieces)
            self.last_event_id = event.id
        return pieces

    def _pieces(self, said: Said) -> Iterator[ChatStreamChunk]:
        if (failure := said.failure) is not None:
            self.failure = failure
            self.usage = mapping(failure.body).get("usage") or self.usage
        if said.metadata:
            self._metadata.update(said.metadata)
            self.usage = _usage(said.metadata) or self.usage
            yield {"type": "metadata", "metadata": cast("ChatMetadata", said.metadata)}
        if said.text:
            self._texts.append(said.text)
            yield {"type": "text", "content": said.text}
        if said.is_end:
            self.complete = True
            yield {"type": "done"}

    def _read_plain(self, body: bytes) -> Sequence[ChatStreamChunk]:
        """Read an answer that a server which knows no streams gives at once."""
        if not body.strip():
            return ()
        try:
            answer = objects(body)
            if is_refusal(answer):
                self.failure = complaint(body)
                return ()
            self._told = told(body)
            whole = exchange(self._told)
        except UNREADABLE as error:
            self.failure = Truncated(f"the answer is not what it should be: {error}")
            return ()
        names = {name: whole[name] for name in ("conversationId", "messageId") if whole[name]}
        beside: Object = {**cast("Object", whole["metadata"]), **names}
        return list(self._pieces(Said(whole["response"], beside, is_end=True)))

    def event_before(self, waiting: int) -> str:
        """The event to go on behind where the last *waiting* pieces were never taken."""
        return self._marks[max(0, len(self._marks) - 1 - waiting)]

    def whole(self) -> ChatResponse:
        """The answer, as a plain one is told."""
        return exchange({**self._told, "response": self.text, "metadata": self._metadata})


def _usage(metadata: Object) -> JSON:
    """What a metadata tells of tokens, in the server's words."""
    if usage := metadata.get("usage"):
        return usage
    return {name: metadata[name] for name in ("tokensUsed",) if name in metadata}


class AsyncChatStream(AsyncStream[ChatStreamChunk, ChatResponse]):
    """The pieces of an answer, as they arrive: dicts of the type text, metadata or done.

    Iterate it with ``async for``, or await `collect` for the whole answer. It raises
    `InfinityAssistantStreamInterruptedError` when the answer fails or ends too early.
    """

    _reading: ChatReading

    @property
    def metadata(self) -> ChatMetadata:
        """What the server has told beside the text so far."""
        return self._reading.metadata

    def settled(self) -> ChatStream:
        """Open the stream and offer it to a blocking caller."""
        return ChatStream(self)


class ChatStream(Stream[ChatStreamChunk, ChatResponse]):
    """The pieces of an answer, as they arrive: dicts of the type text, metadata or done.

    Iterate it, or call `collect` for the whole answer. It raises
    `InfinityAssistantStreamInterruptedError` when the answer fails or ends too early.
    """

    _source: AsyncChatStream

    @property
    def metadata(self) -> ChatMetadata:
        """What the server has told beside the text so far."""
        return self._source.metadata
