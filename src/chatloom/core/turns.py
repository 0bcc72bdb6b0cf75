"""Going on with an answer, and stopping it, by the name its server gave it.

A server that keeps its answers names each in ``x-chatloom-turn``, and numbers
the events it streams. Beneath the address of its turns it tells what is behind
an event (``GET …/TURN/events``, with ``Last-Event-ID``), and stops a turn
(``POST …/TURN/cancel``).
"""

from __future__ import annotations

import re
from typing import Generic, cast

import msgspec

from chatloom.core.engine import Engine, Mode
from chatloom.core.errors import SettingsError
from chatloom.core.http import Break, Request, Response

_TURN = re.compile(r"[A-Za-z0-9_-]{1,255}")
_EVENT = re.compile(r"[0-9]{0,20}")


class Place(msgspec.Struct, frozen=True):
    """How far an answer was read: its turn, and the last event seen, ``""`` for none."""

    turn: str
    event: str = ""

    def __str__(self) -> str:
        return f"{self.turn}:{self.event}"

    @property
    def is_sound(self) -> bool:
        """Whether it can be asked for: a server may call things what it likes."""
        return bool(_TURN.fullmatch(self.turn) and _EVENT.fullmatch(self.event))

    @classmethod
    def told_by(cls, resume_token: str) -> Place:
        """Read a token. Raises `SettingsError` where it is none."""
        if isinstance(cast("object", resume_token), str):
            turn, colon, event = resume_token.rpartition(":")
            place = cls(turn, event)
            if colon and place.is_sound:
                return place
        raise SettingsError(f"a resume token has the form TURN:EVENT, not {resume_token!r:.80}")


class Turns(Generic[Mode]):
    """The turns of one server, as one call meets them."""

    def __init__(self, engine: Engine[Mode], path: str) -> None:
        self._engine = engine
        self._path = path
        self.deadline: float | None = None
        """When the call must be over, all its connections included."""

    @property
    def most(self) -> int:
        """How often in a row to try again without anything new."""
        return self._engine.manner.max_retries or 0

    def events_of(self, turn: str) -> str:
        """Where the events of a turn are told."""
        return f"{self._path}/{turn}/events"

    async def begin(self, place: Place) -> Response:
        """Begin a call that reads what is behind *place*."""
        request = self._following(place)
        self.deadline = request.deadline
        return await self._engine.send(request)

    async def go_on(self, place: Place, broken: Break) -> Response:
        """Go on with a call whose answer has broken off at *place*."""
        request = msgspec.structs.replace(
            self._following(place), deadline=self.deadline, resumes=broken
        )
        return await self._engine.unnamed().send(request)

    async def cancel(self, turn: str) -> None:
        """Stop a turn; one that is over stays as it is."""
        request = self._asking("POST", f"{self._path}/{turn}/cancel")
        await self._engine.send(msgspec.structs.replace(request, repeatable=True))

    def _following(self, place: Place) -> Request:
        request = wanting_events(self._asking("GET", self.events_of(place.turn), streamed=True))
        request = msgspec.structs.replace(request, awaited_since=self._engine.outside.now())
        return request.with_header("last-event-id", place.event) if place.event else request

    def _asking(self, method: str, path: str, *, streamed: bool = False) -> Request:
        request = self._engine.request(method, path, streamed=streamed)
        # A key that was given for the call is not for this.
        own = tuple(pair for pair in request.headers if pair[0] != "idempotency-key")
        return msgspec.structs.replace(request, headers=own)


def wanting_events(request: Request) -> Request:
    """Ask for an event stream, unless the caller wants something else."""
    if request.header("accept") is not None:
        return request
    return request.with_header("accept", "text/event-stream")
