"""One driver for every provider that speaks the OpenAI protocol."""

from chatloom.server.models.openai.provider import OpenAI, capabilities_of

__all__ = ["OpenAI", "capabilities_of"]
