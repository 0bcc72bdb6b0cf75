"""Requests of the Messages API, in the words that every protocol's request becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

from chatloom.core.http import JSON
from chatloom.server.call import convert
from chatloom.server.chat.message import Message
from chatloom.server.models.driver import Parameters
from chatloom.server.protocols.anthropic.blocks import content_of, extra_of, read
from chatloom.server.refusal import invalid
from chatloom.wire import anthropic as wire

AnyRequest = TypeVar("AnyRequest", bound=wire.CountRequest)

_FOR_THE_PROVIDER = ("top_k", "thinking")
_KNOWN = frozenset(wire.MessageRequest.__struct_fields__)


def read_request(body: JSON, kind: type[AnyRequest]) -> AnyRequest:
    """Read a request. Raises `Refusal`, also for tools that are no functions."""
    request = convert(body, kind)
    for index, tool in enumerate(request.tools or ()):
        place = f"tools[{index}]"
        if tool.type not in {None, "custom"}:
            raise invalid(
                f"{place}: {tool.name} ({tool.type}) is a tool of Anthropic's own; here tools are"
                " functions, with an input_schema",
                param=f"{place}.type",
            )
        if tool.input_schema is None:
            raise invalid(f"{place}: input_schema is missing", param=f"{place}.input_schema")
    choice = request.tool_choice
    if choice is not None and not request.tools:
        raise invalid("tool_choice needs tools", param="tool_choice")
    if choice is not None and choice.type == "tool" and not choice.name:
        raise invalid("tool_choice does not say which tool", param="tool_choice.name")
    return request


def system_of(request: wire.CountRequest) -> Message | None:
    """What the request tells the model before all messages, as one."""
    told = request.system
    if not told:
        return None
    if isinstance(told, str):
        return Message("system", told)
    blocks = read(told, "system", frozenset({"text"}))
    return Message("system", content_of(blocks), extra=extra_of(blocks))


def provider_fields(request: wire.MessageRequest, body: JSON) -> dict[str, JSON]:
    """The fields for the provider alone."""
    fields = cast("dict[str, JSON]", body)
    extra = {name: value for name, value in fields.items() if name not in _KNOWN}
    for name in _FOR_THE_PROVIDER:
        if fields.get(name) is not None:
            extra[name] = fields[name]
    if rest := {k: v for k, v in (request.output_config or {}).items() if k != "format"}:
        extra["output_config"] = rest
    return extra


def parameters_of(request: wire.MessageRequest) -> Parameters:
    """What the request asks of the model."""
    choice = request.tool_choice
    return Parameters(
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        stop=[one for one in request.stop_sequences or () if one],
        tools=functions_of(request.tools or ()),
        tool_choice=None if choice is None else _choice(choice),
        parallel_tool_calls=False if choice and choice.disable_parallel_tool_use else None,
        response_format=_response_format(request.output_config or {}),
    )


def functions_of(tools: Sequence[wire.InputTool]) -> list[dict[str, JSON]]:
    """The *tools* in OpenAI's form."""
    return [{"type": "function", "function": _function(tool)} for tool in tools]


def _function(tool: wire.InputTool) -> JSON:
    function: dict[str, JSON] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.input_schema
    if tool.strict is not None:
        function["strict"] = tool.strict
    return function


_MODES: Mapping[str, str] = {"auto": "auto", "any": "required", "none": "none"}


def _choice(choice: wire.ToolChoice) -> str | dict[str, JSON]:
    if choice.type == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return _MODES[choice.type]


def _response_format(config: Mapping[str, JSON]) -> dict[str, JSON] | None:
    wanted = config.get("format")
    if wanted is None:
        return None
    schema = wanted.get("schema") if isinstance(wanted, dict) else None
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema" or schema is None:
        raise invalid("this is no json_schema", param="output_config.format")
    described: JSON = {"name": "answer", "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": described}
