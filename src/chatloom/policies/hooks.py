"""Let the caller know what happens."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import TypeAlias

from chatloom.core.errors import ChatloomError, SettingsError, TransportError
from chatloom.core.http import Ending, Request, Response
from chatloom.core.outside import Outside

OnRequest: TypeAlias = Callable[[Request], object]
OnResponse: TypeAlias = Callable[[Request, Response], object]
OnRetry: TypeAlias = Callable[[Request, float, Response | TransportError], object]
OnError: TypeAlias = Callable[[ChatloomError], object]
OnChunk: TypeAlias = Callable[[Request, object], object]


class Hooks:
    """Plain functions to call as requests go out and answers come in.

    `on_request` and `on_response` are called for each attempt, the latter once
    the answer's head is there, whatever its status; `on_retry` before a wait,
    with its seconds and what the last attempt brought; `on_error` with the error
    the caller is about to get; `on_chunk` with each piece of a streamed answer.
    Requests are shown without the key they are signed with. What a cache answers
    passes no hook. What a hook raises reaches the caller. Raises `SettingsError`
    for a coroutine function: write a policy to await something.
    """

    def __init__(
        self,
        *,
        on_request: OnRequest | None = None,
        on_response: OnResponse | None = None,
        on_retry: OnRetry | None = None,
        on_error: OnError | None = None,
        on_chunk: OnChunk | None = None,
    ) -> None:
        hooks = (on_request, on_response, on_retry, on_error, on_chunk)
        if any(iscoroutinefunction(hook) for hook in hooks):
            raise SettingsError("hooks are plain functions; a policy can await something")
        self.on_request = on_request
        self.on_response = on_response
        self.on_retry = on_retry
        self.on_error = on_error
        self.on_chunk = on_chunk

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        """Be the policy that sees each attempt."""
        if self.on_request is not None:
            self.on_request(request)
        response = await outside.send(request)
        try:
            if self.on_response is not None:
                self.on_response(request, response)
        except BaseException:
            if response.arriving is not None:
                response.arriving.abandon()
            raise
        if self.on_chunk is not None and response.arriving is not None:
            response.followers += (_Chunks(request, self.on_chunk),)
        return response

    def heard_by(
        self, named: Callable[[ChatloomError], ChatloomError]
    ) -> Callable[[ChatloomError], ChatloomError]:
        """Name errors as *named* does, and tell `on_error` of each."""
        tell = self.on_error
        if tell is None:
            return named

        def told(error: ChatloomError) -> ChatloomError:
            own = named(error)
            tell(own)
            return own

        return told


class _Chunks:
    """Tells each piece of one streamed answer."""

    def __init__(self, request: Request, tell: OnChunk) -> None:
        self._request = request
        self._tell = tell

    def piece(self, piece: object) -> None:
        self._tell(self._request, piece)

    def over(self, ending: Ending) -> None: ...
