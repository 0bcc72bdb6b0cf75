"""An answer on its way.

It is read in a thread of its own, so that whoever shows it can do so at his
own pace, keep a clock moving while nothing comes, and leave at any moment, even
where a read cannot be interrupted, as on Windows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import TypeAlias

from chatloom.core.errors import ChatloomError
from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from chatloom.core.streams import Stream
from chatloom.server.models.driver import Delta
from chatloom.wire.chatloom import Turn

Pieces: TypeAlias = Stream[Delta, str]

_MOMENT = 2.0

_left: ContextVar[threading.Event | None] = ContextVar("left", default=None)


class Listening:
    """Reads one answer; *open* sends the request, *cancel* stops its turn."""

    def __init__(self, open: Callable[[], Pieces], cancel: Callable[[str], Turn]) -> None:
        self.is_over = False
        """Nothing more will come."""
        self.failure: ChatloomError | None = None
        """What ended it, where it did not end well."""
        self.turn_id: str | None = None
        """What the server calls it."""
        self.stopped: Turn | None = None
        """What the server keeps of it, where it was stopped."""
        self._fault: Exception | None = None
        self._open = open
        self._cancel = cancel
        self._stream: Pieces | None = None
        self._left = threading.Event()
        self._arrived: SimpleQueue[Delta | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._listen, name="answer", daemon=True)
        self._thread.start()

    def take(self, seconds: float) -> Sequence[Delta]:
        """What has arrived since; waits at most *seconds* for something."""
        deltas: list[Delta] = []
        try:
            delta = self._arrived.get(timeout=seconds)
            while delta is not None:
                deltas.append(delta)
                delta = self._arrived.get_nowait()
        except Empty:
            return deltas
        self.is_over = True
        if self._fault is not None:
            raise self._fault
        return deltas

    def leave(self) -> None:
        """Stop listening, and have the server stop the answer, so that it costs no more.

        Waits for that a moment at most: it may be for a server that is gone that
        nobody wants to listen any longer.
        """
        self._left.set()
        self.is_over = True
        if self._stream is not None:
            stopping = threading.Thread(target=self._stop, args=(self._stream,), daemon=True)
            stopping.start()
            stopping.join(_MOMENT)

    def join(self) -> None:
        """Wait until nothing more is read."""
        self._thread.join()

    def _stop(self, stream: Pieces) -> None:
        stream.close()
        if self.turn_id is not None:
            with suppress(ChatloomError):  # what nobody reads is stopped after a while anyway
                self.stopped = self._cancel(self.turn_id)

    def _listen(self) -> None:
        _left.set(self._left)
        try:
            with self._open() as stream:
                self._stream = stream
                self.turn_id = stream.headers.get("x-chatloom-turn")
                if self._left.is_set():
                    _left.set(None)
                    self._stop(stream)
                    return
                for delta in stream:
                    self._arrived.put(delta)
        except ChatloomError as error:
            self.failure = error
        except Exception as error:
            # Closed while it was read, it may fail in any way.
            self._fault = None if self._left.is_set() else error
        finally:
            self._arrived.put(None)


class UnlessLeft:
    """Send nothing for an answer that nobody waits for any more: a repetition, after a wait."""

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        left = _left.get()
        if left is not None and left.is_set():
            raise ChatloomError("nobody waits for this answer any more")  # nor for a repetition
        return await outside.send(request)
