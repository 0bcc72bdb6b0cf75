"""Operations written once, in async terms, and offered blocking too.

    class Models(Resource[Mode]):
        @operation
        async def list(self, *, limit: int = 20) -> ModelList: ...

On a ``Models[Async]`` the method is what it looks like. On a ``Models[Sync]``
it is a plain function that returns the `ModelList` itself, to callers and to
`inspect` alike. On a ``Models[RawSync]`` or ``Models[RawAsync]`` it answers with
a `Raw`, which holds the HTTP response beside the `ModelList`. A class that has
fixed its mode (``class Client(Models[Sync])``) shows the same on the class as on
its instances.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Coroutine, Hashable
from copy import copy
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

from chatloom.core.engine import Async, Engine, Mode, RawAsync, RawSync, Sync
from chatloom.core.errors import AnswerError
from chatloom.core.http import UNREADABLE, Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.manner import query_pairs
from chatloom.core.pages import AsyncPages, Pages
from chatloom.core.raw import Raw
from chatloom.core.reading import Opening, Piece, Whole
from chatloom.core.streams import AsyncStream, Stream
from chatloom.core.turns import Place, Turns, wanting_events

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")
A = TypeVar("A")
RS = TypeVar("RS")
RA = TypeVar("RA")


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

    def _through(self, engine: Engine[Mode]) -> Self:
        """Offer the same over another engine, the resources within included."""
        twin = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Resource):
                resource = cast("Resource[Mode]", value)
                vars(twin)[name] = resource._through(engine)
        twin._engine = engine
        return twin

    async def _get(self, path: str, read: Callable[[bytes], T], **query: object) -> T:
        """GET; ``None`` values are left out of the query string."""
        return await self._send(self._engine.request("GET", path, query_pairs(query)), read)

    async def _post(self, path: str, payload: object, read: Callable[[bytes], T]) -> T:
        engine = self._engine
        return await self._send(engine.request("POST", path, (), engine.encode(payload)), read)

    async def _send(self, request: Request, read: Callable[[bytes], T]) -> T:
        return self._read(request, await self._engine.send(request), read)

    def _read(self, request: Request, response: Response, read: Callable[[bytes], T]) -> T:
        """Make sense of the answer to *request*."""
        try:
            return read(response.body)
        except UNREADABLE as error:
            raise self._engine.named(_nonsense(request, response, error)) from error

    def _opening(self, path: str, payload: object, turns: str | None = None) -> Opening:
        """Prepare a POST whose answer is wanted piece by piece.

        *turns* is where the server has its turns: an answer that breaks off there
        is gone on with.
        """
        engine = self._engine
        body = engine.encode(payload)
        known = None if turns is None else Turns(engine, turns)

        async def send() -> Response:
            request = wanting_events(engine.request("POST", path, (), body, streamed=True))
            if known is not None:
                known.deadline = request.deadline
            return await engine.send(request)

        return Opening(f"POST {path}", send, engine.named, known)

    def _going_on(self, turns: str, resume_token: str) -> Opening:
        """Prepare to read what is behind *resume_token* of an answer that broke off.

        Raises `SettingsError`, before anything is sent, for what is no such token.
        """
        known, place = Turns(self._engine, turns), Place.told_by(resume_token)
        what = f"GET {known.events_of(place.turn)}"
        return Opening(what, lambda: known.begin(place), self._engine.named, known, place)


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


class PerMode(Generic[S, A, RS, RA]):
    """An attribute of another type in each mode: blocking, awaited, and the two with a `Raw`."""

    def __init__(self, method: Callable[..., Any], settle: _Settling) -> None:
        self._method = method
        self._settle = settle
        self._offered: dict[type, Callable[..., Any]] = {Async: method}
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
    @overload
    def __get__(self, resource: Resource[RawSync], owner: type[Resource[Any]]) -> RS: ...
    @overload
    def __get__(self, resource: Resource[RawAsync], owner: type[Resource[Any]]) -> RA: ...
    def __get__(self, resource: Any, owner: type[Resource[Any]]) -> Any:
        fixed = owner._mode  # pyright: ignore[reportPrivateUsage] - the two are one
        mode = (fixed or Async) if resource is None else resource._engine.mode
        function = self._offered.get(mode) or self._offer(mode)
        return function if resource is None else MethodType(function, resource)

    def _offer(self, mode: type) -> Callable[..., Any]:
        """Make the method of a mode when it is first asked for."""
        method, settle, noted = self._method, self._settle, _noted

        def blocking(*args: Any, **kwargs: Any) -> Any:
            return settle(method(*args, **kwargs))

        def raw(*args: Any, **kwargs: Any) -> Any:
            return noted(method, *args, **kwargs)

        def blocking_raw(*args: Any, **kwargs: Any) -> Any:
            return settle(noted(method, *args, **kwargs))

        ways: dict[type, Callable[..., Any]]
        ways = {Sync: blocking, RawAsync: raw, RawSync: blocking_raw}
        self._offered[mode] = offered = _spoken_as(method, ways[mode], mode)
        return offered


def _spoken_as(method: Callable[..., Any], way: Callable[..., Any], mode: type) -> FunctionType:
    """Give *way* the name, the words and the signature of *method*."""
    written = cast("FunctionType", way)
    # Its annotations are looked up among its globals; it uses them for nothing else.
    names = {**_ANSWERS, **cast("FunctionType", method).__globals__}
    offered = FunctionType(written.__code__, names, None, None, written.__closure__)
    # Not functools.wraps: whoever unwraps would find a coroutine function again.
    signature = inspect.signature(method)
    answer = _answer_name(signature.return_annotation, inspect.iscoroutinefunction(method), mode)
    offered.__name__ = method.__name__
    offered.__qualname__ = method.__qualname__
    offered.__module__ = method.__module__
    offered.__doc__ = method.__doc__
    offered.__annotations__ = {**method.__annotations__, "return": answer}
    offered.__dict__["__signature__"] = signature.replace(return_annotation=answer)
    return offered


_ANSWERS = {"Coroutine": Coroutine, "Pages": Pages, "Raw": Raw, "Stream": Stream}
"""What an answer may be in a mode that the method's own module need not know."""


def _answer_name(answer: object, is_coroutine: bool, mode: type) -> object:
    """What a caller in *mode* gets where an async one gets *answer*, an annotation."""
    if not isinstance(answer, str):
        return answer
    if is_coroutine:
        answer = f"Coroutine[None, None, {answer}]"
    if mode in (RawSync, RawAsync):
        answer = _COROUTINE.sub(r"Coroutine[None, None, Raw[\1]]", answer)
    if mode is RawAsync:
        return answer
    return re.sub(r"\bAsync(?=[A-Z])", "", _COROUTINE.sub(r"\1", answer))


_COROUTINE = re.compile(r"Coroutine\[\w+, \w+, (.+?)\](?= \||$)")


def _noted(method: Callable[..., Any], resource: Resource[Any], *args: Any, **kwargs: Any) -> Any:
    """Call *method* so that its answer is a `Raw`; a stream or pages stay what they are."""
    seen: list[Response] = []
    engine = resource._engine.noting(seen)  # pyright: ignore[reportPrivateUsage] - the two are one
    twin = resource._through(engine)  # pyright: ignore[reportPrivateUsage] - the two are one
    answer = method(twin, *args, **kwargs)
    return _with_response(answer, seen) if inspect.iscoroutine(answer) else answer


async def _with_response(answer: Coroutine[Any, Any, T], seen: list[Response]) -> Raw[T]:
    parsed = await answer
    return Raw(parsed, seen[-1])


def operation(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> PerMode[
    Callable[P, T],
    Callable[P, Coroutine[None, None, T]],
    Callable[P, Raw[T]],
    Callable[P, Coroutine[None, None, Raw[T]]],
]:
    """Offer a method that answers once."""
    # Coroutine[None, None, T], for mypy: an explicit Any there turns gather()'s tuple into Any.
    return PerMode(method, run_inline)


Streams: TypeAlias = PerMode[
    Callable[P, Stream[Piece, Whole]],
    Callable[P, AsyncStream[Piece, Whole]],
    Callable[P, Stream[Piece, Whole]],
    Callable[P, AsyncStream[Piece, Whole]],
]


def streaming(
    method: Callable[Concatenate[Any, P], AsyncStream[Piece, Whole]],
) -> Streams[P, Piece, Whole]:
    """Offer a method that answers in pieces; a stream has its headers with it in every mode."""
    return PerMode(method, AsyncStream[Any, Any].settled)


def streaming_as(
    awaited: type[A], blocking: type[S]
) -> Callable[
    [Callable[Concatenate[Any, P], A]],
    PerMode[Callable[P, S], Callable[P, A], Callable[P, S], Callable[P, A]],
]:
    """Offer a method whose streams are of an SDK's own: *blocking* is what *awaited* settles to."""

    def offer(
        method: Callable[Concatenate[Any, P], A],
    ) -> PerMode[Callable[P, S], Callable[P, A], Callable[P, S], Callable[P, A]]:
        return PerMode(method, _settled)

    return offer


def _settled(stream: AsyncStream[Any, Any]) -> Any:
    return stream.settled()  # the SDK's own, which the class's would not be


def paginated(
    method: Callable[Concatenate[Any, P], AsyncPages[T]],
) -> PerMode[
    Callable[P, Pages[T]],
    Callable[P, AsyncPages[T]],
    Callable[P, Pages[T]],
    Callable[P, AsyncPages[T]],
]:
    """Offer a method that answers in pages."""
    return PerMode(method, AsyncPages[Any].settled)


def streamable(method: Callable[..., Any], seen_as: type) -> PerMode[Any, Any, Any, Any]:
    """Offer a method that answers once or in pieces, as its ``stream`` argument says.

    Overloads cannot be inferred, so annotate the result with what callers see: a
    protocol, whose ``__call__`` *seen_as* also has the words that editors show.
    """
    method.__doc__ = seen_as.__call__.__doc__

    def settle(answer: AsyncStream[Any, Any] | Coroutine[Any, None, Any]) -> Any:
        return answer.settled() if isinstance(answer, AsyncStream) else run_inline(answer)

    return PerMode(method, settle)
