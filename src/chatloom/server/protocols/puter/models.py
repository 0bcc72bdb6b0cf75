"""The models on offer, in Puter's words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.models.driver import ModelInfo
from chatloom.server.models.registry import Registry, UnknownModel
from chatloom.server.routes import Route
from chatloom.wire import puter as wire

_CENTS = 10**10
"""Pico-dollars of a cent."""
_MANY = 1_000_000
"""Tokens that the prices are for."""


async def list_model_names(call: Call) -> Reply:
    """Answer ``GET /puterai/chat/models``."""
    found = await call.services.registry.models()
    return json_reply(wire.ModelNames([info.id for info in chatting(found)]))


async def list_model_details(call: Call) -> Reply:
    """Answer ``GET /puterai/chat/models/details``."""
    registry = call.services.registry
    return json_reply(wire.ModelFacts(await told(registry, chatting(await registry.models()))))


def chatting(found: Sequence[ModelInfo]) -> list[ModelInfo]:
    """Those of them that chat."""
    return [info for info in found if "embeddings" not in info.capabilities]


async def told(registry: Registry, found: Sequence[ModelInfo]) -> list[wire.PuterModel]:
    """Describe *found*; looking many prices up takes a while, in which others are answered."""
    return await asyncio.to_thread(lambda: [_told(registry, info) for info in found])


def _told(registry: Registry, info: ModelInfo) -> wire.PuterModel:
    return wire.PuterModel(
        id=info.id,
        puter_id=f"{info.provider}:{info.id}",
        provider=info.provider,
        name=info.id,
        aliases=[],
        costs=_costs(registry, info.id),
        context=info.context_length,
        max_tokens=info.max_output_tokens,
    )


def _costs(registry: Registry, name: str) -> dict[str, float]:
    """What tokens cost, in cents; nothing where nobody knows."""
    try:
        price = registry.resolve(name).price
    except UnknownModel:  # a provider lists it under a name that leads elsewhere
        price = None
    if price is None:
        return {}
    return {
        "tokens": _MANY,
        "prompt_tokens": price.prompt * _MANY / _CENTS,
        "completion_tokens": price.completion * _MANY / _CENTS,
    }


def cents(picodollars: int) -> float:
    """An amount in cents, as Puter tells it; exact ones are at ``/v1/turns``."""
    return picodollars / _CENTS


ROUTES = (
    Route(
        method="GET",
        path="/puterai/chat/models",
        owner="puter",
        summary="List the names of the models on offer",
        endpoint=list_model_names,
        scope="public",
        answer=wire.ModelNames,
    ),
    Route(
        method="GET",
        path="/puterai/chat/models/details",
        owner="puter",
        summary="Describe the models on offer",
        endpoint=list_model_details,
        scope="public",
        answer=wire.ModelFacts,
    ),
)
