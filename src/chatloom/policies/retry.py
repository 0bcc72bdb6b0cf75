"""Try again where that cannot take effect twice.

| what happened              | a harmless request | a POST                                    |
| -------------------------- | ------------------ | ----------------------------------------- |
| it was never sent          | again              | again                                     |
| 429                        | again              | again                                     |
| 408                        | again              | not                                       |
| 5xx                        | again              | where the SDK promises it                 |
| the answer was lost        | again              | where promised, or the server honours keys |
| ``x-should-retry`` is told | as told            | as told                                   |

Whether a server honours keys shows in its answers, which echo them. Where the very
first answer was lost it is asked, by an ``OPTIONS`` at the same address, which does
nothing anywhere. A 409 is repeated only on the server's word.

Nothing is repeated after the head of a streamed answer has arrived: such an answer
is gone on with, by a request that waits here for its turn. As its server may just be
starting anew, that is repeated for as long as an outage may take.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec

from chatloom.core.errors import ConnectError, TimedOut, TransportError
from chatloom.core.http import Break, Request, Response
from chatloom.core.outside import Outside
from chatloom.core.wait import asked_wait
from chatloom.policies.identify import KEY

_STARTING = frozenset({502, 503, 504})
"""What is told of a server that is not there, by whatever stands before it."""
_SHORT = 2.0
"""The longest wait, in seconds, while somebody sits before half an answer."""


class Retry:
    """Repeat a failed request, at most *max_retries* times.

    Waits ``first_delay * 2**n`` seconds, at most *longest_delay*, less up to a
    quarter by chance; or what the server asks. Asked to wait longer than
    *patience*, or past the request's deadline, it gives up at once. A broken answer
    is waited for *outage* seconds where its server cannot be reached.
    """

    def __init__(
        self,
        max_retries: int = 2,
        *,
        first_delay: float = 0.5,
        longest_delay: float = 8.0,
        patience: float = 120.0,
        outage: float = 30.0,
        repeats_failed_posts: bool = False,
        repeats_lost_posts: bool = False,
        on_retry: Callable[[Request, float, Response | TransportError], object] | None = None,
    ) -> None:
        self._max_retries = max_retries
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._patience = patience
        self._outage = outage
        self._repeats_failed_posts = repeats_failed_posts
        self._repeats_lost_posts = repeats_lost_posts
        self.on_retry = on_retry
        """Told of each repetition before its wait, with the wait's seconds."""
        self._keys_honoured: bool | None = None  # nobody knows yet

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        if request.resumes is not None:
            await self._pause(request, request.resumes, outside)
        attempt = 1
        lost: TransportError | None = None
        while True:
            failure: TransportError | None = None
            response: Response | None = None
            try:
                if lost is not None and not await self._honours_keys(request, outside):
                    lost.attempts = attempt - 1
                    raise lost
                response = await outside.send(_counted(request, attempt))
            except TransportError as error:
                if error is lost:
                    raise
                failure = error
            else:
                response.attempts = attempt
                self._learn(request, response)
                if response.status < 400:
                    return response
            delay = self._delay(request, response, failure, attempt, outside)
            if delay is None:
                if response is not None:
                    return response
                assert failure is not None
                failure = lost or failure
                failure.attempts = attempt
                raise failure
            if response is not None:
                with suppress(TransportError):
                    await response.read()  # so that its connection serves again
            if failure is not None and not self._repeats_loss(request, failure):
                lost = lost or failure
            if self.on_retry is not None:
                cause = response or failure
                assert cause is not None
                self.on_retry(_counted(request, attempt), delay, cause)
            await outside.sleep(delay)
            attempt += 1

    async def _pause(self, request: Request, broken: Break, outside: Outside) -> None:
        """Wait before a broken answer is gone on with: the first time not at all."""
        delay = self._pause_before(broken.times - 1, outside) if broken.times > 1 else 0.0
        if request.deadline is not None and outside.now() + delay >= request.deadline:
            raise broken.cause
        if self.on_retry is not None:
            self.on_retry(request, delay, broken.cause)
        if delay:
            await outside.sleep(delay)

    def _delay(
        self,
        request: Request,
        response: Response | None,
        failure: TransportError | None,
        attempt: int,
        outside: Outside,
    ) -> float | None:
        """How long to wait before the next attempt; `None` for none."""
        most = self._max_retries if request.max_retries is None else request.max_retries
        if attempt > most and not self._is_outage(request, response, failure, outside):
            return None
        if response is not None:
            wanted = self._repeats_answer(request, response)
        else:
            wanted = self._repeats_loss(request, failure) or self._might_honour_keys(request)
        if not wanted:
            return None
        if response is not None:
            delay = asked_wait(response.headers, outside.wall_time())
        else:
            delay = failure.retry_after if failure is not None else None
        if delay is None:
            delay = self._pause_before(attempt, outside)
            if request.resumes is not None:
                delay = min(delay, _SHORT)
        too_late = request.deadline is not None and outside.now() + delay >= request.deadline
        return None if delay > self._patience or too_late else delay

    def _pause_before(self, attempt: int, outside: Outside) -> float:
        """How long to wait after so many attempts, where nobody says."""
        doubled = 2.0 ** min(attempt - 1, 64)
        longest = min(self._first_delay * doubled, self._longest_delay)
        return longest * (1 - outside.random() / 4)

    def _is_outage(
        self,
        request: Request,
        response: Response | None,
        failure: TransportError | None,
        outside: Outside,
    ) -> bool:
        """Whether somebody waits for the rest of an answer, and its server is just not there."""
        broken = request.resumes
        if broken is None or outside.now() >= broken.since + self._outage:
            return False
        if response is not None:
            return response.status in _STARTING
        # What stands before a server that is not there may also accept, and hang up.
        return isinstance(failure, ConnectError) or not isinstance(failure, TimedOut)

    def _repeats_answer(self, request: Request, response: Response) -> bool:
        told = response.headers.get("x-should-retry")
        if told in {"true", "false"}:
            return told == "true"
        status = response.status
        if status == 429:
            return True
        if status == 408:
            return request.is_idempotent
        return status >= 500 and (request.is_idempotent or self._repeats_failed_posts)

    def _repeats_loss(self, request: Request, failure: TransportError | None) -> bool:
        if isinstance(failure, ConnectError) or request.is_idempotent:
            return True
        keyed = self._keys_honoured and request.header(KEY) is not None
        return keyed or self._repeats_lost_posts

    def _might_honour_keys(self, request: Request) -> bool:
        return self._keys_honoured is None and request.header(KEY) is not None

    async def _honours_keys(self, request: Request, outside: Outside) -> bool:
        """Whether the server would take the same key for the same request."""
        if self._keys_honoured is None:
            asking = msgspec.structs.replace(request, method="OPTIONS", body=b"", streamed=False)
            self._learn(request, await outside.send(asking))
        return self._keys_honoured is True

    def _learn(self, request: Request, response: Response) -> None:
        """Take note of whether the server echoes keys; an error may be somebody else's word."""
        if KEY in response.headers:
            self._keys_honoured = True
        elif request.header(KEY) is not None and response.status < 400:
            self._keys_honoured = self._keys_honoured or False


def _counted(request: Request, attempt: int) -> Request:
    """Tell the server which repetition this is, by the name other SDKs use."""
    if attempt == 1:
        return request
    counted = request.with_header("x-stainless-retry-count", str(attempt - 1))
    return msgspec.structs.replace(counted, attempt=attempt)
