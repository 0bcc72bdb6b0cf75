"""A streamed answer of an OpenAI-compatible provider: bytes in, deltas out."""

from __future__ import annotations

from chatloom.core.errors import AnswerError
from chatloom.core.event_stream import Event, EventStreamDecoder
from chatloom.core.http import UNREADABLE
from chatloom.server.models.driver import Delta, ProviderError
from chatloom.server.models.openai.chunks import Transcript, read_chunk, read_json
from chatloom.server.models.openai.problems import Problems


class Reading:
    """Reads one answer; a problem in it waits in `problem` until what came before is told.

    Some providers do not stream, and answer with JSON; that is read too.
    """

    def __init__(self, transcript: Transcript, problems: Problems, *, streamed: bool) -> None:
        self.transcript = transcript
        self.over = False
        self.problem: ProviderError | None = None
        self._problems = problems
        self._decoder = EventStreamDecoder() if streamed else None
        self._body: list[bytes] = []

    def feed(self, data: bytes) -> list[Delta]:
        """Take in the next bytes, or the end where there are none."""
        self.over = not data
        deltas: list[Delta] = []
        try:
            if self._decoder is None:
                self._read_whole(data, deltas)
            else:
                # The blank line behind the last event is easily forgotten.
                self._read_events(self._decoder, data or b"\n\n", deltas)
        except (AnswerError, *UNREADABLE):
            self._stop(self._problems.broken("it sent a malformed piece"))
        except ProviderError as problem:
            self._stop(problem)
        if self.over and self.problem is None:
            self._check_whole()
        return deltas

    def _read_events(self, decoder: EventStreamDecoder, data: bytes, deltas: list[Delta]) -> None:
        blocks, at = decoder.blocks(data), 0
        while at < len(blocks):
            # Nearly every event is one line that says some more text: those take the short way,
            # which comes to the same.
            at = self.transcript.texts(blocks, at, deltas)
            if at == len(blocks):
                return
            event = decoder.event(blocks[at])
            if event is not None and not self._take(event, deltas):
                self.over = True
                return
            at += 1

    def _read_whole(self, data: bytes, deltas: list[Delta]) -> None:
        self._body.append(data)
        if not data:
            self.over = True
            self._take(Event(b"".join(self._body)), deltas)

    def _check_whole(self) -> None:
        if self.transcript.broken:
            self._stop(self._problems.broken(f"it ended with {self.transcript.broken!r}"))
        elif not self.transcript.is_whole:
            self._stop(self._problems.broken("it stopped before the end of its answer"))

    def _stop(self, problem: ProviderError) -> None:
        self.over, self.problem = True, problem

    def _take(self, event: Event, deltas: list[Delta]) -> bool:
        """Add what *event* says to *deltas*; whether more may follow."""
        data = event.data
        if not data.startswith(b"{"):
            data = data.strip()
            if not data or data.startswith(b"[DONE]"):
                return not data
        chunk = read_chunk(data)
        if chunk.error is not None:
            raise self._problems.told(chunk.error)
        if event.event == "error" or (chunk.choices is None and chunk.usage is None):
            self._complain(data)
        deltas.extend(self.transcript.add(chunk))
        return True

    def _complain(self, data: bytes) -> None:
        """Raise what *data* says, if that is an error in one of the other wordings."""
        told = read_json(data)
        if isinstance(told, dict) and told.get("message"):
            raise self._problems.told(told)
