"""Whether a server heeds idempotency keys."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from chatloom.core.errors import ConnectError, TimedOut, TransportError
from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from chatloom.policies.identify import KEY

_ASKING = 5.0
"""The longest that an answer may take, in seconds; where connecting may take less, that."""
_PAUSES = (0.5, 1.0, 2.0)
"""Seconds before asking again a server that is not there."""


class Heeding:
    """What is known of whether one server heeds keys, which its answers echo.

    Before the first answer it can be asked, by an ``OPTIONS`` at the same address,
    which does nothing anywhere.
    """

    def __init__(self) -> None:
        self._is_heeded: bool | None = None  # nobody knows yet

    def learn(self, request: Request, response: Response) -> None:
        """Take note of what an answer tells; an error may be somebody else's word."""
        if KEY in response.headers:
            self._is_heeded = True
        elif request.header(KEY) is not None and response.status < 400:
            self._is_heeded = self._is_heeded or False

    def covers(self, request: Request) -> bool:
        """Whether *request* has a key, and its server is known to heed it."""
        return self._is_heeded is True and request.header(KEY) is not None

    async def find_out(self, request: Request, outside: Outside) -> bool:
        """Whether it covers *request*; asks, and not for long, where nobody knows yet."""
        if self._is_heeded is None and request.header(KEY) is not None:
            with suppress(TransportError):
                self.learn(request, await _answered(request, outside))
        return self.covers(request)


async def _answered(request: Request, outside: Outside) -> Response:
    """Ask; a few times where nobody is there, as a server may be that is starting anew."""
    for pause in _PAUSES:
        try:
            return await outside.send(_asking(request, outside.now()))
        except ConnectError as error:
            late = request.deadline is not None and outside.now() + pause >= request.deadline
            if late or isinstance(error, TimedOut):
                raise
        await outside.sleep(pause)
    return await outside.send(_asking(request, outside.now()))


def _asking(request: Request, now: float) -> Request:
    connect = request.timeouts.connect
    limit = _ASKING if connect is None else min(connect, _ASKING)
    until = now + limit if request.deadline is None else min(now + limit, request.deadline)
    return msgspec.structs.replace(
        request, method="OPTIONS", body=b"", streamed=False, deadline=until
    )
