"""How one kind of model is asked through the service."""

from __future__ import annotations

from collections.abc import Mapping

from chatloom.core.http import JSON
from puter.answers import Answer, answer

__all__ = ["Driver"]


class Driver:
    """Asks for a chat completion; derive from it for a provider that is asked otherwise.

    *name* is what the service calls it. The models it is for stand in the client's
    ``available_models``, each with this name.
    """

    interface = "puter-chat-completion"
    method = "complete"

    def __init__(self, name: str) -> None:
        self.name = name

    def arguments(self, args: Mapping[str, object]) -> Mapping[str, object]:
        """Change what is asked: ``messages``, ``model``, ``temperature``, ``max_tokens`` …"""
        return args

    def answer(self, told: JSON) -> Answer:
        """Read a plain answer. Raises `ValueError` where there is none."""
        return answer(told)

    def payload(self, args: Mapping[str, object]) -> Mapping[str, object]:
        """The whole request."""
        return {
            "interface": self.interface,
            "driver": self.name,
            "method": self.method,
            "args": self.arguments(args),
        }
