"""The asyncio client."""

from __future__ import annotations

from chatloom.core.clients import AwaitingClient
from chatloom.core.engine import Async, RawAsync
from infinity_assistant.configured import Configured
from infinity_assistant.service import Service

__all__ = ["AsyncInfinityAssistantClient"]


class AsyncInfinityAssistantClient(Configured[Async], AwaitingClient):
    """The asyncio client: the same calls, awaited.

    Takes the same arguments as `InfinityAssistantClient`, from the same places.
    """

    @property
    def with_raw_response(self) -> Service[RawAsync]:
        """The same calls, each answering with a `Raw`: the HTTP response beside the answer."""
        return Service(self._engine.in_mode(RawAsync))
