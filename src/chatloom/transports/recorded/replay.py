"""Answering from what was recorded."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request, Response
from chatloom.transports.failures import lost
from chatloom.transports.recorded.differences import differences
from chatloom.transports.recorded.recording import asked
from chatloom.transports.recorded.secrets import Secrets
from chatloom.transports.recorded.tape import Answered, Asked, Exchange

Match: TypeAlias = Literal["strict", "lenient"]

_MOST = 5
"""Differences that an error tells."""


class NotRecorded(SettingsError):
    """A cassette has no answer to what was asked, or not now."""

    asked: str = ""
    """What was asked: method and path."""
    recorded: str | None = None
    """What the cassette has next, or nearest; `None` where it has nothing more of the kind."""
    differences: tuple[str, ...] = ()
    """In what the two differ."""


class Replay:
    """The exchanges of a cassette, and which of them were asked for."""

    def __init__(
        self, path: Path, exchanges: Sequence[Exchange], match: Match, secrets: Secrets
    ) -> None:
        self._path = path
        self._exchanges = exchanges
        self._match = match
        self._secrets = secrets
        self._uses: Counter[int] = Counter()
        self._choosing = threading.Lock()

    def answer(self, request: Request) -> Response:
        """Give the recorded answer; raises what was recorded instead of one, or `NotRecorded`."""
        self._secrets.learn_from_request(request.headers, request.body)
        wanted = asked(request, self._secrets)
        with self._choosing:
            number = self._next(wanted) if self._match == "strict" else self._nearest(wanted)
            self._uses[number] += 1
        exchange = self._exchanges[number]
        if exchange.failure is not None:
            raise exchange.failure.error()
        assert exchange.response is not None
        return _played(exchange.response, request, self._path)

    def unused(self) -> list[str]:
        return [
            str(exchange.request)
            for number, exchange in enumerate(self._exchanges)
            if not self._uses[number]
        ]

    def _next(self, wanted: Asked) -> int:
        number = len(self._uses)
        if number == len(self._exchanges):
            raise self._not_recorded(wanted, None, "all that is in it was asked for")
        recorded = self._exchanges[number].request
        if found := tuple(map(str, differences(recorded, wanted))):
            why = f"exchange {number + 1} of {len(self._exchanges)} is another"
            raise self._not_recorded(wanted, recorded, why + self._later(wanted, number), found)
        return number

    def _later(self, wanted: Asked, number: int) -> str:
        for place, exchange in enumerate(self._exchanges[number + 1 :], number + 2):
            if not any(differences(exchange.request, wanted)):
                return f" (what was asked is exchange {place})"
        return ""

    def _nearest(self, wanted: Asked) -> int:
        """The most similar of the same address; among equals those not used yet, in their order."""

        def distance(number: int) -> tuple[int, bool, int]:
            recorded = self._exchanges[number].request
            is_used = self._uses[number] > 0
            apart = sum(difference.size for difference in differences(recorded, wanted))
            return apart, is_used, -number if is_used else number

        of_this_address = [
            number
            for number, exchange in enumerate(self._exchanges)
            if str(exchange.request) == str(wanted)
        ]
        if not of_this_address:
            raise self._not_recorded(wanted, None, "it has no answer to that")
        return min(of_this_address, key=distance)

    def _not_recorded(
        self, wanted: Asked, recorded: Asked | None, why: str, found: tuple[str, ...] = ()
    ) -> NotRecorded:
        told = "".join(f"\n  {difference}" for difference in found[:_MOST])
        if len(found) > _MOST:
            told += f"\n  and {len(found) - _MOST} more"
        error = NotRecorded(
            f"{wanted}: not in the cassette {self._path.name}: {why}{told}"
            f'\nmode="record" records it anew'
        )
        error.asked = str(wanted)
        error.recorded = None if recorded is None else str(recorded)
        error.differences = found
        return error


def _played(answered: Answered, request: Request, path: Path) -> Response:
    pieces = answered.parts()
    arriving = Replayed(pieces, answered, request, path)
    response = Response(answered.status, answered.headers)
    if request.streamed:
        response.arriving = arriving
    else:
        response.body = b"".join(arriving.rest())
    return response


class Replayed:
    """A body that arrives as it once did."""

    def __init__(
        self, pieces: list[bytes], answered: Answered, request: Request, path: Path
    ) -> None:
        self._pieces = pieces[::-1]
        self._answered = answered
        self._request = request
        self._path = path
        self._is_closed = False

    async def read(self) -> bytes:
        return self._next()

    async def close(self) -> None:
        self._is_closed = True

    async def finish(self) -> None:
        await self.close()

    def abandon(self) -> None:
        self._is_closed = True

    def rest(self) -> list[bytes]:
        """All pieces from here to the end."""
        return [*iter(self._next, b"")]

    def _next(self) -> bytes:
        if self._is_closed:
            raise lost(self._request, "it was closed")
        if self._pieces:
            return self._pieces.pop()
        if self._answered.failure is not None:
            raise self._answered.failure.error()
        if self._answered.left:
            raise NotRecorded(
                f"{self._request}: the cassette {self._path.name} has its answer only as far as"
                ' it was read when it was recorded; mode="record" records it anew'
            )
        return b""
