"""Models, what they can do, embeddings, and whether the service is well."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chatloom.core.engine import Mode
from chatloom.core.http import JSON
from chatloom.core.operations import operation
from zaguan._calls import Calls, decoded, model, understood, written
from zaguan.models import (
    EmbeddingsRequest,
    EmbeddingsResponse,
    HealthStatus,
    ModelCapabilities,
    ModelInfo,
)


class Catalogue(Calls[Mode]):
    """What there is."""

    @operation
    async def list_models(self, request_id: str | None = None) -> list[ModelInfo]:
        """List the models on offer. Raises `ZaguanError`."""
        return await self._call(request_id)._get("/v1/models", _models)

    @operation
    async def get_capabilities(
        self,
        request_id: str | None = None,
        *,
        provider: str | None = None,
        supports_vision: bool | None = None,
        supports_tools: bool | None = None,
        supports_reasoning: bool | None = None,
    ) -> list[ModelCapabilities]:
        """Tell what each model can do, or those models only which are as asked.

        Raises `ZaguanError`.
        """
        wanted = {
            "provider": provider,
            "supports_vision": supports_vision,
            "supports_tools": supports_tools,
            "supports_reasoning": supports_reasoning,
        }
        call = self._call(request_id)
        told = await call._get("/v1/capabilities", _capabilities, **wanted)
        return [one for one in told if _is_as(one, wanted)]

    @operation
    async def create_embeddings(
        self, request: EmbeddingsRequest, request_id: str | None = None
    ) -> EmbeddingsResponse:
        """Embed texts. Raises `ZaguanError`."""
        call = self._call(request_id)
        return await call._post("/v1/embeddings", written(request), model(EmbeddingsResponse))

    @operation
    async def health_check(self, request_id: str | None = None) -> HealthStatus:
        """Ask how the service is. Raises `ZaguanError`, also where it says that it is not well."""
        return await self._call(request_id)._get("/health", model(HealthStatus))


@understood
def _models(body: bytes) -> list[ModelInfo]:
    told = decoded(body)
    items = told.get("data", told.get("models")) if isinstance(told, dict) else told
    listed = items if isinstance(items, list) else []
    return [ModelInfo.model_validate(item) for item in listed if isinstance(item, dict)]


@understood
def _capabilities(body: bytes) -> list[ModelCapabilities]:
    return [ModelCapabilities.model_validate(_with_id(one)) for one in _listed(decoded(body))]


def _listed(told: JSON) -> list[JSON]:
    """Find the capabilities in an array, in ``models``, or in ``capabilities`` by their ids."""
    names = ("models", "capabilities", "data")
    places = [told.get(name) for name in names] if isinstance(told, dict) else [told]
    for place in places:
        if isinstance(place, list):
            return place
        if isinstance(place, dict):
            return [{"model_id": id_, **one} for id_, one in place.items() if isinstance(one, dict)]
    raise msgspec.ValidationError("it holds no capabilities")


def _with_id(told: JSON) -> JSON:
    """Some say ``id`` for ``model_id``."""
    return {"model_id": told.get("id"), **told} if isinstance(told, dict) else told


def _is_as(capabilities: ModelCapabilities, wanted: Mapping[str, str | bool | None]) -> bool:
    """Whether it is as asked: not every server heeds what it is asked for."""
    asked = {name: value for name, value in wanted.items() if value is not None}
    known = {name: getattr(capabilities, name) for name in asked}
    return all(known[name] in {None, value} for name, value in asked.items())
