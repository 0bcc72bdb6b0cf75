"""Ask a driver, and take its answer apart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.models.driver import (
    Delta,
    Driver,
    Finish,
    Parameters,
    Prompt,
    ProviderError,
    Reasoning,
    Served,
    Text,
    ToolCall,
    Usage,
)


def prompt(
    said: str | Sequence[Message] = "Tell me about weaving",
    *,
    model: str = "some-model",
    streamed: bool = True,
    options: dict[str, str] | None = None,
    extra: dict[str, JSON] | None = None,
    key: str = "",
    **parameters: Any,
) -> Prompt:
    """Build a prompt; *parameters* as in `Parameters`."""
    return Prompt(
        model=model,
        messages=[Message("user", said)] if isinstance(said, str) else list(said),
        parameters=Parameters(**parameters),
        streamed=streamed,
        options=options or {},
        extra=extra or {},
        attempt_key=key,
    )


@dataclass
class Answered:
    """All that came of a prompt."""

    batches: list[Sequence[Delta]] = field(default_factory=list[Sequence[Delta]])
    error: ProviderError | None = None

    @property
    def deltas(self) -> list[Delta]:
        return [delta for batch in self.batches for delta in batch]

    def text(self, choice: int = 0) -> str:
        said = [d for d in self.deltas if isinstance(d, Text) and d.choice == choice]
        return "".join(delta.text for delta in said)

    @property
    def thoughts(self) -> str:
        return "".join(delta.text for delta in self.deltas if isinstance(delta, Reasoning))

    @property
    def reasons(self) -> list[str]:
        return [delta.reason for delta in self.deltas if isinstance(delta, Finish)]

    @property
    def usage(self) -> Usage | None:
        told = [delta for delta in self.deltas if isinstance(delta, Usage)]
        assert len(told) <= 1
        return told[0] if told else None

    @property
    def tokens(self) -> int:
        assert self.usage is not None
        return self.usage.completion_tokens

    @property
    def served(self) -> list[str]:
        return [delta.model for delta in self.deltas if isinstance(delta, Served)]

    @property
    def pieces(self) -> list[Text | ToolCall]:
        return [delta for delta in self.deltas if isinstance(delta, Text | ToolCall)]

    def calls(self, choice: int = 0) -> list[tuple[str, str]]:
        """Name and arguments of each tool call."""
        names: dict[int, str] = {}
        arguments: dict[int, str] = {}
        for delta in self.deltas:
            if isinstance(delta, ToolCall) and delta.choice == choice:
                names[delta.index] = names.get(delta.index, "") + (delta.name or "")
                arguments[delta.index] = arguments.get(delta.index, "") + delta.arguments
        return [(names[index], arguments[index]) for index in sorted(names)]

    @property
    def ids(self) -> list[str]:
        return [d.id for d in self.deltas if isinstance(d, ToolCall) and d.id is not None]


async def asked(driver: Driver, prompt: Prompt) -> Answered:
    """Have *driver* answer, and keep what came before an error."""
    answered = Answered()
    try:
        driver.check(prompt)
        async with aclosing(cast("Any", driver.answer(prompt))) as batches:
            async for batch in batches:
                answered.batches.append(batch)
    except ProviderError as error:
        answered.error = error
    return answered


def ask(driver: Driver, prompt: Prompt) -> Answered:
    """The same, for tests that have no event loop."""
    return asyncio.run(asked(driver, prompt))
