"""Trouble and pace on request, written behind the ``?`` of an offline model's name.

    loom/scribe?cut=40             stops after 40 pieces, without an ending
    loom/scribe?stall=20&idle=5    falls silent after 20, and is given up after 5 seconds
    loom/scribe?malformed=5        sends something unreadable after 5
    loom/scribe?429=2              refuses the first 2 attempts at each request
    loom/scribe?delay=30           waits 30 milliseconds before each piece
    loom/scribe?tokens=200         answers with just so many tokens

A fault that an answer is too short for strikes where it would have ended.
Embeddings come all in one piece: theirs strikes before it, whatever its number.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Annotated, NoReturn, TypeAlias

import msgspec

from chatloom.server.models.attempts import asking
from chatloom.server.models.driver import Delta, Prompt, ProviderError, Served
from chatloom.server.models.offline.composed import Composed, merged

Pieces: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
BATCH = 64
PROVIDER = "loom"


class Options(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"refusals": "429"},
):
    """What can be asked of an offline model."""

    cut: Pieces | None = None
    stall: Pieces | None = None
    malformed: Pieces | None = None
    refusals: Pieces = 0
    delay: Annotated[float, msgspec.Meta(ge=0, le=60_000)] = 0
    """Milliseconds."""
    idle: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 60
    """Seconds."""
    tokens: Annotated[int, msgspec.Meta(ge=1, le=20_000)] | None = None

    def first_fault(self) -> tuple[int | None, str]:
        """After how many pieces something goes wrong, and what."""
        planned = {"cut": self.cut, "stall": self.stall, "malformed": self.malformed}
        known = [(after, fault) for fault, after in planned.items() if after is not None]
        return min(known, default=(None, ""))


KNOWN = "cut=N, stall=N, malformed=N, 429=N, delay=MILLISECONDS, idle=SECONDS, tokens=N"


def read(options: Mapping[str, str]) -> Options:
    """Understand what stood behind the ``?``; raises `ProviderError` of kind ``rejected``."""
    try:
        return msgspec.convert(options, Options, strict=False)
    except msgspec.ValidationError as error:
        given = "&".join(f"{name}={value}" for name, value in options.items())[:100]
        message = f"the model's options {given!r} are not understood ({error}); known are {KNOWN}"
        raise ProviderError("rejected", message, param="model") from None


class Refusals:
    """Remembers how often each request was refused, for the most recent ones."""

    def __init__(self, remembered: int = 4096) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._remembered = remembered

    def refuse(self, attempt_key: str, times: int) -> None:
        """Refuse the first *times* attempts that carry *attempt_key*."""
        count = self._counts.get(attempt_key, 0)
        if count >= times:
            return
        self._counts[attempt_key] = count + 1
        self._counts.move_to_end(attempt_key)
        if len(self._counts) > self._remembered:
            self._counts.popitem(last=False)
        message = f"attempt {count + 1} of {times} refused, as the model's name asks"
        raise ProviderError("rate_limited", message, retry_after=1.0)


def begin(model: str, prompt: Prompt, refusals: Refusals) -> Options:
    """Begin an attempt at *prompt*, unless it is one of those that are refused."""
    asking(PROVIDER, model).begin()
    options = read(prompt.options)
    refusals.refuse(prompt.attempt_key, options.refusals)
    return options


async def perform(
    model: str,
    prompt: Prompt,
    write: Callable[[Prompt, Options], Composed],
    refusals: Refusals,
) -> AsyncIterator[Sequence[Delta]]:
    """Have *prompt* answered by *write*, and deliver that as the options ask."""
    options = begin(model, prompt, refusals)
    composed = write(prompt, options)
    after, fault = options.first_fault()
    pieces = composed.pieces[:after]
    pause = options.delay / 1000
    if prompt.streamed:
        batches = _batches(pieces, 1 if pause else BATCH)
    else:
        pause, batches = pause * len(pieces), [merged(pieces)]
    batches[0].insert(0, Served(model))
    if not fault:
        batches[-1].extend(composed.ending)
    for at, batch in enumerate(batches):
        if at or pause:
            await asyncio.sleep(pause)
        yield batch
    if fault:
        await go_wrong(fault, options)


def _batches(pieces: Sequence[Delta], size: int) -> list[list[Delta]]:
    starts = range(0, len(pieces), size)
    return [list(pieces[start : start + size]) for start in starts] or [[]]


async def go_wrong(fault: str, options: Options) -> NoReturn:
    """Let *fault* strike."""
    if fault == "stall":
        await asyncio.sleep(options.idle)
        raise ProviderError("timed_out", f"the provider sent nothing for {options.idle:g} seconds")
    if fault == "malformed":
        raise ProviderError("truncated", "the provider sent a malformed piece")
    raise ProviderError("truncated", "the provider stopped before the end of its answer")
