"""``loom/echo``: says what it was told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from chatloom.server.models.driver import Delta, ModelInfo, Price, Prompt, ProviderError
from chatloom.server.models.offline import faults
from chatloom.server.models.offline.composed import Composed, compose, spoken

NAME = "loom/echo"
INFO = ModelInfo(
    id=NAME,
    provider="loom",
    description="Answers with the last message. Offline, and free.",
    context_length=1_000_000,
    capabilities=["chat", "streaming", "logprobs"],
)
MOST_CHOICES = 128
MOST_TOKENS = 100_000
"""Making more at once would keep everybody else waiting."""
LONGEST_PROMPT = 1_000_000
"""Characters; counting tokens honestly takes its time."""


class Echo:
    """Answers with the last user message's text."""

    def __init__(self) -> None:
        self._refusals = faults.Refusals()

    def answer(self, prompt: Prompt) -> AsyncIterator[Sequence[Delta]]:
        """Say the last user message again."""
        return faults.perform(NAME, prompt, _write, self._refusals)

    def check(self, prompt: Prompt) -> None:
        """Raise `ProviderError` for what an echo cannot be asked."""
        asked = prompt.parameters
        check(NAME, prompt)
        if asked.tool_choice not in (None, "auto", "none"):
            raise ProviderError("rejected", f"{NAME} calls no tools", param="tool_choice")
        if (asked.response_format or {}).get("type", "text") != "text":
            raise ProviderError("rejected", f"{NAME} answers in text only", param="response_format")

    async def models(self) -> Sequence[ModelInfo]:
        """List the one model."""
        return [INFO]

    def price(self, model: str) -> Price | None:
        """It costs nothing."""
        return Price(prompt=0, completion=0)

    async def close(self) -> None:
        """Do nothing: it holds nothing."""


def check(name: str, prompt: Prompt) -> None:
    """Raise `ProviderError` for what no offline model can obey, *name* being the one asked."""
    options = faults.read(prompt.options)
    if prompt.inputs:
        raise ProviderError("rejected", f"{name} does not embed; loom/embed does", param="model")
    asked = prompt.parameters
    if not 1 <= asked.n <= MOST_CHOICES:
        message = f"{name} gives 1 to {MOST_CHOICES} choices"
        raise ProviderError("rejected", message, param="n")
    if (options.tokens or 0) * asked.n > MOST_TOKENS:
        message = f"{name} says at most {MOST_TOKENS:,} tokens in all its choices"
        raise ProviderError("rejected", message, param="n")
    if sum(len(message.text) for message in prompt.messages) * asked.n > LONGEST_PROMPT:
        message = f"{name} reads at most {LONGEST_PROMPT:,} characters in all its choices"
        raise ProviderError("rejected", message, param="messages")
    if asked.max_tokens is not None and asked.max_tokens < 0:
        raise ProviderError("rejected", "max_tokens must be at least 0", param="max_tokens")
    wanted = prompt.extra.get("modalities")
    if isinstance(wanted, list) and any(kind != "text" for kind in wanted):
        raise ProviderError("rejected", f"{name} answers in text only", param="modalities")
    if prompt.extra.get("audio") is not None:
        raise ProviderError("rejected", f"{name} has no voice", param="audio")


def _write(prompt: Prompt, options: faults.Options) -> Composed:
    asked = prompt.parameters
    last = next((m.text for m in reversed(prompt.messages) if m.role == "user"), "")
    choices = [spoken(last, asked, at, length=options.tokens) for at in range(asked.n)]
    return compose(prompt, choices)
