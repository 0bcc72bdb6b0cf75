"""Answers that come in pieces.

The life of a stream: opened (the request is sent, an error status raises),
read (bytes go into a `Reading`, pieces come out), and over, in one of three
ways: the reading saw the answer's own end; the answer said that it failed, or
stopped without its end, and the error is raised once; or the caller closed it.
However it ends, the connection is given back, also when it is merely dropped.
"""

# A blocking stream is an async one, seen from outside:
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from chatloom.core.errors import ChatloomError, SettingsError, StreamError, Truncated
from chatloom.core.http import Ending, Response
from chatloom.core.inline import run_inline

if TYPE_CHECKING:
    from chatloom.core.http import JSON, Follower

Piece = TypeVar("Piece")
Whole = TypeVar("Whole")


class Opening:
    """A request whose answer is wanted piece by piece, ready to be sent."""

    def __init__(
        self,
        what: str,
        send: Callable[[], Coroutine[object, None, Response]],
        named: Callable[[ChatloomError], ChatloomError],
    ) -> None:
        self.what = what
        """What to call it in errors: method and path."""
        self.send = send
        self.named = named
        """Turns an error into the one the SDK documents."""


class Reading(Generic[Piece, Whole]):
    """Makes sense of one streamed answer: bytes in, pieces out."""

    complete: bool = False
    """The answer has said that it is whole."""
    failure: StreamError | None = None
    """The answer has said that it failed; raised after the pieces before it."""
    usage: JSON = None
    """The usage told so far, in the server's words."""
    last_event_id: str = ""

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

    def whole(self) -> Whole:
        """Everything read so far, as one value."""
        raise NotImplementedError


class AsyncStream(Generic[Piece, Whole]):
    """Pieces of an answer, as they arrive.

    Iterate it with ``async for``; use ``async with`` to be sure it is closed if
    you stop early. Awaiting it sends the request and hands the stream back, its
    headers known.
    """

    def __init__(self, opening: Opening, reading: Reading[Piece, Whole]) -> None:
        self._opening = opening
        self._reading = reading
        self._response: Response | None = None
        self._pieces: deque[Piece] = deque()
        self._over = False
        self._taken = False
        self._interrupted = False

    @property
    def status_code(self) -> int | None:
        """The answer's HTTP status; `None` before it is opened."""
        return self._response.status if self._response else None

    @property
    def headers(self) -> Mapping[str, str]:
        """The answer's headers, names in lower case; empty before it is opened."""
        return self._response.headers if self._response else {}

    @property
    def text(self) -> str:
        """The text that has arrived so far."""
        return self._reading.text

    async def collect(self) -> Whole:
        """Read to the end and return the whole answer, with what was read before.

        Raises what iterating raises.
        """
        while await self._fill():
            self._pieces.clear()
        if not self._reading.complete:
            raise self._truncated("it was closed before it was read to its end")
        return self._reading.whole()

    async def close(self) -> None:
        """Give the connection back; iterating afterwards finds nothing more."""
        self._pieces.clear()
        self._interrupted = False
        await self._end(self._ending())

    def settled(self) -> Stream[Piece, Whole]:
        """Open the stream and offer it to a blocking caller."""
        return Stream(self)

    async def _open(self) -> None:
        if self._response is None and not self._over:
            self._take()
            try:
                self._response = await self._opening.send()
            except BaseException:
                self._over = True  # or the next look would send the request again
                raise
            finally:
                self._taken = False

    async def _fill(self) -> bool:
        """Wait until there are pieces; False when there will be no more."""
        if self._response is None:
            await self._open()
        reading = self._reading
        self._take()
        try:
            while not self._over:
                if reading.complete:
                    await self._end(self._ending())
                elif reading.failure is not None:
                    raise await self._failed(reading.failure)
                elif pieces := await self._read():
                    self._pieces.extend(pieces)
                    return True
            if self._interrupted:
                self._interrupted = False
                raise self._truncated("reading it was interrupted")
            return False
        finally:
            self._taken = False

    def _take(self) -> None:
        """Let nobody else read meanwhile: two readers would each get half of it."""
        if self._taken:
            raise SettingsError(f"{self._opening.what}: this stream is being read already")
        self._taken = True

    async def _read(self) -> Sequence[Piece]:
        response = self._response
        assert response is not None
        assert response.arriving is not None
        try:
            data = await response.arriving.read()
            pieces = self._reading.feed(data)
        except ChatloomError as error:
            if self._over:
                return ()
            raise self._broken(str(error)) from error
        except BaseException:
            self._interrupt()
            raise
        if self._over:  # it was closed while somebody waited for it
            return ()
        if response.followers:
            self._pass_on(pieces, response.followers)
        if not (data or self._reading.complete or self._reading.failure):
            raise self._broken("the answer ended before it said that it was done")
        return pieces

    def _pass_on(self, pieces: Sequence[Piece], followers: Sequence[Follower]) -> None:
        try:
            for follower in followers:
                for piece in pieces:
                    follower.piece(piece)
        except BaseException:
            self._interrupt()
            raise

    def _interrupt(self) -> None:
        """Give the connection up; whoever goes on reading is told that there is no end."""
        self._interrupted = not self._over
        self._abandon()

    async def _failed(self, failure: StreamError) -> ChatloomError:
        """End an answer that has said that it failed."""
        error: ChatloomError = failure
        try:
            error = self._finished(failure)
        finally:  # also when a hook raises
            await self._end(self._ending(error))
        return error

    def _broken(self, reason: str) -> ChatloomError:
        """Give up the connection of an answer that stopped without its end."""
        cut = self._cut(reason)
        error: ChatloomError = cut
        try:
            error = self._finished(cut)
        finally:
            self._abandon(error)
        return error

    def _truncated(self, reason: str) -> ChatloomError:
        return self._finished(self._cut(reason))

    def _cut(self, reason: str) -> Truncated:
        what = self._opening.what
        return Truncated(reason if reason.startswith(what) else f"{what}: {reason}")

    def _finished(self, error: StreamError) -> ChatloomError:
        """Tell *error* how far the answer came."""
        error.text = self._reading.text
        error.usage = self._reading.usage
        response = self._response
        if response is None:
            return self._opening.named(error)
        error.status_code = error.status_code or response.status
        error.request_id = response.headers.get("x-request-id")
        error.attempts = response.attempts
        if turn := response.headers.get("x-chatloom-turn"):
            error.resume_token = f"{turn}:{self._reading.last_event_id}"
        return self._opening.named(error)

    async def _end(self, ending: Ending) -> None:
        """Give the connection back, and tell the followers."""
        self._over = True
        response = self._response
        if response is not None and response.arriving is not None:
            arriving, response.arriving = response.arriving, None
            try:
                await (arriving.finish() if ending.complete else arriving.close())
            finally:
                self._tell(ending)

    def _abandon(self, error: ChatloomError | None = None) -> None:
        """Drop the connection at once, and tell the followers."""
        self._over = True
        response = self._response
        if response is not None and response.arriving is not None:
            arriving, response.arriving = response.arriving, None
            arriving.abandon()
            self._tell(self._ending(error))

    def _ending(self, error: ChatloomError | None = None) -> Ending:
        reading = self._reading
        return Ending(reading.complete, error, reading.usage, reading.model, reading.finish_reason)

    def _tell(self, ending: Ending) -> None:
        """Tell every follower, and raise the first mishap of any."""
        assert self._response is not None
        mishap: Exception | None = None
        for follower in self._response.followers:
            try:
                follower.over(ending)
            except Exception as error:
                mishap = mishap or error
        if mishap is not None:
            raise mishap

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Piece:
        if not self._pieces and not await self._fill():
            raise StopAsyncIteration
        return self._pieces.popleft()

    async def _opened(self) -> Self:
        await self._open()
        return self

    def __await__(self) -> Generator[object, None, Self]:
        return self._opened().__await__()

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_response", None) is not None:
            self._abandon()


class Stream(Generic[Piece, Whole]):
    """Pieces of an answer, as they arrive.

    Iterate it; use ``with`` to be sure it is closed if you stop early.
    """

    def __init__(self, source: AsyncStream[Piece, Whole]) -> None:
        run_inline(source._open())
        self._source = source

    @property
    def status_code(self) -> int | None:
        """The answer's HTTP status."""
        return self._source.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """The answer's headers, names in lower case."""
        return self._source.headers

    @property
    def text(self) -> str:
        """The text that has arrived so far."""
        return self._source.text

    def collect(self) -> Whole:
        """Read to the end and return the whole answer, with what was read before.

        Raises what iterating raises.
        """
        return run_inline(self._source.collect())

    def close(self) -> None:
        """Give the connection back; iterating afterwards finds nothing more."""
        run_inline(self._source.close())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Piece:
        pieces = self._source._pieces
        if not pieces and not run_inline(self._source._fill()):
            raise StopIteration
        return pieces.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
