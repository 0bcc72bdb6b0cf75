"""``loom/embed``: texts that share words, or pieces of words, lie near each other.

Every word, and every three letters in a row of it, is a feature. A hash of it
says to which of the vector's numbers it adds, and with which sign; so features
that have nothing in common rarely meet, and cancel out as often as not. The
same everywhere: the hash is BLAKE2b, and nothing but square roots is rounded.
"""

from __future__ import annotations

import asyncio
import math
import re
import unicodedata
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import lru_cache
from hashlib import blake2b

from chatloom.server.models import tokens, vectors
from chatloom.server.models.driver import (
    Delta,
    Finish,
    Input,
    ModelInfo,
    Price,
    Prompt,
    ProviderError,
    Served,
    Usage,
    Vector,
)
from chatloom.server.models.offline import faults, scribe

NAME = "loom/embed"
MOST_TOKENS = 8192
"""Of one input, and of all together `LONGEST` characters."""
LONGEST = 1_000_000
DIMENSIONS = 256
MOST_DIMENSIONS = 3072
MOST_NUMBERS = 2_000_000
"""Making more at once would keep everybody else waiting."""
INFO = ModelInfo(
    id=NAME,
    provider="loom",
    description="Embeds the same text the same way, near to what shares its words. Offline.",
    context_length=MOST_TOKENS,
    capabilities=["embeddings"],
)
PRICE = Price(prompt=scribe.PRICE.prompt, completion=0)

_WORD = re.compile(r"\w+")


class Embedder:
    """Embeds inputs by the words and tokens in them."""

    def __init__(self) -> None:
        self._refusals = faults.Refusals()

    async def answer(self, prompt: Prompt) -> AsyncIterator[Sequence[Delta]]:
        """Embed all inputs; the answer comes whole, so a fault leaves nothing of it."""
        options = faults.begin(NAME, prompt, self._refusals)
        _, fault = options.first_fault()
        await asyncio.sleep(options.delay / 1000 * len(prompt.inputs))
        if fault:
            await faults.go_wrong(fault, options)
        deltas: list[Delta] = [Served(NAME)]
        for at, given in enumerate(prompt.inputs):
            deltas.append(Vector(embedding(given, prompt.parameters.dimensions or DIMENSIONS), at))
            await asyncio.sleep(0)  # others have a turn
        deltas += [Finish("stop", at) for at in range(len(prompt.inputs))]
        yield [*deltas, Usage(tokens.count_prompt(prompt), 0)]

    def check(self, prompt: Prompt) -> None:
        """Raise `ProviderError` for what cannot be embedded."""
        options = faults.read(prompt.options)
        if not prompt.inputs:
            raise _rejected("embeds, and does not chat", "model")
        if options.tokens is not None:
            raise _rejected("says nothing, whatever number of tokens is wanted", "model")
        wanted = prompt.parameters.dimensions or DIMENSIONS
        if wanted > MOST_DIMENSIONS:
            raise _rejected(f"gives at most {MOST_DIMENSIONS} dimensions", "dimensions")
        if wanted * len(prompt.inputs) > MOST_NUMBERS:
            raise _rejected(f"gives at most {MOST_NUMBERS:,} numbers at once", "dimensions")
        if sum(map(len, prompt.inputs)) > LONGEST:
            raise _rejected(f"reads at most {LONGEST:,} characters at once", "input")
        if any(tokens.count_input(given) > MOST_TOKENS for given in prompt.inputs):
            raise _rejected(f"reads at most {MOST_TOKENS} tokens an input", "input")

    async def models(self) -> Sequence[ModelInfo]:
        """List the one model."""
        return [INFO]

    def price(self, model: str) -> Price | None:
        """The nominal price."""
        return PRICE

    async def close(self) -> None:
        """Do nothing: it holds nothing."""


def embedding(given: Input, dimensions: int) -> str:
    """Embed *given*: a vector of length 1."""
    sums = [0] * dimensions
    for feature, times in _features(given).items():
        at, sign = _place(feature, dimensions)
        sums[at] += sign * times
    length = math.sqrt(sum(number * number for number in sums))
    if not length:  # all cancelled out
        sums[0], length = 1, 1
    return vectors.packed([number / length for number in sums])


def _features(given: Input) -> Counter[str]:
    """What *given* is known by, and how often it has it."""
    if not isinstance(given, str):
        return Counter(f"#{token}" for token in given)
    text = unicodedata.normalize("NFKC", given).casefold()
    words = Counter(_WORD.findall(text)) or Counter([text])
    found: Counter[str] = Counter()
    for word, times in words.items():
        for feature in _features_of(word):
            found[feature] += times
    return found


def _features_of(word: str) -> list[str]:
    """A word, which counts twice, and every three characters of it, its ends being two."""
    framed = f"<{word}>"
    return [word, word, *(framed[at : at + 3] for at in range(len(framed) - 2))]


@lru_cache(maxsize=16_384)
def _place(feature: str, dimensions: int) -> tuple[int, int]:
    hashed = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "little")
    return (hashed >> 1) % dimensions, 1 if hashed & 1 else -1


def _rejected(what: str, param: str) -> ProviderError:
    return ProviderError("rejected", f"{NAME} {what}", param=param)
