"""An answer that arrives piece by piece: JSON, line by line."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from chatloom.core.complaint import Complaint
from chatloom.core.errors import AnswerError, StreamError, Truncated
from chatloom.core.http import JSON, UNREADABLE, Response
from chatloom.core.ndjson import LineDecoder
from chatloom.core.reading import Opening, Reading
from chatloom.core.streams import AsyncStream, Stream
from puter.answers import Answer, ToolCall, answer, decoded, is_refusal, mapping, tool_call

__all__ = ["AsyncChatStream", "ChatStream"]


class _Line(msgspec.Struct):
    """A line of a stream; what it holds depends on its type."""

    type: JSON = None
    text: JSON = None
    reasoning: JSON = None
    usage: JSON = None
    message: JSON = None
    error: JSON = None
    success: JSON = None
    result: JSON = None
    metadata: JSON = None
    event: JSON = None
    """Beyond Puter, where the answer can be gone on with behind this line."""


_decode_line = msgspec.json.Decoder(_Line).decode


class ChatReading(Reading[str, str]):
    """Reads the lines of one answer; its pieces are texts, its end is the usage.

    *said* is what was said before, in the rounds in which the model called tools.
    """

    def __init__(self, said: str = "") -> None:
        self._lines = LineDecoder()
        self._marks = [self.last_event_id]
        self._texts = [said] if said else []
        self._own = len(self._texts)
        self._reasoning: list[str] = []
        self._calls: dict[str, ToolCall] = {}
        self._metadata: Mapping[str, JSON] = {}
        self._model: str | None = None

    def restart(self) -> None:
        """Read on in another body."""
        self._lines = LineDecoder()

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    @property
    def reasoning(self) -> str:
        """What the model thought so far."""
        return "".join(self._reasoning)

    @property
    def model(self) -> str | None:
        """The model that answers."""
        return self._model

    @property
    def answer(self) -> Answer:
        """What this round has said so far."""
        return Answer(
            text="".join(self._texts[self._own :]),
            tool_calls=tuple(self._calls.values()),
            usage=self.usage,
            metadata=self._metadata,
        )

    def feed(self, data: bytes) -> Sequence[str]:
        """Take in the next bytes; hand out the texts they complete."""
        self._marks = [self.last_event_id]
        pieces: list[str] = []
        for line in self._told_by(data):
            pieces += self._taken(line)
            if self.complete or self.failure is not None:
                break
        return pieces

    def _told_by(self, data: bytes) -> Iterator[bytes]:
        yield from self._lines.feed(data)
        if not data:
            try:
                last = self._lines.end()
            except AnswerError:
                return  # it broke off, which is told as such
            if last is not None:
                yield last

    def _taken(self, line: bytes) -> list[str]:
        """Keep what a line tells, and give its text."""
        try:
            told = _decode_line(line)
            pieces = list(self._pieces(told, line))
        except UNREADABLE as error:
            self.failure = Truncated(f"the stream sent something unreadable: {error}")
            return []
        # Of several calls with one number, all are told again rather than none.
        if isinstance(told.event, int) and told.type != "tool_use":
            self.last_event_id = str(told.event)
        self._marks += [self.last_event_id] * len(pieces)
        return pieces

    def _pieces(self, told: _Line, line: bytes) -> Iterator[str]:
        match told.type:
            case "text":
                yield from self._said(told.text)
            case "reasoning":
                self._reasoning += [told.reasoning] if isinstance(told.reasoning, str) else []
            case "tool_use":
                whole = mapping(decoded(line))
                call = tool_call(whole.get("id"), whole, "input", len(self._calls))
                self._calls[call.id] = call
                yield from self._said(told.text)
            case "usage":
                self.usage, self.complete = told.usage, True
                self._metadata = mapping(told.metadata)
                model = self._metadata.get("model")
                self._model = model if isinstance(model, str) else None
            case "error":
                self.failure = _complaint(line)
            case None if told.success is not None or told.result is not None or told.error:
                yield from self._whole(line)
            case _:
                pass  # pictures and what else there will be

    def _said(self, text: JSON) -> list[str]:
        pieces = [text] if isinstance(text, str) and text else []
        self._texts += pieces
        return pieces

    def _whole(self, line: bytes) -> list[str]:
        """Read a plain answer, from a service that knows no streams."""
        told = decoded(line)
        if is_refusal(told) or mapping(told).get("error"):
            self.failure = _complaint(line)
            return []
        whole = answer(told)
        self.usage, self.complete = whole.usage, True
        self._metadata = whole.metadata
        self._calls.update({call.id: call for call in whole.tool_calls})
        return self._said(whole.text)

    def event_before(self, waiting: int) -> str:
        """The event to go on behind where the last *waiting* pieces were never taken."""
        return self._marks[max(0, len(self._marks) - 1 - waiting)]

    def whole(self) -> str:
        """The text of the answer."""
        return self.text


def _complaint(line: bytes) -> StreamError:
    told = Complaint.of(Response(200, {}, line), 0.0)
    return StreamError(told.message or "the service said no more", code=told.code, body=told.body)


Next: TypeAlias = Callable[[Answer], Coroutine[object, None, Opening | None]]
"""What follows an answer: the next round of its question, or nothing."""


async def nothing(_: Answer) -> None:
    """Let an answer be the last."""


class AsyncChatStream(AsyncStream[str, str]):
    """The texts of an answer, as they arrive.

    Iterate it with ``async for``, or await `collect` for the whole text. Where the model
    calls tools they are called, and the stream goes on with what the model says then. It
    raises `PuterStreamError` when the answer fails or ends too early. The history grows
    when it was read to its end.
    """

    _reading: ChatReading

    def __init__(
        self,
        opening: Opening,
        *,
        follow: Next = nothing,
        heard: Callable[[Answer], object] = lambda _: None,
    ) -> None:
        super().__init__(opening, ChatReading())
        self._follow = follow
        self._heard = heard
        self._is_left = self._is_heard = False

    @property
    def reasoning(self) -> str:
        """What the model has thought so far, where the service tells."""
        return self._reading.reasoning

    @property
    def tool_calls(self) -> Sequence[ToolCall]:
        """The tools that the model calls in this round."""
        return self._reading.answer.tool_calls

    @property
    def usage(self) -> JSON:
        """The tokens of this round in the service's words; `None` before its end."""
        return self._reading.usage

    @property
    def metadata(self) -> Mapping[str, JSON]:
        """Who answers, and where it stands, as `PuterAI.metadata`; empty before the end."""
        return self._reading.answer.metadata

    async def close(self) -> None:
        """Give the connection back; iterating afterwards finds nothing more."""
        self._is_left = True
        await super().close()

    def settled(self) -> ChatStream:
        """Open the stream and offer it to a blocking caller."""
        return ChatStream(self)

    async def _fill(self) -> bool:
        while not await super()._fill():
            if self._is_left or self._is_heard or not self._reading.complete:
                return False
            self._is_heard = True
            opening = await self._next_round()
            if opening is None:
                self._heard(msgspec.structs.replace(self._reading.answer, text=self.text))
            if opening is None or self._is_left:
                return False
            self._turn_to(opening, ChatReading(self.text))
            self._is_heard = False
        return True

    async def _next_round(self) -> Opening | None:
        self._take()
        try:
            return await self._follow(self._reading.answer)
        except BaseException:
            self._reading.complete = False  # of the whole answer, there is no end
            raise
        finally:
            self._taken = False


class ChatStream(Stream[str, str]):
    """The texts of an answer, as they arrive.

    Iterate it, or call `collect` for the whole text. Where the model calls tools they are
    called, and the stream goes on with what the model says then. It raises
    `PuterStreamError` when the answer fails or ends too early. The history grows when
    it was read to its end.
    """

    _source: AsyncChatStream

    @property
    def reasoning(self) -> str:
        """What the model has thought so far, where the service tells."""
        return self._source.reasoning

    @property
    def tool_calls(self) -> Sequence[ToolCall]:
        """The tools that the model calls in this round."""
        return self._source.tool_calls

    @property
    def usage(self) -> JSON:
        """The tokens of this round in the service's words; `None` before its end."""
        return self._source.usage

    @property
    def metadata(self) -> Mapping[str, JSON]:
        """Who answers, and where it stands, as `PuterAI.metadata`; empty before the end."""
        return self._source.metadata
