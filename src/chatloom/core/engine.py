"""What runs a client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Generic, TypeVar, cast

import msgspec

from chatloom.core.complaint import Complaint
from chatloom.core.errors import ChatloomError, SettingsError, StatusError
from chatloom.core.http import Request, Response
from chatloom.core.manner import Manner, Pairs
from chatloom.core.outside import Outside, Policy, guard


class Sync:
    """Marks a client whose methods block."""


class Async:
    """Marks a client whose methods are awaited."""


class RawSync(Sync):
    """Marks a client whose methods block, and answer with a `Raw`."""


class RawAsync(Async):
    """Marks a client whose methods are awaited, and answer with a `Raw`."""


Mode = TypeVar("Mode", bound=Sync | Async)
Other = TypeVar("Other", bound=Sync | Async)


def unnamed(error: ChatloomError) -> ChatloomError:
    """Leave an error as it is; an SDK turns it into its own documented one instead."""
    return error


class Engine(Generic[Mode]):
    """What runs a client: an outside world, whether to block on it, and its manner."""

    def __init__(
        self,
        mode: type[Mode],
        outside: Outside,
        policies: Sequence[Policy] = (),
        *,
        named: Callable[[ChatloomError], ChatloomError] = unnamed,
        manner: Manner | None = None,
    ) -> None:
        self.mode = mode
        self.outside = guard(outside, policies)
        self.named = named
        self.manner = manner or Manner()
        self._json_headers = _with_content_type(self.manner.headers)
        self.seen: list[Response] | None = None
        """Where answers are noted for a caller who wants to see them; mostly nowhere."""

    def in_manner(self, manner: Manner) -> Engine[Mode]:
        """Run over the same outside, in another manner."""
        other = copy(self)
        other.manner = manner
        other._json_headers = _with_content_type(manner.headers)
        return other

    def in_mode(self, mode: type[Other]) -> Engine[Other]:
        """Run over the same outside, for another kind of caller."""
        other = cast("Engine[Other]", copy(self))
        other.mode = mode
        return other

    def noting(self, seen: list[Response]) -> Engine[Mode]:
        """Run over the same outside, and note every answer in *seen*."""
        other = copy(self)
        other.seen = seen
        return other

    def unnamed(self) -> Engine[Mode]:
        """Run over the same outside, for what is part of a call: errors stay the engine's own."""
        other = copy(self)
        other.named, other.seen = unnamed, None
        return other

    def request(
        self,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...] = (),
        body: bytes | None = None,
        streamed: bool = False,
    ) -> Request:
        """Build a request in this client's manner."""
        manner = self.manner
        deadline = None
        if manner.total_timeout is not None:
            deadline = self.outside.now() + manner.total_timeout
        return Request(
            method,
            path,
            query + manner.query,
            manner.headers if body is None else self._json_headers,
            body or b"",
            streamed,
            manner.timeouts,
            deadline,
            manner.max_retries,
        )

    def encode(self, payload: object) -> bytes:
        """Write a JSON body, with the fields this client adds to each."""
        if self.manner.body:
            if not isinstance(payload, Mapping):
                raise SettingsError("extra_body adds fields, and this call's body has none")
            payload = {**cast("Mapping[str, object]", payload), **self.manner.body}
        try:
            return msgspec.json.encode(payload)
        except UnicodeEncodeError as error:
            raise SettingsError("the request holds text that is no Unicode") from error

    async def send(self, request: Request) -> Response:
        """Send *request*; an error status, or no answer, raises the SDK's own error."""
        try:
            response = await self.outside.send(request)
            if response.status >= 300:
                await response.read()
        except SettingsError:
            raise  # the caller's own doing, in words of our own
        except ChatloomError as error:
            named = self.named(error)
            if named is error:
                raise
            raise named from error
        if response.status >= 300:
            complaint = Complaint.of(response, self.outside.wall_time())
            raise self.named(_refusal(request, response, complaint))
        if self.seen is not None:
            self.seen[:] = [response]  # of several, as for pages, the last
        return response


def _with_content_type(headers: Pairs) -> Pairs:
    given = dict(headers)
    return headers if "content-type" in given else (*headers, ("content-type", "application/json"))


def _refusal(request: Request, response: Response, complaint: Complaint) -> StatusError:
    error = StatusError(
        complaint.message or f"HTTP {response.status}",
        status_code=response.status,
        code=complaint.code,
        request_id=response.headers.get("x-request-id"),
        retry_after=complaint.retry_after,
        attempts=response.attempts,
        body=complaint.body,
    )
    error.add_note(f"{response.status} from {request}")
    return error
