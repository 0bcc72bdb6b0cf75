"""What a client knows, whichever of its modes learned it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import msgspec

from chatloom.core.http import JSON
from chatloom.core.settings import Settings
from puter.config import PuterConfig
from puter.credentials import Credentials
from puter.drivers import Driver
from puter.history import History
from puter.plugins import Plugin
from puter.serializers import Serializer

__all__ = ["AI_CHAT", "Session"]

AI_CHAT = "ai-chat"
"""The one driver that newer services have; theirs are providers of it."""


class Session:
    """What a client was told, and what it has learned."""

    def __init__(
        self,
        config: PuterConfig,
        service: Settings,
        who: Credentials,
        extension: Plugin,
        serializer: Serializer | None,
    ) -> None:
        self.config = config
        self.service = service
        self.who = who
        self.tools = extension.tools
        self.serializer = serializer
        self.model = "claude-opus-4"
        self.history = History(config.max_history_messages, config.max_history_tokens)
        self.metadata: Mapping[str, JSON] = {}
        """What the service told of the last answer."""
        self.absent: set[str] = set()
        """Drivers that the service does not have, but a provider of the name."""
        self._drivers = {driver.name: driver for driver in extension.drivers}
        self._further = extension.models

    @cached_property
    def models(self) -> dict[str, str]:
        """The registry of models, each with its driver's name; read when first needed."""
        text = Path(__file__).with_name("available_models.json").read_bytes()
        return {**msgspec.json.decode(text, type=dict[str, str]), **self._further}

    def driver(self, name: str) -> Driver:
        """The driver of a name: the caller's own, or what all others have in common."""
        return self._drivers.get(name) or Driver(name)
