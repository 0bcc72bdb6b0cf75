"""An answer on the OpenAI wire: bytes in, deltas out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from chatloom.core.errors import StreamError, Truncated
from chatloom.core.event_stream import EventStreamDecoder
from chatloom.core.http import JSON, UNREADABLE
from chatloom.core.reading import Reading
from chatloom.server.models.driver import Delta, Text
from chatloom.server.models.openai.chunks import Transcript, read_chunk


class AnswerReading(Reading[Delta, str]):
    """Reads the answer of *model*; the last deltas say how it finished and what it took."""

    def __init__(self, model: str) -> None:
        self._events = EventStreamDecoder()
        self._transcript = Transcript(model, 1)
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    def feed(self, data: bytes) -> Sequence[Delta]:
        """Take in the next bytes; hand out the deltas they complete."""
        deltas: list[Delta] = []
        for event in self._events.feed(data):
            if event.data == b"[DONE]":
                deltas += self._end()
            else:
                self.last_event_id = event.id
                deltas += self._read(event.data)
            if self.complete or self.failure is not None:
                break
        self._texts += [delta.text for delta in deltas if isinstance(delta, Text)]
        return deltas

    def restart(self) -> None:
        """Read on in another body."""
        self._events = EventStreamDecoder()
        self._events.last_event_id = self.last_event_id

    def whole(self) -> str:
        """The text of the answer."""
        return self.text

    def _read(self, data: bytes) -> list[Delta]:
        try:
            chunk = read_chunk(data)
        except UNREADABLE as error:
            self.failure = Truncated(f"the server sent something unreadable ({error})")
            return []
        self.usage = chunk.usage or self.usage
        if chunk.error is not None:
            self.failure = _told(chunk.error)
            return []
        return self._transcript.add(chunk)

    def _end(self) -> list[Delta]:
        broken = self._transcript.broken
        if broken or not self._transcript.is_whole:
            self.failure = Truncated(f"it ended with {broken or 'nothing that says how'}")
            return []
        self.complete = True
        return self._transcript.ending()


def _told(error: JSON) -> StreamError:
    details = error if isinstance(error, dict) else {}
    failure = StreamError(str(details.get("message", error)), body=cast("JSON", {"error": error}))
    code = details.get("code")
    failure.code = code if isinstance(code, str) else None
    return failure
