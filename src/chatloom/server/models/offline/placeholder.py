"""``fake`` and ``costly``: what the published tests of Puter's clients ask, in ``--dev``.

They say the same placeholder text to everybody. ``fake`` counts one token whatever it says;
``costly`` counts a token for four characters of what it is told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from chatloom.server.models.driver import Delta, Finish, ModelInfo, Price, Prompt, Usage
from chatloom.server.models.offline import faults
from chatloom.server.models.offline.composed import Composed, spoken
from chatloom.server.models.offline.echo import check
from chatloom.server.models.offline.scribe import PRICE

PROVIDER = "fake-chat"
FAKE, COSTLY = "fake", "costly"
INFOS = tuple(
    ModelInfo(
        id=name,
        provider=PROVIDER,
        description="Says the same to everybody. Offline, for tests.",
        context_length=1_000_000,
        capabilities=["chat", "streaming"],
    )
    for name in (FAKE, COSTLY)
)
_TEXT = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut"
    " labore et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco"
    " laboris nisi ut aliquip ex ea commodo consequat."
)
_CHARACTERS = 4
"""Of what ``costly`` is told, for each token it counts."""


class Placeholder:
    """Says the placeholder text, and counts as the model of this *name* does."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._refusals = faults.Refusals()

    def answer(self, prompt: Prompt) -> AsyncIterator[Sequence[Delta]]:
        """Say the text."""
        return faults.perform(self._name, prompt, self._write, self._refusals)

    def check(self, prompt: Prompt) -> None:
        """Raise `ProviderError` for what no offline model can obey."""
        check(self._name, prompt)

    async def models(self) -> Sequence[ModelInfo]:
        """List the one model."""
        return [info for info in INFOS if info.id == self._name]

    def price(self, model: str) -> Price | None:
        """Nothing, or the nominal price of offline models."""
        return Price(prompt=0, completion=0) if self._name == FAKE else PRICE

    async def close(self) -> None:
        """Do nothing: it holds nothing."""

    def _write(self, prompt: Prompt, options: faults.Options) -> Composed:
        choice = spoken(_TEXT, prompt.parameters, length=options.tokens)
        usage = Usage(0, 1)
        if self._name == COSTLY:
            usage = Usage(_count(prompt), len(choice.pieces))
        return Composed(choice.pieces, [Finish(choice.reason), usage])


def _count(prompt: Prompt) -> int:
    """A token for each few characters of every text; what is shown counts nothing."""
    texts: list[str] = []
    for message in prompt.messages:
        if isinstance(message.content, str):
            texts.append(message.content)
        else:
            told = [part.get("text") for part in message.content or ()]
            texts += [text for text in told if isinstance(text, str)]
    return sum(-(-len(text) // _CHARACTERS) for text in texts)
