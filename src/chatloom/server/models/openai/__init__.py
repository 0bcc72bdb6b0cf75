"""One driver for every provider that speaks the OpenAI chat protocol."""

from chatloom.server.models.openai.provider import OpenAI

__all__ = ["OpenAI"]
