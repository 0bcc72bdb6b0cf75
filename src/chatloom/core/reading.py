"""What a stream is made of: a request that opens it, and a reading that makes sense of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from chatloom.core.errors import ChatloomError, StreamError
    from chatloom.core.http import JSON, Break, Response
    from chatloom.core.turns import Place

Piece = TypeVar("Piece")
Whole = TypeVar("Whole")


class Following(Protocol):
    """How to go on with an answer, and how to stop it; `chatloom.core.turns.Turns` can."""

    @property
    def most(self) -> int:
        """How often in a row to try again without anything new."""
        ...

    async def go_on(self, place: Place, broken: Break) -> Response: ...

    async def cancel(self, turn: str) -> None: ...


class Opening:
    """A request whose answer is wanted piece by piece, ready to be sent."""

    def __init__(
        self,
        what: str,
        send: Callable[[], Coroutine[object, None, Response]],
        named: Callable[[ChatloomError], ChatloomError],
        turns: Following | None = None,
        place: Place | None = None,
    ) -> None:
        self.what = what
        """What to call it in errors: method and path."""
        self.send = send
        self.named = named
        """Turns an error into the one the SDK documents."""
        self.turns = turns
        """How to go on with the answer where it breaks off; `None` where nobody can."""
        self.place = place
        """Behind what it begins, where that is not the answer's own begin."""

    @property
    def after(self) -> str:
        """The last event that was seen before."""
        return self.place.event if self.place else ""


class Reading(Generic[Piece, Whole]):
    """Makes sense of one streamed answer: bytes in, pieces out."""

    complete: bool = False
    """The answer has said that it is whole."""
    failure: StreamError | None = None
    """The answer has said that it failed; raised after the pieces before it."""
    usage: JSON = None
    """The usage told so far, in the server's words."""
    last_event_id: str = ""
    """The last event of which everything was taken in."""

    @property
    def model(self) -> str | None:
        """The model that answers, where it was told."""
        return None

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended, in the server's word, where it was told."""
        return None

    @property
    def text(self) -> str:
        """The text so far."""
        raise NotImplementedError

    def feed(self, data: bytes) -> Sequence[Piece]:
        """Take in the next bytes, ``b""`` at the end; hand out the pieces they complete."""
        raise NotImplementedError

    def restart(self) -> None:
        """Drop what is half received: the next bytes begin another body, behind the last event."""
        raise NotImplementedError

    def event_before(self, waiting: int) -> str:
        """The event to go on behind where the last *waiting* pieces were never taken.

        They are of the bytes that were fed last. Asked rarely, so it may take its time.
        """
        raise NotImplementedError

    def whole(self) -> Whole:
        """Everything read so far, as one value."""
        raise NotImplementedError
