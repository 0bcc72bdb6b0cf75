"""Options that every call shares, spelled out for whoever asks `help`, and checked by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


class _NotGiven:
    def __repr__(self) -> str:
        return "..."


_NOT_GIVEN = _NotGiven()


def spelled_out(options: type) -> Callable[[F], F]:
    """Show each key of *options*, a TypedDict, in place of ``**options: Unpack[…]``.

    A keyword that is neither of them nor of the function raises `TypeError`.
    """

    def spell(function: F) -> F:
        signature = inspect.signature(function)
        named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        known = {p.name for p in named} | options.__annotations__.keys()

        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            for name in kwargs.keys() - known:
                raise TypeError(_unknown(function.__qualname__, name, known))
            return function(*args, **kwargs)

        spelled = [_parameter(name, kind) for name, kind in options.__annotations__.items()]
        checked.__dict__["__signature__"] = signature.replace(parameters=[*named, *spelled])
        return cast("F", checked)

    return spell


def _parameter(name: str, kind: object) -> inspect.Parameter:
    said = getattr(kind, "__forward_arg__", kind)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=_NOT_GIVEN, annotation=said
    )


def _unknown(function: str, name: str, known: set[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{function}() got an unexpected keyword argument {name!r}{hint}"
