"""The blocking client."""

from __future__ import annotations

from chatloom.core.clients import BlockingClient
from chatloom.core.engine import RawSync, Sync
from infinity_assistant.configured import Configured
from infinity_assistant.service import Service

__all__ = ["InfinityAssistantClient"]


class InfinityAssistantClient(Configured[Sync], BlockingClient):
    """The blocking client; safe to share between threads.

    *timeout* is in seconds, for connecting and for each read. A request that failed is sent
    *max_retries* times more at most, first after *retry_delay* seconds, then after twice
    as many each time, less up to a quarter by chance, or when the server asks for it. What is
    not given comes from ``INFINITY_ASSISTANT_API_KEY`` and ``INFINITY_ASSISTANT_BASE_URL``,
    then from ``CHATLOOM_API_KEY``, ``CHATLOOM_BASE_URL``, ``CHATLOOM_TIMEOUT`` and
    ``CHATLOOM_MAX_RETRIES``, then from the configuration file. The options are
    those of every client of this family, see `chatloom.engines.ClientOptions`.
    """

    @property
    def with_raw_response(self) -> Service[RawSync]:
        """The same calls, each answering with a `Raw`: the HTTP response beside the answer."""
        return Service(self._engine.in_mode(RawSync))
