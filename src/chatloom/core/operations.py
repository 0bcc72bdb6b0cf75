"""Operations written once, in async terms, and offered blocking too.

    class Models(Resource[Mode]):
        @operation
        async def list(self, *, limit: int = 20) -> ModelList: ...

On a ``Models[Async]`` the method is what it looks like. On a ``Models[Sync]``
it is a plain function that returns the `ModelList` itself, to callers and to
`inspect` alike. A class that has fixed its mode (``class Client(Models[Sync])``)
shows the same on the class as on its instances.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Coroutine, Hashable, Sequence
from functools import cache
from types import FunctionType, MethodType
from typing import (
    Any,
    ClassVar,
    Concatenate,
    Generic,
    ParamSpec,
    Protocol,
    Self,
    TypeAlias,
    TypeVar,
    cast,
    get_args,
    overload,
)

import msgspec

from chatloom.core.complaint import Complaint
from chatloom.core.errors import AnswerError, ChatloomError, StatusError
from chatloom.core.http import UNREADABLE, Request, Response, Timeouts
from chatloom.core.inline import run_inline
from chatloom.core.outside import Outside, Policy, guard
from chatloom.core.pages import AsyncPages, Pages
from chatloom.core.streams import AsyncStream, Piece, Stream, Whole

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
S = TypeVar("S")


class Sync:
    """Marks a client whose methods block."""


class Async:
    """Marks a client whose methods are awaited."""


Mode = TypeVar("Mode", bound=Sync | Async)


def unnamed(error: ChatloomError) -> ChatloomError:
    """Leave an error as it is; an SDK turns it into its own documented one instead."""
    return error


class Engine(Generic[Mode]):
    """What runs a client: an outside world, whether to block on it, and its habits."""

    def __init__(
        self,
        mode: type[Mode],
        outside: Outside,
        policies: Sequence[Policy] = (),
        *,
        named: Callable[[ChatloomError], ChatloomError] = unnamed,
        timeouts: Timeouts | None = None,
        total_timeout: float | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.mode = mode
        self.outside = guard(outside, policies)
        self.named = named
        self.timeouts = timeouts or Timeouts()
        self.total_timeout = total_timeout
        self.headers = headers

    def request(
        self,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...] = (),
        body: bytes | None = None,
        streamed: bool = False,
    ) -> Request:
        """Build a request with this client's habits."""
        headers = self.headers
        if body is not None:
            headers = (*headers, ("content-type", "application/json"))
        deadline = None
        if self.total_timeout is not None:
            deadline = self.outside.now() + self.total_timeout
        return Request(method, path, query, headers, body or b"", streamed, self.timeouts, deadline)

    async def send(self, request: Request) -> Response:
        """Send *request*; an error status, or no answer, raises the SDK's own error."""
        try:
            response = await self.outside.send(request)
            if response.status >= 300:
                await response.read()
        except ChatloomError as error:
            named = self.named(error)
            if named is error:
                raise
            raise named from error
        if response.status >= 300:
            complaint = Complaint.of(response, self.outside.wall_time())
            raise self.named(_refusal(request, response, complaint))
        return response


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


Opening: TypeAlias = Callable[[], Coroutine[object, None, Response]]
"""Sends the request of a streamed answer, when it is time."""


class Resource(Generic[Mode]):
    """A group of operations."""

    _mode: ClassVar[type | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in cast("tuple[object, ...]", getattr(cls, "__orig_bases__", ())):
            for argument in get_args(base):
                if argument in (Sync, Async):
                    cls._mode = argument
        if cls._mode is not None:
            cls._settle()

    @classmethod
    def _settle(cls) -> None:
        """Hold plain functions once the mode is fixed; `unittest.mock` trusts nothing else."""
        for name in dir(cls):
            if isinstance(inspect.getattr_static(cls, name), PerMode):
                setattr(cls, name, getattr(cls, name))

    @classmethod
    def _fixed_mode(cls) -> type[Mode]:
        """The mode of a class that has fixed it."""
        assert cls._mode is not None, f"{cls.__name__} has not fixed its mode"
        return cast("type[Mode]", cls._mode)

    def __init__(self, engine: Engine[Mode]) -> None:
        self._engine = engine

    async def _get(self, path: str, read: Callable[[bytes], T], **query: object) -> T:
        """GET; ``None`` values are left out of the query string."""
        asked = tuple((name, str(value)) for name, value in query.items() if value is not None)
        return await self._send(self._engine.request("GET", path, asked), read)

    async def _post(self, path: str, payload: object, read: Callable[[bytes], T]) -> T:
        body = msgspec.json.encode(payload)
        return await self._send(self._engine.request("POST", path, (), body), read)

    async def _send(self, request: Request, read: Callable[[bytes], T]) -> T:
        response = await self._engine.send(request)
        try:
            return read(response.body)
        except UNREADABLE as error:
            raise self._engine.named(_nonsense(request, response, error)) from error

    def _opening(self, path: str, payload: object) -> Opening:
        """Prepare a POST whose answer is wanted piece by piece."""
        body = msgspec.json.encode(payload)

        async def opening() -> Response:
            request = self._engine.request("POST", path, (), body, streamed=True)
            return await self._engine.send(request.with_header("accept", "text/event-stream"))

        return opening


def _nonsense(request: Request, response: Response, reason: Exception) -> AnswerError:
    start = response.body[:200].decode(errors="replace")
    return AnswerError(
        f"the answer to {request} is not what it should be ({reason}): {start}",
        status_code=response.status,
        request_id=response.headers.get("x-request-id"),
        attempts=response.attempts,
        body=start,
    )


def typed(kind: type[T]) -> Callable[[bytes], T]:
    """Read a JSON answer as *kind*, anything `msgspec` knows."""
    return _decoder(cast("Hashable", kind)).decode


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:  # @cache would hide what `typed` answers
    return msgspec.json.Decoder(kind)


class _Settling(Protocol):
    def __call__(self, answer: Any, /) -> Any: ...


class PerMode(Generic[S, A]):
    """An attribute that is an ``S`` on a blocking client and an ``A`` on an async one."""

    def __init__(self, method: Callable[..., Any], settle: _Settling) -> None:
        self._method = method
        self._settle = settle
        self._blocking: Callable[..., Any] | None = None
        self.__doc__ = method.__doc__

    def __set_name__(self, owner: type[Resource[Any]], name: str) -> None:
        # A method behind annotated overloads is written under another name.
        self._method.__name__ = name
        self._method.__qualname__ = f"{owner.__qualname__}.{name}"

    @overload
    def __get__(self, resource: None, owner: type[Resource[Any]]) -> Callable[..., Any]: ...
    @overload
    def __get__(self, resource: Resource[Sync], owner: type[Resource[Any]]) -> S: ...
    @overload
    def __get__(self, resource: Resource[Async], owner: type[Resource[Any]]) -> A: ...
    def __get__(self, resource: Any, owner: type[Resource[Any]]) -> Any:
        fixed = owner._mode  # pyright: ignore[reportPrivateUsage]
        mode = fixed if resource is None else resource._engine.mode
        function = self._blocking or self._block() if mode is Sync else self._method
        return function if resource is None else MethodType(function, resource)

    def _block(self) -> Callable[..., Any]:
        method, settle = self._method, self._settle

        def settled(*args: Any, **kwargs: Any) -> Any:
            return settle(method(*args, **kwargs))

        # Its annotations are looked up among the method's globals.
        names = cast("FunctionType", method).__globals__
        blocking = FunctionType(settled.__code__, names, None, None, settled.__closure__)
        # Not functools.wraps: whoever unwraps would find a coroutine function again.
        signature = inspect.signature(method)
        answer = _blocking_name(signature.return_annotation)
        blocking.__name__ = method.__name__
        blocking.__qualname__ = method.__qualname__
        blocking.__module__ = method.__module__
        blocking.__doc__ = method.__doc__
        blocking.__annotations__ = {**method.__annotations__, "return": answer}
        blocking.__dict__["__signature__"] = signature.replace(return_annotation=answer)
        self._blocking = blocking
        return blocking


def _blocking_name(answer: object) -> object:
    """What a blocking caller gets where an async one gets *answer*, an annotation."""
    if not isinstance(answer, str):
        return answer
    settled = re.sub(r"Coroutine\[\w+, \w+, ([^|]+)\](?= \||$)", r"\1", answer)
    return re.sub(r"\bAsync(?=[A-Z])", "", settled)


def operation(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> PerMode[Callable[P, T], Callable[P, Coroutine[None, None, T]]]:
    """Offer a method that answers once."""
    # Coroutine[None, None, T], for mypy: an explicit Any there turns gather()'s tuple into Any.
    return PerMode(method, run_inline)


def streaming(
    method: Callable[Concatenate[Any, P], AsyncStream[Piece, Whole]],
) -> PerMode[Callable[P, Stream[Piece, Whole]], Callable[P, AsyncStream[Piece, Whole]]]:
    """Offer a method that answers in pieces."""
    return PerMode(method, AsyncStream[Any, Any].settled)


def paginated(
    method: Callable[Concatenate[Any, P], AsyncPages[T]],
) -> PerMode[Callable[P, Pages[T]], Callable[P, AsyncPages[T]]]:
    """Offer a method that answers in pages."""
    return PerMode(method, AsyncPages[Any].settled)


def streamable(method: Callable[..., Any]) -> PerMode[Any, Any]:
    """Offer a method that answers once or in pieces, as its ``stream`` argument says.

    Overloads cannot be inferred, so annotate the result with what callers see.
    """

    def settle(answer: AsyncStream[Any, Any] | Coroutine[Any, None, Any]) -> Any:
        return answer.settled() if isinstance(answer, AsyncStream) else run_inline(answer)

    return PerMode(method, settle)


class BlockingClient(Resource[Sync]):
    """Closes like a file."""

    def close(self) -> None:
        """Give back every connection."""
        run_inline(self._engine.outside.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AwaitingClient(Resource[Async]):
    """Closes like an async file."""

    async def close(self) -> None:
        """Give back every connection."""
        await self._engine.outside.close()

    async def aclose(self) -> None:
        """Give back every connection; the same as `close`."""
        await self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
