"""Answers that come in pieces.

The life of a stream: opened (the request is sent, an error status raises),
read (bytes go into a `Reading`, pieces come out), and over, in one of three
ways: the reading saw the answer's own end; the answer said that it failed, or
stopped without its end, and the error is raised once; or the caller closed it.
However it ends, the connection is given back, also when it is merely dropped.

A lost connection is no end where the answer can be gone on with over another
one: see `chatloom.core.resuming`.
"""

# A blocking stream is an async one, seen from outside:
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Self

from chatloom.core.errors import (
    ChatloomError,
    SettingsError,
    StreamError,
    TransportError,
    Truncated,
)
from chatloom.core.http import Ending, Response
from chatloom.core.inline import run_inline
from chatloom.core.reading import Opening, Piece, Reading, Whole
from chatloom.core.resuming import Resuming

if TYPE_CHECKING:
    from chatloom.core.http import Follower


class AsyncStream(Generic[Piece, Whole]):
    """Pieces of an answer, as they arrive.

    Iterate it with ``async for``; use ``async with`` to be sure it is closed if
    you stop early. Awaiting it sends the request and hands the stream back, its
    headers known.
    """

    def __init__(self, opening: Opening, reading: Reading[Piece, Whole]) -> None:
        self._pieces: deque[Piece] = deque()
        self._turn_to(opening, reading)

    def _turn_to(self, opening: Opening, reading: Reading[Piece, Whole]) -> None:
        """Have another answer for what is to come, where the one before is over."""
        self._opening = opening
        self._reading = reading
        self._resuming = Resuming(opening, reading)
        self._response: Response | None = None
        self._followers: tuple[Follower, ...] = ()
        self._later: tuple[Follower, ...] = ()
        self._over = False
        self._taken = False
        self._interrupted = False
        self._cancelled = False
        self._resumed = False
        self._untaken = 0

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

    @property
    def resume_token(self) -> str | None:
        """Where to go on behind the pieces taken so far, maybe in another process.

        It has the form ``TURN:EVENT``; `None` where the server named no turn.
        """
        place = self._resuming.place_before(len(self._pieces) + self._untaken)
        return None if place is None else str(place)

    async def collect(self) -> Whole:
        """Read to the end and return the whole answer, with what was read before.

        Raises what iterating raises.
        """
        while await self._fill():
            self._pieces.clear()
        if not self._reading.complete:
            what = "cancelled" if self._cancelled else "closed"
            raise self._truncated(f"it was {what} before it was read to its end")
        return self._reading.whole()

    async def close(self) -> None:
        """Give the connection back; iterating afterwards finds nothing more."""
        self._untaken += len(self._pieces)
        self._pieces.clear()
        self._interrupted = False
        await self._end(self._ending())

    async def cancel(self) -> None:
        """Stop the answer at the server, so that it costs nothing more, and close the stream.

        Whoever is reading finds the end. May be called at any time, from any task;
        an answer that is over stays as it is. Where the server names no turn, it
        is the same as `close`. Raises where the server could not be told: the stream
        is closed all the same, and the answer may go on to cost until it is called
        again, or the server gives up an answer that nobody reads.
        """
        self._cancelled = True
        try:
            await self.close()
        finally:  # also when a hook raises
            await self._resuming.stop()

    def settled(self) -> Stream[Piece, Whole]:
        """Open the stream and offer it to a blocking caller."""
        return Stream(self)

    async def _open(self) -> None:
        if self._response is None and not self._over:
            self._take()
            try:
                self._response = response = await self._opening.send()
                self._followers = response.followers
                self._resuming.begin(response)
            except BaseException:
                self._over = True  # or the next look would send the request again
                raise
            finally:
                self._taken = False
            if self._was_closed_meanwhile() and self._cancelled:
                with suppress(ChatloomError):  # who cancelled it has gone on since
                    await self._resuming.stop()

    def _was_closed_meanwhile(self) -> bool:
        """Give back at once what somebody closed while it was opened."""
        if self._over:
            self._abandon()
        return self._over

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
        if (arriving := response.arriving) is None:  # it was closed just now
            return ()
        try:
            data = await arriving.read()
            pieces = self._reading.feed(data)
        except TransportError as error:
            if not self._over:
                await self._go_on(error)
            return ()
        except ChatloomError as error:
            if self._over:
                return ()
            raise self._broken(str(error)) from error
        except BaseException:
            self._interrupt()
            raise
        if self._over:  # it was closed while somebody waited for it
            return ()
        if self._followers:
            self._pass_on(pieces, self._followers)
        if not (data or self._reading.complete or self._reading.failure):
            await self._go_on(TransportError("the answer ended before it said that it was done"))
        return pieces

    async def _go_on(self, cause: TransportError) -> None:
        """Read on over another connection; raise where that cannot be."""
        response = self._response
        assert response is not None
        self._give_up(response)
        try:
            again = await self._resuming.go_on(cause, lambda: self._over)
        except ChatloomError as error:
            if self._over:
                return
            is_told = error is cause or isinstance(error, SettingsError)  # the client is closed
            reason = str(cause) if is_told else f"{cause}; going on with it failed: {error}"
            raise self._broken(reason) from error
        except BaseException:
            self._interrupt()
            raise
        self._resumed = True
        self._later += again.followers
        response.arriving = again.arriving
        self._was_closed_meanwhile()

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
        error.attempts = self._resuming.attempts
        if (place := self._resuming.place) is not None:  # behind all of the text it tells
            error.resume_token = str(place)
        return self._opening.named(error)

    async def _end(self, ending: Ending) -> None:
        """Give the connection back, and tell the followers."""
        self._over = True
        response = self._response
        try:
            if response is not None and response.arriving is not None:
                arriving, response.arriving = response.arriving, None
                await (arriving.finish() if ending.complete else arriving.close())
        finally:
            self._tell(ending)

    def _abandon(self, error: ChatloomError | None = None) -> None:
        """Drop the connection at once, and tell the followers."""
        self._over = True
        if self._response is not None:
            self._give_up(self._response)
        if self._followers or self._later:
            self._tell(self._ending(error))

    def _give_up(self, response: Response) -> None:
        if response.arriving is not None:
            arriving, response.arriving = response.arriving, None
            arriving.abandon()

    def _ending(self, error: ChatloomError | None = None) -> Ending:
        reading = self._reading
        return Ending(
            reading.complete,
            error,
            reading.usage,
            reading.model,
            reading.finish_reason,
            self._resumed,
        )

    def _tell(self, ending: Ending) -> None:
        """Tell every follower, once, and raise the first mishap of any."""
        followers, self._followers = self._followers, ()
        later, self._later = self._later, ()
        mishap: Exception | None = None
        for follower in (*followers, *later):
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

    @property
    def resume_token(self) -> str | None:
        """Where to go on behind the pieces taken so far, maybe in another process.

        It has the form ``TURN:EVENT``; `None` where the server named no turn.
        """
        return self._source.resume_token

    def close(self) -> None:
        """Give the connection back; iterating afterwards finds nothing more."""
        run_inline(self._source.close())

    def cancel(self) -> None:
        """Stop the answer at the server, so that it costs nothing more, and close the stream.

        Whoever is reading finds the end. May be called at any time, from any
        thread; an answer that is over stays as it is. Where the server names no
        turn, it is the same as `close`. Raises where the server could not be told:
        the stream is closed all the same, and the answer may go on to cost until it
        is called again, or the server gives up an answer that nobody reads.
        """
        run_inline(self._source.cancel())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Piece:
        pieces = self._source._pieces
        is_there = bool(pieces) or run_inline(self._source._fill())
        if is_there:
            try:
                return pieces.popleft()
            except IndexError:  # closed just now, from another thread
                pass
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
