"""Both modes send the same and are documented the same, in every SDK there is."""

from __future__ import annotations

import asyncio
import inspect
import pkgutil
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel

from chatloom.core.engine import Async, Engine, Sync
from chatloom.core.errors import ChatloomError
from chatloom.core.http import Request, Response
from chatloom.core.operations import PerMode, Resource
from chatloom.policies.identify import Identify
from support.scripted import Answer, Body, Scripted

SDKS = Path(__file__).parents[2] / "sdks"
MOST_PIECES = 3

Named: TypeAlias = dict[str, Any]


class Recorder(Scripted):
    """Answers everything, with something that may or may not be understood."""

    def answer(self, request: Request) -> Answer:
        if request.streamed:
            return Response(200, {}, arriving=Body(b"data: [DONE]\n\n"))
        return Response(200, {}, b'{"choices": []}')


def packages() -> Iterator[str]:
    """Import every module of every SDK, and name the SDKs."""
    for marker in sorted(SDKS.glob("*/*/__init__.py")):
        if marker.parent.name not in {"tests", "examples"}:
            package = import_module(marker.parent.name)
            for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
                import_module(found.name)
            yield package.__name__


def resources(root: type[Resource[Any]] = Resource) -> Iterator[type[Resource[Any]]]:
    for resource in root.__subclasses__():
        yield resource
        yield from resources(resource)


def operations() -> Iterator[tuple[type[Resource[Any]], str]]:
    """Every operation of every SDK, where it is written."""
    ours = set(packages())
    for resource in dict.fromkeys(resources()):
        if resource.__module__.partition(".")[0] in ours:
            for name, value in vars(resource).items():
                if isinstance(value, PerMode):
                    yield resource, name


IN_A_FORM: Named = {"resume_token": "t1:4"}
"""Arguments that not every value of their type will do for."""


def _unmoved(*_: object) -> None:
    """A callback."""


def sample(kind: Any) -> Any:
    """Some value of a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return sample(arguments[0])
    if origin is Literal:
        return arguments[0]
    kind = origin or kind
    if kind is Callable:
        return _unmoved
    samples: Named = {"str": "x", "int": 2, "float": 0.5, "bool": True, "dict": {"a": 1}}
    if kind.__name__ in samples:
        return samples[kind.__name__]
    if issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        needed = {name: sample(field.annotation) for name, field in fields if field.is_required()}
        return kind.model_validate(needed)
    if issubclass(kind, Mapping):
        return {"a": 1}
    assert issubclass(list, kind), f"the parity test knows no sample of {kind}"
    return [sample(arguments[0])] if isinstance(arguments[0], type) else ["x"]


def calls(operation: Callable[..., Any]) -> Iterator[Named]:
    """The ways to call it: with the least; with all; and with each switch the other way."""
    parameters = inspect.signature(operation).parameters.values()
    kinds = get_type_hints(operation)
    everything = {p.name: IN_A_FORM.get(p.name) or sample(kinds[p.name]) for p in parameters}
    least = {p.name: everything[p.name] for p in parameters if p.default is p.empty}
    switches = [p.name for p in parameters if kinds[p.name] is bool]
    yield least
    yield everything
    yield from ({**everything, name: not everything[name]} for name in switches)


def recorded(
    resource: type[Resource[Any]], mode: type[Sync | Async], recorder: Recorder
) -> Resource[Any]:
    engine: Engine[Any] = Engine(mode, recorder, [Identify()])
    return resource(engine)


def finish(answer: Any) -> None:
    """Use up a blocking answer."""
    if hasattr(answer, "__next__"):
        pieces: Iterator[object] = answer
        list(islice(pieces, MOST_PIECES))


async def finish_async(answer: Any) -> None:
    """Use up an async answer."""
    if not hasattr(answer, "__anext__"):
        await answer
        return
    for _ in range(MOST_PIECES):
        await anext(answer, None)


OPERATIONS = [
    pytest.param(resource, name, id=f"{resource.__name__}.{name}")
    for resource, name in operations()
]


def test_the_sdks_have_operations() -> None:
    some = {"ChatServer.create_completion", "ChatServer.list_models", "Chat.chat_stream"}
    some |= {"ConversationsResource.get_tree", "MessagesResource.stream", "HttpClient.get"}
    assert some <= {found.id for found in OPERATIONS}


@pytest.mark.parametrize(("resource", "name"), OPERATIONS)
def test_both_modes_send_the_same(resource: type[Resource[Any]], name: str) -> None:
    blocking, awaited = Recorder(), Recorder(suspends=True)
    call = getattr(recorded(resource, Sync, blocking), name)
    call_async = getattr(recorded(resource, Async, awaited), name)

    async def answered(arguments: Named) -> None:
        await finish_async(call_async(**arguments))

    for arguments in calls(call):
        with suppress(ChatloomError):
            finish(call(**arguments))
        with suppress(ChatloomError):
            asyncio.run(answered(arguments))
    assert blocking.requests
    assert blocking.requests == awaited.requests


@pytest.mark.parametrize(("resource", "name"), OPERATIONS)
def test_both_modes_are_documented_the_same(resource: type[Resource[Any]], name: str) -> None:
    blocking, awaited = (
        getattr(recorded(resource, mode, Recorder()), name) for mode in (Sync, Async)
    )
    assert blocking.__doc__ == awaited.__doc__
    assert blocking.__doc__
    assert inspect.signature(blocking).parameters == inspect.signature(awaited).parameters
