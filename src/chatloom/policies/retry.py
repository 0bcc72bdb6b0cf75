"""Try again where that cannot take effect twice.

| what happened              | a harmless request | a POST                                   |
| -------------------------- | ------------------ | ---------------------------------------- |
| it was never sent          | again              | again                                    |
| 429                        | again              | again                                    |
| 408                        | again              | not                                      |
| 5xx                        | again              | where the SDK promises it                |
| the answer was lost        | again              | where promised, or the server heeds keys |
| it took too long           | again              | the same, and may be promised apart      |
| ``x-should-retry`` is told | as told            | as told                                  |

Where the very first answer was lost, the server is asked whether it heeds keys; not
where it took too long, or the caller would wait twice for nothing. A 409 is repeated
only on the server's word.

Nothing is repeated after the head of a streamed answer has arrived: such an answer
is gone on with, by a request that waits here for its turn. As its server may just be
starting anew, that is repeated for as long as an outage may take, unless its reader
has left. An error that names the turn is its end, and settled: it does not change.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

import msgspec

from chatloom.core.errors import ConnectError, TimedOut, TransportError
from chatloom.core.http import Break, Request, Response
from chatloom.core.outside import Outside
from chatloom.core.wait import asked_wait
from chatloom.policies.heeding import Heeding

_STARTING = frozenset({502, 503, 504})
"""What is told of a server that is not there, by whatever stands before it."""
_SHORT = 2.0
"""The longest wait, in seconds, while somebody sits before half an answer."""
_GLANCE = 0.25
"""How often, in seconds, to look whether he still does."""

_Outcome: TypeAlias = Response | TransportError


class Retry:
    """Repeat a failed request, at most *max_retries* times.

    Waits ``first_delay * factor**n`` seconds, at most *longest_delay*, less up to a
    quarter by chance; or what the server asks. Asked to wait longer than
    *patience*, or past the request's deadline, it gives up at once. The rest of
    an answer is waited for *outage* seconds where its server cannot be reached.
    A POST that took too long counts as a lost one, unless *repeats_late_posts* says.
    """

    def __init__(
        self,
        max_retries: int = 2,
        *,
        first_delay: float = 0.5,
        factor: float = 2.0,
        longest_delay: float = 8.0,
        patience: float = 120.0,
        outage: float = 30.0,
        repeats_failed_posts: bool = False,
        repeats_lost_posts: bool = False,
        repeats_late_posts: bool | None = None,
        on_retry: Callable[[Request, float, Response | TransportError], object] | None = None,
    ) -> None:
        self._max_retries = max_retries
        self._first_delay = first_delay
        self._factor = factor
        self._longest_delay = longest_delay
        self._patience = patience
        self._outage = outage
        self._repeats_failed_posts = repeats_failed_posts
        self._repeats_lost_posts = repeats_lost_posts
        self._repeats_late_posts = (
            repeats_lost_posts if repeats_late_posts is None else repeats_late_posts
        )
        self.on_retry = on_retry
        """Told of each repetition before its wait, with the wait's seconds."""
        self._keys = Heeding()

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        if request.resumes is not None:
            await self._pause(request, request.resumes, outside)
        attempt = 1
        lost: TransportError | None = None
        while True:
            outcome = await self._outcome(_counted(request, attempt), outside)
            if isinstance(outcome, Response) and outcome.status < 400:
                return outcome
            delay = await self._delay(request, outcome, attempt, outside)
            if delay is None:
                return _final(outcome, lost)
            lost = _loss(request, outcome) or lost
            if isinstance(outcome, Response):
                with suppress(TransportError):
                    await outcome.read()  # so that its connection serves again
            await self._wait(_counted(request, attempt), delay, outcome, outside)
            attempt += 1

    async def _outcome(self, request: Request, outside: Outside) -> _Outcome:
        """Send *request*, and tell what came of it."""
        try:
            response = await outside.send(request)
        except TransportError as error:
            error.attempts = request.attempt
            return error
        response.attempts = request.attempt
        self._keys.learn(request, response)
        return response

    async def _pause(self, request: Request, broken: Break, outside: Outside) -> None:
        """Wait before a broken answer is gone on with: the first time not at all."""
        delay = self._pause_before(broken.times - 1, outside) if broken.times > 1 else 0.0
        if request.deadline is not None and outside.now() + delay >= request.deadline:
            raise broken.cause
        await self._wait(request, delay, broken.cause, outside)

    async def _wait(
        self, request: Request, delay: float, cause: _Outcome, outside: Outside
    ) -> None:
        if self.on_retry is not None:
            self.on_retry(request, delay, cause)
        if (broken := request.resumes) is None:
            await outside.sleep(delay)
            return
        while delay > 0 and not broken.is_over():
            await outside.sleep(min(delay, _GLANCE))
            delay -= _GLANCE
        if broken.is_over():
            raise broken.cause

    async def _delay(
        self, request: Request, outcome: _Outcome, attempt: int, outside: Outside
    ) -> float | None:
        """How long to wait before the next attempt; `None` for none."""
        if request.resumes is not None and request.resumes.is_over():
            return None
        most = self._max_retries if request.max_retries is None else request.max_retries
        if attempt > most and not (most and self._is_outage(request, outcome, outside)):
            return None
        if isinstance(outcome, Response):
            if not self._repeats_answer(request, outcome):
                return None
            delay = asked_wait(outcome.headers, outside.wall_time())
        else:
            if not await self._repeats_loss(request, outcome, outside):
                return None
            delay = outcome.retry_after
        if delay is None:
            delay = self._pause_before(attempt, outside)
            if request.awaited_since is not None:
                delay = min(delay, _SHORT)
        too_late = request.deadline is not None and outside.now() + delay >= request.deadline
        return None if delay > self._patience or too_late else delay

    def _pause_before(self, attempt: int, outside: Outside) -> float:
        """How long to wait after so many attempts, where nobody says."""
        grown = self._factor ** min(attempt - 1, 64)
        longest = min(self._first_delay * grown, self._longest_delay)
        return longest * (1 - outside.random() / 4)

    def _is_outage(self, request: Request, outcome: _Outcome, outside: Outside) -> bool:
        """Whether somebody waits for the rest of an answer, and its server is just not there."""
        since = request.awaited_since
        if since is None or outside.now() >= since + self._outage:
            return False
        if isinstance(outcome, Response):
            return outcome.status in _STARTING
        # What stands before a server that is not there may also accept, and hang up.
        return isinstance(outcome, ConnectError) or not isinstance(outcome, TimedOut)

    def _repeats_answer(self, request: Request, response: Response) -> bool:
        told = response.headers.get("x-should-retry")
        if told in {"true", "false"}:
            return told == "true"
        if request.method == "GET" and "x-chatloom-turn" in response.headers:
            return False  # so did the turn end, and it will not end otherwise
        status = response.status
        if status == 429:
            return True
        if status == 408:
            return request.is_idempotent
        return status >= 500 and (request.is_idempotent or self._repeats_failed_posts)

    async def _repeats_loss(
        self, request: Request, failure: TransportError, outside: Outside
    ) -> bool:
        if isinstance(failure, ConnectError) or request.is_idempotent:
            return True
        if isinstance(failure, TimedOut):
            return self._repeats_late_posts or self._keys.covers(request)
        return self._repeats_lost_posts or await self._keys.find_out(request, outside)


def _loss(request: Request, outcome: _Outcome) -> TransportError | None:
    """Give the error behind which the request may have taken effect, and nobody knows."""
    if isinstance(outcome, Response | ConnectError) or request.is_idempotent:
        return None
    return outcome


def _final(outcome: _Outcome, lost: TransportError | None) -> Response:
    """Answer, or raise; what may have taken effect is never said to have reached nobody."""
    if isinstance(outcome, Response):
        return outcome
    if lost is not None and isinstance(outcome, ConnectError):
        lost.attempts = outcome.attempts
        raise lost
    raise outcome


def _counted(request: Request, attempt: int) -> Request:
    """Tell the server which repetition this is, by the name other SDKs use."""
    if attempt == 1:
        return request
    counted = request.with_header("x-stainless-retry-count", str(attempt - 1))
    return msgspec.structs.replace(counted, attempt=attempt)
