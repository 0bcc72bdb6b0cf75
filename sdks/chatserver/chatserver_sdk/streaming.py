"""A completion that arrives piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, cast

import msgspec

from chatloom.core.errors import StreamError, Truncated
from chatloom.core.event_stream import Event, EventStreamDecoder
from chatloom.core.http import JSON, UNREADABLE
from chatloom.core.reading import Reading
from chatloom.core.streams import AsyncStream, Stream
from chatserver_sdk.models import ChatCompletionResponse, UsageInfo

__all__ = ["AsyncCompletionStream", "CompletionStream", "StreamMetadata"]


class StreamMetadata(TypedDict):
    """What a stream has told beside its text; `None` until it did."""

    system_fingerprint: str | None
    usage: UsageInfo | None
    id: str | None
    model: str | None
    finish_reason: str | None
    metadata: dict[str, JSON] | None
    """Where the answer stands in its conversation, once it is whole."""


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct, gc=False):
    index: int | None = 0
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    role: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int | None = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    id: str | None = None
    created: float | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    usage: dict[str, JSON] | None = None
    metadata: JSON = None
    error: JSON = None
    message: JSON = None
    detail: JSON = None


_decode = msgspec.json.Decoder(_Chunk).decode

_NOT_FINISHED = frozenset({None, "", "content"})
"""Also what an older server writes where the answer goes on."""


_FAILED = frozenset({"error", "abort", "cancelled"})
"""What some servers write where the answer is no whole one."""


def _complaint(chunk: _Chunk, event: str) -> JSON:
    """What an event that is no part of an answer says, in any of the shapes seen."""
    if chunk.error is not None:
        return chunk.error
    if event == "error" or not chunk.choices:
        told = chunk.message or chunk.detail
        return told if told is not None or event != "error" else "the server said no more"
    return None


class CompletionReading(Reading[str, str]):
    """Reads chunks of a chat completion; the pieces are the text of the first choice.

    One that begins behind an event, *after*, may find just the end of the answer.
    """

    def __init__(self, after: str = "") -> None:
        self.last_event_id = after
        self.restart()
        self._is_rest = bool(after)
        self._before = after
        self._batch: Sequence[Event] = ()
        self._texts: list[str] = []
        self._calls: dict[int, dict[str, JSON]] = {}
        self._arguments: dict[int, list[str]] = {}
        self._created = 0
        self.metadata = StreamMetadata(
            system_fingerprint=None,
            usage=None,
            id=None,
            model=None,
            finish_reason=None,
            metadata=None,
        )

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    @property
    def model(self) -> str | None:
        """The model that answers."""
        return self.metadata["model"]

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended."""
        return self.metadata["finish_reason"]

    def feed(self, data: bytes) -> Sequence[str]:
        """Take in the next bytes; hand out the texts they complete."""
        pieces: list[str] = []
        self._before = self.last_event_id
        self._batch = events = self._events.feed(data)
        for event in events:
            if event.data == b"[DONE]":
                self._end()
                break
            try:
                chunk = _decode(event.data)
            except UNREADABLE as error:
                self.failure = Truncated(f"the stream sent something unreadable: {error}")
                break
            if (complaint := _complaint(chunk, event.event)) is not None:
                self.usage = cast("JSON", chunk.usage) or self.usage
                self.failure = _told(complaint)
                break
            self.last_event_id = event.id
            self._take(chunk, pieces)
        self._texts += pieces
        return pieces

    def _end(self) -> None:
        """The server said that it is done; whether the answer is depends on how it ended."""
        reason = self.metadata["finish_reason"]
        if reason is None and not self._is_rest:
            self.failure = Truncated("the stream ended without saying how its answer did")
        elif reason in _FAILED:
            self.failure = StreamError(f"the answer ended with {reason!r}")
        else:
            self.complete = True

    def _take(self, chunk: _Chunk, pieces: list[str]) -> None:
        known = self.metadata
        known["id"] = known["id"] or chunk.id
        known["model"] = known["model"] or chunk.model
        known["system_fingerprint"] = known["system_fingerprint"] or chunk.system_fingerprint
        self._created = self._created or int(chunk.created or 0)
        if chunk.usage:
            self.usage = cast("JSON", chunk.usage)
            known["usage"] = UsageInfo.from_dict(chunk.usage)
        if isinstance(chunk.metadata, dict):
            known["metadata"] = chunk.metadata
        for choice in chunk.choices or ():
            if choice.index:
                continue
            if choice.finish_reason not in _NOT_FINISHED:
                known["finish_reason"] = choice.finish_reason
            if choice.delta is not None:
                if choice.delta.content:
                    pieces.append(choice.delta.content)
                for call in choice.delta.tool_calls or ():
                    self._call(call)

    def _call(self, part: _ToolCall) -> None:
        index = part.index or 0
        call = self._calls.setdefault(index, {"id": "", "type": "function"})
        function = cast("dict[str, JSON]", call.setdefault("function", {"name": ""}))
        if part.id:
            call["id"] = part.id
        if part.function is not None:
            if part.function.name:
                function["name"] = part.function.name
            self._arguments.setdefault(index, []).append(part.function.arguments or "")
        function["arguments"] = "".join(self._arguments.get(index, ()))

    def restart(self) -> None:
        """Read on in another body."""
        self._events = EventStreamDecoder()
        self._events.last_event_id = self.last_event_id

    def event_before(self, waiting: int) -> str:
        """The event to go on behind where the last *waiting* texts were never taken."""
        for number in range(len(self._batch) - 1, -1, -1):
            waiting -= _texts_in(self._batch[number])
            if waiting <= 0:
                return self._batch[number - 1].id if number else self._before
        return self._before

    def whole(self) -> str:
        """The text of the answer."""
        return self.text

    def completion(self) -> ChatCompletionResponse:
        """What has arrived, as a plain completion holds it."""
        known = self.metadata
        message: dict[str, JSON] = {"role": "assistant", "content": self.text}
        if self._calls:
            message["tool_calls"] = [self._calls[index] for index in sorted(self._calls)]
        response = ChatCompletionResponse.from_dict(
            {
                "id": known["id"],
                "created": self._created,
                "model": known["model"],
                "choices": [
                    {"index": 0, "message": message, "finish_reason": known["finish_reason"]}
                ],
                "system_fingerprint": known["system_fingerprint"],
                "metadata": known["metadata"],
            }
        )
        response.usage = known["usage"] or UsageInfo()
        return response


def _texts_in(event: Event) -> int:
    try:
        chunk = _decode(event.data)
    except UNREADABLE:  # the end
        return 0
    firsts = [choice.delta for choice in chunk.choices or () if not choice.index]
    return sum(delta is not None and bool(delta.content) for delta in firsts)


def _told(error: JSON) -> StreamError:
    details = error if isinstance(error, dict) else {}
    message = details.get("message", error)
    failure = StreamError(str(message), body=cast("JSON", {"error": error}))
    code = details.get("code") or details.get("type")
    failure.code = code if isinstance(code, str) else None
    return failure


class AsyncCompletionStream(AsyncStream[str, str]):
    """The text of an answer, piece by piece, as it arrives.

    Iterate it with ``async for``, or await `collect` for the whole text. It
    raises `StreamInterruptedError` when the answer fails or ends too early.
    """

    _reading: CompletionReading

    @property
    def metadata(self) -> StreamMetadata:
        """What the stream has told so far: system_fingerprint, usage and more."""
        return self._reading.metadata

    @property
    def completion(self) -> ChatCompletionResponse:
        """What has arrived so far, as a plain completion would hold it, tool calls included."""
        return self._reading.completion()

    def settled(self) -> CompletionStream:
        """Open the stream and offer it to a blocking caller."""
        return CompletionStream(self)


class CompletionStream(Stream[str, str]):
    """The text of an answer, piece by piece, as it arrives.

    Iterate it, or call `collect` for the whole text. It raises
    `StreamInterruptedError` when the answer fails or ends too early.
    """

    _source: AsyncCompletionStream

    @property
    def metadata(self) -> StreamMetadata:
        """What the stream has told so far: system_fingerprint, usage and more."""
        return self._source.metadata

    @property
    def completion(self) -> ChatCompletionResponse:
        """What has arrived so far, as a plain completion would hold it, tool calls included."""
        return self._source.completion
