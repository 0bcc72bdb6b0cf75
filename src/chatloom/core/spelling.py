"""Options that every call shares, spelled out for whoever asks `help` or an editor."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class _NotGiven:
    def __repr__(self) -> str:
        return "..."


_NOT_GIVEN = _NotGiven()


def spelled_out(options: type) -> Callable[[F], F]:
    """Show each key of *options*, a TypedDict, in place of ``**options: Unpack[…]``."""

    def spell(function: F) -> F:
        signature = inspect.signature(function)
        named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        spelled = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=_NOT_GIVEN,
                annotation=getattr(kind, "__forward_arg__", kind),
            )
            for name, kind in options.__annotations__.items()
        ]
        function.__dict__["__signature__"] = signature.replace(parameters=[*named, *spelled])
        return function

    return spell
