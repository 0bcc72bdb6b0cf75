"""An outside world that is recorded, or played from a recording."""

from __future__ import annotations

import threading
from weakref import finalize

from chatloom.core.errors import SettingsError, TransportError
from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from chatloom.transports.arrivals import Arrivals
from chatloom.transports.recorded.cassette import Cassette
from chatloom.transports.recorded.claims import claim
from chatloom.transports.recorded.recording import Recording
from chatloom.transports.recorded.replay import Replay


def recorded(beyond: Outside, cassette: Cassette) -> Outside:
    """Record what goes to *beyond*, or play it from *cassette*, which then needs no network.

    Raises `SettingsError` where another cassette records the same file.
    """
    tape = cassette.tape
    return Played(beyond, tape) if isinstance(tape, Replay) else Written(beyond, tape)


class Written:
    """The outside world, and all that passes written down."""

    def __init__(self, beyond: Outside, recording: Recording) -> None:
        self._beyond = beyond
        self._recording = recording
        self.sleep = beyond.sleep
        self.now = beyond.now
        self.wall_time = beyond.wall_time
        self.random = beyond.random
        self.lock = beyond.lock
        claim(recording, self)
        finalize(self, recording.end)

    async def send(self, request: Request) -> Response:
        take = self._recording.begin(request)
        try:
            response = await self._beyond.send(request)
        except TransportError as error:
            take.over(error)
            raise
        except BaseException:
            self._recording.forget(take)
            raise
        return take.answered(response)

    async def close(self) -> None:
        try:
            await self._beyond.close()
        finally:
            try:
                self._recording.close()
            finally:
                self._recording.users.discard(self)


class Played:
    """An outside world where nothing happens but what was recorded, and nobody waits.

    Its clocks go on by what it was asked to sleep.
    """

    def __init__(self, beyond: Outside, replay: Replay) -> None:
        self._beyond = beyond
        self._replay = replay
        self._slept = 0.0
        self._counting = threading.Lock()
        self._is_closed = False
        self._arrivals = Arrivals()
        self.random = beyond.random
        self.lock = beyond.lock

    async def send(self, request: Request) -> Response:
        if self._is_closed:
            raise SettingsError("the client is closed")
        response = self._replay.answer(request)
        if response.arriving is not None:
            response.arriving = self._arrivals.bind(request, response.arriving)
        return response

    async def sleep(self, seconds: float) -> None:
        with self._counting:
            self._slept += max(0.0, seconds)
        await self._beyond.sleep(0)

    def now(self) -> float:
        return self._beyond.now() + self._slept

    def wall_time(self) -> float:
        return self._beyond.wall_time() + self._slept

    async def close(self) -> None:
        self._is_closed = True
        self._arrivals.end()
        await self._beyond.close()
