"""Which tools ``loom/scribe`` calls, and with what.

A line ``!call get_weather {"city": "Paris"}`` in the last user message scripts
a call; several lines script several. Otherwise the request or the words decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from random import Random

import msgspec

from chatloom.core.http import JSON
from chatloom.server.models.driver import Parameters, Prompt, ProviderError
from chatloom.server.models.offline.clues import Clues, names
from chatloom.server.models.offline.composed import Call
from chatloom.server.models.offline.json_schema import fitting
from chatloom.server.models.offline.schema_merge import Schema, Unsatisfiable

_SCRIPTED = re.compile(r"^[ \t]*!call[ \t]+([\w.-]{1,200})[ \t]*(.*?)[ \t\r]*$", re.M)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_COLOURLESS = frozenset(
    ("get", "set", "run", "make", "fetch", "find", "look", "up", "lookup", "current", "the", "for")
)


class _Tool(msgspec.Struct, frozen=True):
    name: str
    schema: Schema


def check(asked: Parameters) -> None:
    """Raise `ProviderError` for tools and choices of tools that cannot be obeyed."""
    for tool in asked.tools:
        if _declared(tool) is None:
            raise ProviderError(
                "rejected", "loom/scribe calls functions with a name only", param="tools"
            )
    mode, chosen = _choice(asked)
    known = {tool.name for tool in _tools(asked)}
    if mode not in {"auto", "none", "required"}:
        message = f"tool_choice {mode[:100]!r} is neither 'none', 'auto', 'required' nor a function"
        raise ProviderError("rejected", message, param="tool_choice")
    if mode == "required" and not known:
        raise ProviderError("rejected", "tool_choice needs tools", param="tool_choice")
    for name in chosen or ():
        if name not in known:
            message = f"tool_choice names {name[:100]!r}, which is not among the tools"
            raise ProviderError("rejected", message, param="tool_choice")


def calls(prompt: Prompt, seed: int) -> Sequence[Call]:
    """The calls to make in answer to *prompt*; none where text is wanted."""
    asked = prompt.parameters
    mode, chosen = _choice(asked)
    tools = [tool for tool in _tools(asked) if chosen is None or tool.name in chosen]
    last = prompt.messages[-1] if prompt.messages else None
    if mode == "none" or not tools or (last and last.role == "tool" and mode == "auto"):
        return []
    text = next((m.text for m in reversed(prompt.messages) if m.role == "user"), "")
    chance = Random(seed)
    wanted = list(_scripted(text)) or [
        (tool.name, _arguments(tool, Clues(text, text, chance)))
        for tool in _matching(tools, text) or (tools[:1] if mode == "required" else ())
    ]
    if asked.parallel_tool_calls is False:
        wanted = wanted[:1]
    ids = Random(seed ^ 0xCA11)
    return [Call(f"call_{ids.getrandbits(96):024x}", name, text) for name, text in wanted]


def _scripted(text: str) -> Iterable[tuple[str, str]]:
    for name, arguments in _SCRIPTED.findall(text):
        yield name, arguments or "{}"


def _matching(tools: Sequence[_Tool], text: str) -> Sequence[_Tool]:
    """The tools that *text* names; else the first whose name's words it holds."""
    named = [tool for tool in tools if names(text, tool.name)]
    if named:
        return named
    words = {word.lower() for word in re.findall(r"[^\W_]+", text[:4000])}
    return [tool for tool in tools if _meant(tool.name, words)][:1]


def _meant(name: str, words: set[str]) -> bool:
    parts = [part.lower() for part in _WORDS.findall(name)]
    telling = [part for part in parts if part not in _COLOURLESS] or parts
    return bool(telling) and all(
        any(word.startswith(part) or part == f"{word}s" for word in words) for part in telling
    )


def _arguments(tool: _Tool, clues: Clues) -> str:
    try:
        return msgspec.json.encode(fitting({"type": "object", **tool.schema}, clues)).decode()
    except Unsatisfiable:
        return "{}"


def _tools(asked: Parameters) -> list[_Tool]:
    return [tool for tool in map(_declared, asked.tools) if tool is not None]


def _declared(tool: dict[str, JSON]) -> _Tool | None:
    function = tool.get("function")
    if not isinstance(function, dict):
        return None
    name, schema = function.get("name"), function.get("parameters")
    if not isinstance(name, str) or not name:
        return None
    return _Tool(name, schema if isinstance(schema, dict) else {})


def _choice(asked: Parameters) -> tuple[str, list[str] | None]:
    """How freely to choose, and from which tools where they are named."""
    choice = asked.tool_choice
    if not isinstance(choice, dict):
        return choice or "auto", None
    allowed = choice.get("allowed_tools")
    if isinstance(allowed, dict):
        tools, mode = allowed.get("tools"), allowed.get("mode")
        named = [_name(tool) for tool in tools] if isinstance(tools, list) else []
        return (mode if isinstance(mode, str) else "auto"), named
    return "required", [_name(choice)]


def _name(choice: JSON) -> str:
    """The function that *choice* names, written in one of two ways."""
    if not isinstance(choice, dict):
        return ""
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else choice.get("name")
    return name if isinstance(name, str) else ""
