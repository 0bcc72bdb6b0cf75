"""Python functions that a model may call.

What a tool takes is told to the model as a JSON schema, read from the function's
signature: anything `msgspec` knows, so dataclasses, TypedDicts, Literals, lists,
dicts, optional and ``Annotated`` types too. What the model sends is converted to
these types, and checked.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.http import JSON, UNREADABLE
from puter.answers import ToolCall
from puter.exceptions import PuterToolError
from puter.types import ChatMessage

__all__ = ["Tool", "ToolErrors", "ToolFunction"]

ToolFunction: TypeAlias = Callable[..., object]
"""Any function whose parameters have types; an async one for async calls only."""
ToolErrors: TypeAlias = Literal["tell", "raise"]
"""What is done when a tool raises: the model is told, or the caller."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Tool:
    """A function, as a model is told of it.

    *name* and *description* are the function's own unless told otherwise; parameters are
    described by the docstring (``name: words`` or ``:param name: words``), or by a text in
    ``Annotated``. Raises `chatloom.SettingsError` for a function that cannot be told.
    """

    def __init__(
        self,
        function: ToolFunction,
        *,
        name: str | None = None,
        description: str | None = None,
    ) -> None:
        if not callable(cast("object", function)):
            raise SettingsError(f"a tool is a function or a Tool, not {function!r:.80}")
        self.function = function
        self.name = name or str(getattr(function, "__name__", ""))
        if not _NAME.fullmatch(self.name):
            raise SettingsError(f"{self.name!r:.80} is no name for a tool: give Tool(…, name=…)")
        words = inspect.getdoc(function) or ""
        self.description = re.split(r"\n\s*\n", words)[0] if description is None else description
        self._arguments = _arguments(self.name, function, _described(words))

    @property
    def parameters(self) -> Mapping[str, JSON]:
        """The JSON schema of what it takes."""
        schema = msgspec.json.schema(self._arguments)
        kinds = cast("dict[str, dict[str, JSON]]", schema["$defs"])
        own = kinds.pop(str(schema["$ref"]).rpartition("/")[2])
        own.pop("title", None)
        return {**own, "$defs": cast("JSON", kinds)} if kinds else own

    @property
    def told(self) -> Mapping[str, JSON]:
        """It, as a request tells it."""
        function: dict[str, JSON] = {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }
        return {"type": "function", "function": function}

    @property
    def is_async(self) -> bool:
        """Whether its answer has to be awaited."""
        return inspect.iscoroutinefunction(_body(self.function))

    def __call__(self, arguments: str) -> object:
        """Call it with *arguments*, as JSON. Raises `msgspec.MsgspecError`."""
        told = msgspec.json.decode(arguments, type=self._arguments, strict=False)
        names = self._arguments.__struct_fields__
        given = {name: value for name in names if (value := getattr(told, name)) is not _LEFT_OUT}
        return self.function(**given)


_LEFT_OUT = msgspec.UNSET


def _body(function: Any) -> Any:
    """The function itself where *function* is an object that calls one."""
    if isinstance(function, partial):
        return cast("partial[object]", function).func
    return function if inspect.isroutine(function) else function.__call__


def _arguments(name: str, function: ToolFunction, words: Mapping[str, str]) -> Any:
    """Make the type of a function's arguments, all in one."""
    try:
        hints = get_type_hints(_body(function), include_extras=True)
        parameters = inspect.signature(function).parameters.values()
    except (NameError, TypeError, ValueError) as error:
        raise SettingsError(f"the tool {name} cannot be read: {error}") from error
    fields: list[Any] = []
    for one in parameters:
        if one.kind not in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}:
            raise SettingsError(f"the tool {name} takes {one}, which a model cannot give by name")
        if one.name not in hints:
            raise SettingsError(f"the tool {name} does not say what type {one.name} has")
        kind = _annotated(hints[one.name], words.get(one.name))
        if one.default is one.empty:
            fields.append((one.name, kind))
        else:  # left out, it is the function's own
            fields.append((one.name, _optional(kind, one.default), msgspec.UNSET))
    try:
        made = msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)
        msgspec.json.schema(made)
    except TypeError as error:
        raise SettingsError(f"the tool {name} cannot be told to a model: {error}") from error
    return made


def _optional(kind: Any, default: object) -> Any:
    """Give a type that may be left out, and tell what that means, where JSON can say it."""
    try:
        told = msgspec.Meta(extra_json_schema={"default": msgspec.to_builtins(default)})
    except TypeError:
        return kind | msgspec.UnsetType
    return Annotated[kind | msgspec.UnsetType, told]


def _annotated(kind: Any, words: str | None) -> Any:
    """Give a type with its words: those of the docstring, or a text in ``Annotated``."""
    if get_origin(kind) is Annotated:
        kind, *marks = get_args(kind)
        texts = [mark for mark in marks if isinstance(mark, str)]
        words = texts[0] if texts else words
        for mark in marks:
            kind = kind if isinstance(mark, str) else Annotated[kind, mark]
    return Annotated[kind, msgspec.Meta(description=words)] if words else kind


_PARAMETER = re.compile(
    r"^\s*(?::param\s+(?:[^:\s]+\s+)?(\w+)|(\w+)(?:\s*\([^)]*\))?)\s*:[ \t]+(\S.*)$", re.MULTILINE
)


def _described(words: str) -> dict[str, str]:
    """What a docstring says of each parameter."""
    return {one or other: text.strip() for one, other, text in _PARAMETER.findall(words)}


class Toolbox:
    """The tools of one call."""

    def __init__(self, tools: Sequence[Tool | ToolFunction], errors: ToolErrors) -> None:
        made = [tool if isinstance(tool, Tool) else Tool(tool) for tool in tools]
        self._tools = {tool.name: tool for tool in made}
        if len(self._tools) < len(made):
            raise SettingsError("two tools have one name: give one of them as Tool(…, name=…)")
        if errors not in get_args(ToolErrors):
            raise SettingsError(f"tool_errors is 'tell' or 'raise', not {errors!r:.80}")
        self._raises = errors == "raise"

    def __bool__(self) -> bool:
        return bool(self._tools)

    @property
    def told(self) -> list[Mapping[str, JSON]]:
        """They, as a request tells them."""
        return [tool.told for tool in self._tools.values()]

    def check_blocking(self) -> None:
        """Raise `SettingsError` where one would have to be awaited."""
        for tool in self._tools.values():
            if tool.is_async:
                raise SettingsError(
                    f"the tool {tool.name} is an async function: use async_chat or astream"
                )

    async def answers(self, calls: Sequence[ToolCall]) -> list[ChatMessage]:
        """Call what a model has called, one after the other, and tell what came of it."""
        return [await self._answer(call) for call in calls]

    async def _answer(self, call: ToolCall) -> ChatMessage:
        return {"role": "tool", "tool_call_id": call.id, "content": await self._content(call)}

    async def _content(self, call: ToolCall) -> str:
        tool = self._tools.get(call.name)
        if tool is None:
            return f"Error: there is no tool {call.name!r}; there are {', '.join(self._tools)}"
        try:
            result = tool(call.arguments)
            if inspect.isawaitable(result):
                result = await cast("Awaitable[object]", result)
            return result if isinstance(result, str) else _written(result)
        except UNREADABLE as error:
            return f"Error: the arguments do not fit: {error}"
        except Exception as error:
            if self._raises:
                raise PuterToolError(f"the tool {call.name} failed: {error}") from error
            return f"Error: {type(error).__name__}: {error}"


def _written(result: object) -> str:
    return msgspec.json.encode(result, enc_hook=str).decode()
