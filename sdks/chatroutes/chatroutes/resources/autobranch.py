"""Suggestions where a talk could branch."""

from __future__ import annotations

from copy import copy

import msgspec

from chatloom.core.engine import Engine, Mode
from chatloom.core.errors import ChatloomError
from chatloom.core.operations import operation
from chatloom.core.secret import Secret
from chatroutes.answers import health, suggestions
from chatroutes.http_client import Calls, place
from chatroutes.types import HealthResponse, SuggestBranchesRequest, SuggestBranchesResponse

__all__ = ["AutobranchResource"]

_SUGGEST = place("/autobranch/suggest-branches")
_HEALTH = place("/autobranch/health")
_TELLING = 12
"""Characters from which on a key is a secret; shorter ones, of tests, occur in any text."""


class AutobranchResource(Calls[Mode]):
    """Find points where a talk could branch."""

    @operation
    async def suggest_branches(
        self,
        text: str,
        suggestions_count: int = 3,
        hybrid_detection: bool = False,
        threshold: float = 0.7,
        llm_model: str | None = None,
        llm_provider: str | None = None,
        llm_api_key: str | Secret | None = None,
    ) -> SuggestBranchesResponse:
        """Suggest branches that could be taken in *text*, the surest first.

        *suggestions_count* is from 1 to 10, *threshold* the least confidence, from 0 to 1;
        *hybrid_detection* has a model look, too. *llm_api_key* is a key for its provider,
        sent along, and told by no error; some servers use their own instead.
        Raises `ChatRoutesError`.
        """
        data = SuggestBranchesRequest(
            text=text,
            suggestionsCount=suggestions_count,
            hybridDetection=hybrid_detection,
            threshold=threshold,
        )
        if llm_model is not None:
            data["llmModel"] = llm_model
        if llm_provider is not None:
            data["llmProvider"] = llm_provider
        if llm_api_key is None:
            return await self._post(_SUGGEST, data, suggestions)
        key = llm_api_key if isinstance(llm_api_key, Secret) else Secret(llm_api_key)
        data["llmApiKey"] = key.reveal()
        return await self._through(_silent(self._engine, key))._post(_SUGGEST, data, suggestions)

    @operation
    async def health(self) -> HealthResponse:
        """Ask whether suggestions can be had. Raises `ChatRoutesError`."""
        return await self._get(_HEALTH, health)


def _silent(engine: Engine[Mode], key: Secret) -> Engine[Mode]:
    """Run over the same outside; no error holds *key*, also where the server repeats it."""

    def named(error: ChatloomError) -> ChatloomError:
        return engine.named(_without(error, key.reveal()))

    own = copy(engine)
    own.named = named
    return own


def _without(error: ChatloomError, key: str) -> ChatloomError:
    if len(key) < _TELLING:
        return error
    body = msgspec.json.encode(error.body)
    for spelling in (key, _escaped(key)):
        error.message = error.message.replace(spelling, "[key]")
        body = body.replace(_escaped(spelling).encode(), b"[key]")
    error.args = (error.message,)
    error.body = msgspec.json.decode(body)
    return error


def _escaped(text: str) -> str:
    """As JSON has it."""
    return msgspec.json.encode(text)[1:-1].decode()
