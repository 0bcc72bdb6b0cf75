"""What the models on offer can do."""

from __future__ import annotations

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.models.driver import ModelInfo, Price
from chatloom.server.models.registry import Registry, UnknownModel
from chatloom.server.routes import Route
from chatloom.wire import zaguan as wire


async def get_capabilities(call: Call) -> Reply:
    """Answer ``GET /v1/capabilities``: a list, as two of the three official clients read it."""
    asked = call.read_query(wire.CapabilitiesQuery)
    registry, tiers = call.services.registry, call.services.tiers
    told = [
        _capabilities(info, _price(registry, info.id), tiers.band_of(info.id, registry))
        for info in await registry.models()
    ]
    return json_reply([one for one in told if _is_meant(one, asked)])


def _is_meant(told: wire.ModelCapabilities, asked: wire.CapabilitiesQuery) -> bool:
    wanted = {name: getattr(asked, name) for name in asked.__struct_fields__}
    return all(value is None or getattr(told, name) == value for name, value in wanted.items())


def _price(registry: Registry, model: str) -> Price | None:
    try:
        return registry.resolve(model).price
    except UnknownModel:  # a provider lists it, and configuration gives its name to another
        return None


def _capabilities(info: ModelInfo, price: Price | None, band: str) -> wire.ModelCapabilities:
    can = set(info.capabilities)
    return wire.ModelCapabilities(
        model_id=info.id,
        provider=info.provider,
        band=band,
        supports_vision="vision" in can,
        supports_tools="tools" in can,
        supports_reasoning="reasoning" in can,
        supports_streaming="streaming" in can,
        supports_audio_in=False,
        supports_audio_out=False,
        supports_audio_input=False,
        supports_audio_output=False,
        max_context_tokens=info.context_length,
        max_output_tokens=info.max_output_tokens,
        input_cost=None if price is None else price.prompt / 1e6,
        output_cost=None if price is None else price.completion / 1e6,
        features=info.capabilities,
        modalities=["text", "image"] if "vision" in can else ["text"],
        provider_specific={},
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/capabilities",
        owner="zaguan",
        summary="List what the models on offer can do",
        endpoint=get_capabilities,
        scope="models",
        query=wire.CapabilitiesQuery,
        answer=list[wire.ModelCapabilities],
        errors=("invalid",),
    ),
)
