"""``loom/scribe``: an offline model that answers the same prompt the same way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from random import Random

import msgspec

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.models.driver import Delta, ModelInfo, Price, Prompt, ProviderError
from chatloom.server.models.offline import faults, tool_calls
from chatloom.server.models.offline.clues import Clues
from chatloom.server.models.offline.composed import Choice, Composed, called, compose, spoken
from chatloom.server.models.offline.echo import check
from chatloom.server.models.offline.json_schema import fitting
from chatloom.server.models.offline.prose import prose, seed_of, sentence
from chatloom.server.models.offline.schema_merge import Unsatisfiable

NAME = "loom/scribe"
INFO = ModelInfo(
    id=NAME,
    provider="loom",
    description="Writes the same answer to the same prompt: text, tool calls, JSON. Offline.",
    context_length=1_000_000,
    capabilities=["chat", "streaming", "tools", "vision", "json", "logprobs"],
)
PRICE = Price(prompt=100_000, completion=400_000)
"""Of no real money: 10 and 40 cents a million tokens, so that ledgers have something to count."""
MOST_QUOTED = 2_000


class Scribe:
    """Answers from the words of the prompt and a seed made of them."""

    def __init__(self) -> None:
        self._refusals = faults.Refusals()

    def answer(self, prompt: Prompt) -> AsyncIterator[Sequence[Delta]]:
        """Write an answer, with what trouble the options ask for."""
        return faults.perform(NAME, prompt, _write, self._refusals)

    def check(self, prompt: Prompt) -> None:
        """Raise `ProviderError` for what an offline model cannot obey."""
        check(NAME, prompt)
        tool_calls.check(prompt.parameters)
        if prompt.parameters.response_format is not None:
            _structured(prompt, 0)

    async def models(self) -> Sequence[ModelInfo]:
        """List the one model."""
        return [INFO]

    def price(self, model: str) -> Price | None:
        """The nominal price."""
        return PRICE

    async def close(self) -> None:
        """Do nothing: it holds nothing."""


def _write(prompt: Prompt, options: faults.Options) -> Composed:
    seed = seed_of(prompt.messages, prompt.parameters.seed)
    choices = [_choice(prompt, options, seed + at, at) for at in range(prompt.parameters.n)]
    return compose(prompt, choices)


def _choice(prompt: Prompt, options: faults.Options, seed: int, at: int) -> Choice:
    asked = prompt.parameters
    if asked.tools and (calls := tool_calls.calls(prompt, seed)):
        return called(calls, asked, at)
    text = _structured(prompt, seed) if asked.response_format else None
    if text is None:
        text = _plain(prompt.messages, Random(seed), options.tokens)
    return spoken(text, asked, at, length=options.tokens)


def _plain(messages: Sequence[Message], chance: Random, length: int | None) -> str:
    results = _results(messages)
    text = prose(messages, chance, length)
    return f"{results}\n\n{text}" if results else text


def _structured(prompt: Prompt, seed: int) -> str | None:
    """The JSON that the response format asks for; `None` where it asks for text."""
    asked = prompt.parameters.response_format or {}
    kind, described = asked.get("type"), asked.get("json_schema")
    if kind == "text":
        return None
    last = next((m.text for m in reversed(prompt.messages) if m.role == "user"), "")
    chance = Random(seed)
    clues = Clues(f"{last}\n{_results(prompt.messages)}", sentence(last, chance), chance)
    schema: JSON = _FREE_OBJECT
    if kind == "json_schema":
        schema = described.get("schema", True) if isinstance(described, dict) else None
    elif kind != "json_object":
        message = f"response_format {str(kind)[:100]!r} is not known"
        raise ProviderError("rejected", message, param="response_format")
    try:
        return msgspec.json.encode(fitting(schema, clues)).decode()
    except Unsatisfiable as problem:
        raise ProviderError("rejected", str(problem), param="response_format") from None


_FREE_OBJECT: JSON = {
    "type": "object",
    "properties": {"topic": {"type": "string"}, "text": {"type": "string"}},
    "required": ["topic", "text"],
}


def _results(messages: Sequence[Message]) -> str:
    """Quote the tool results that *messages* end with, each by its tool's name."""
    start = len(messages)
    while start and messages[start - 1].role == "tool":
        start -= 1
    if start == len(messages):
        return ""
    names = _called(messages[start - 1]) if start else {}
    return "\n".join(
        f"{result.name or names.get(result.tool_call_id or '', 'The tool')} answered:"
        f" {result.text[:MOST_QUOTED]}"
        for result in messages[start:]
    )


def _called(message: Message) -> dict[str, str]:
    """The names of the functions that *message* calls, by the calls' ids."""
    names: dict[str, str] = {}
    for call in message.tool_calls or ():
        function, own_id = call.get("function"), call.get("id")
        name = function.get("name") if isinstance(function, dict) else None
        if isinstance(own_id, str) and isinstance(name, str):
            names[own_id] = name
    return names
