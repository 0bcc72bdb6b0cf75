"""Going on with an answer whose connection was lost.

Where the server has named the answer's turn, a lost connection is no end: the
turn is followed over another one, behind the last event seen, as long as that
brings anything new.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

from chatloom.core.errors import ChatloomError, TransportError
from chatloom.core.http import Break, Response
from chatloom.core.reading import Opening, Piece, Reading, Whole
from chatloom.core.turns import Place


class Resuming(Generic[Piece, Whole]):
    """Knows how far one answer was read, goes on with it from there, and stops it."""

    def __init__(self, opening: Opening, reading: Reading[Piece, Whole]) -> None:
        self._turns = opening.turns
        self._turn = opening.place.turn if opening.place is not None else None
        self._reading = reading
        self._event = reading.last_event_id
        self._in_vain = 0
        self._stopped = False
        self.attempts = 0
        """How often a request was sent for this answer, those that went on with it included."""

    def begin(self, response: Response) -> None:
        """Learn the turn's name from the answer's first head."""
        self._turn = response.headers.get("x-chatloom-turn") or self._turn
        self.attempts = response.attempts
        self._stopped = response.attempts == 0  # what a cache tells runs nowhere

    @property
    def place(self) -> Place | None:
        """How far the answer was read, where the server has named it."""
        return self.place_before(0)

    def place_before(self, waiting: int) -> Place | None:
        """How far it was taken, where the last *waiting* pieces were not."""
        if self._turn is None:
            return None
        reading = self._reading
        event = reading.event_before(waiting) if waiting else reading.last_event_id
        place = Place(self._turn, event)
        return place if place.is_sound else None

    async def go_on(self, cause: TransportError, is_over: Callable[[], bool]) -> Response:
        """Follow the turn over another connection, unless *is_over* says that nobody wants it.

        Raises *cause* where that cannot be, or is over, and else what went wrong this time.
        """
        turns, place = self._turns, self.place
        if turns is None or place is None or not self._is_worth_it(place, turns.most):
            raise cause
        try:
            response = await turns.go_on(place, Break(cause, self._in_vain, is_over))
        except ChatloomError as error:
            if error is not cause:
                self.attempts += error.attempts
            raise
        self.attempts += response.attempts
        self._reading.restart()
        return response

    def _is_worth_it(self, place: Place, most: int) -> bool:
        """Count the breaks in a row without anything new, and say whether to try again."""
        self._in_vain = 1 if place.event != self._event else self._in_vain + 1
        self._event = place.event
        # Without an event's number, what was seen could only be told again.
        is_known = bool(place.event) or not self._reading.text
        return is_known and self._in_vain <= most

    async def stop(self) -> None:
        """Have the server stop the turn, where it is known and may still run."""
        turns, place = self._turns, self.place
        is_over = self._stopped or self._reading.complete
        if turns is not None and place is not None and not is_over:
            await turns.cancel(place.turn)
            self._stopped = True
