"""Calling drivers: one interface, one driver that has had many names, three methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from msgspec.structs import replace

from chatloom.core.http import JSON
from chatloom.server.call import Call, Reply, StreamedReply, convert, json_reply, read_json
from chatloom.server.models.driver import ModelInfo
from chatloom.server.protocols.puter import models
from chatloom.server.protocols.puter.chat import complete
from chatloom.server.protocols.voice import ERRORS
from chatloom.server.refusal import Refusal
from chatloom.server.routes import Route
from chatloom.wire import puter as wire


async def call_driver(call: Call) -> Reply | StreamedReply:
    """Answer ``POST /drivers/call``, whatever its body claims to be besides JSON."""
    body = await call.body()
    asked = convert(read_json(body), wire.DriverCall)
    if asked.interface != wire.INTERFACE:
        raise _unknown("Interface", asked.interface)
    if asked.driver not in {None, "", wire.DRIVER, *wire.LEGACY_DRIVERS}:
        raise _unknown("Driver", asked.driver)
    method = _METHODS.get(asked.method)
    if method is None:
        raise _unknown("Method", asked.method)
    return await method(call, asked.args or {}, body)


def _unknown(what: str, name: str | None) -> Refusal:
    known = {"Interface": wire.INTERFACE, "Driver": wire.DRIVER, "Method": ", ".join(_METHODS)}
    told = f"{what} not found: {(name or '')[:100]!r}; there is {known[what]}"
    return Refusal("not_found", told, code="not_found", param=what.lower())


async def _list(call: Call, args: Mapping[str, JSON], body: bytes) -> Reply:
    return json_reply(wire.Called(result=[info.id for info in await _all(call)]))


async def _models(call: Call, args: Mapping[str, JSON], body: bytes) -> Reply:
    found = await models.told(call.services.registry, await _all(call))
    return json_reply(wire.Called(result=found))


async def _all(call: Call) -> list[ModelInfo]:
    """The models on offer, and behind them those for tests alone."""
    registry = call.services.registry
    return [*models.chatting(await registry.models()), *registry.placeholders]


_Method: TypeAlias = Callable[[Call, Mapping[str, JSON], bytes], Awaitable[Reply | StreamedReply]]
_METHODS: Mapping[str, _Method] = {"complete": complete, "list": _list, "models": _models}


async def list_interfaces(_: Call) -> Reply:
    """Answer ``GET /drivers/list-interfaces``."""
    return json_reply({wire.INTERFACE: wire.Drivers([wire.DRIVER], wire.DRIVER)})


async def list_modules(_: Call) -> Reply:
    """Answer ``GET /lsmod``."""
    implementors = {wire.DRIVER: wire.Implementor(is_default=True)}
    return json_reply(wire.Modules({wire.INTERFACE: wire.Implementors(implementors)}))


async def ask_for_modules(call: Call) -> Reply:
    """Answer ``POST /lsmod``, as some clients ask."""
    return await list_modules(call)


_LISTED = Route(
    method="GET",
    path="/lsmod",
    owner="puter",
    summary="Say which driver implements which interface",
    endpoint=list_modules,
    scope="public",
    answer=wire.Modules,
)

ROUTES = (
    Route(
        method="POST",
        path="/drivers/call",
        owner="puter",
        summary="Call a driver: have messages answered (`complete`), or list the models",
        endpoint=call_driver,
        scope="chat",
        takes_token=True,
        request=wire.DriverCall,
        answer=wire.Called[wire.CompletionResult],
        streams=wire.ChatLine,
        streamed_as="application/x-ndjson",
        errors=ERRORS,
        paid=True,
    ),
    Route(
        method="GET",
        path="/drivers/list-interfaces",
        owner="puter",
        summary="List the interfaces, and who implements them",
        endpoint=list_interfaces,
        scope="public",
        answer=dict[str, wire.Drivers],
    ),
    _LISTED,
    replace(_LISTED, method="POST", endpoint=ask_for_modules),
)
