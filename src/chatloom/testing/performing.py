"""How a script is performed: by the server's own machinery, from behind its models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import msgspec

from chatloom.server.ids import new_id
from chatloom.server.models import tokens
from chatloom.server.models.driver import (
    Delta,
    Driver,
    Finish,
    FinishReason,
    ModelInfo,
    Parameters,
    Price,
    Prompt,
    ProviderError,
    Served,
    Text,
    ToolCall,
    Usage,
)
from chatloom.server.models.offline import scribe
from chatloom.server.models.offline.composed import Call, called, spoken
from chatloom.server.models.registry import Registry, Resolved, UnknownModel
from chatloom.server.protocols.envelopes import STATUS
from chatloom.server.refusal import Kind, Refusal
from chatloom.server.settings import ServerSettings
from chatloom.testing import script
from chatloom.testing.script import Answer, Failure, Script

MALFORMED, HUNG_UP = "\ue0f1malformed\ue0f1", "\ue0f2hung up\ue0f2"
"""Pieces that never reach a client: `Stage` does to the wire what they stand for."""

KINDS: Mapping[int, Kind] = {status: kind for kind, status in STATUS.items()}
"""What the server says with each status."""

Hear = Callable[[str, Prompt], None]


class Troupe(Registry):
    """Knows every model, and has each perform the script."""

    def __init__(self, script: Script, hear: Hear) -> None:
        super().__init__(ServerSettings(), {}, dev=True, use_providers=False)
        self._script = script
        self._hear = hear

    def resolve(self, name: str) -> Resolved:
        try:
            found = super().resolve(name)
        except UnknownModel:
            found = super().resolve(scribe.NAME)
        performer = Performer(name, self._script, self._hear, found.driver)
        return msgspec.structs.replace(found, driver=performer)


class Performer:
    """Answers one request: as the script says, or as the model would without one."""

    def __init__(self, name: str, script: Script, hear: Hear, model: Driver) -> None:
        self._name = name
        self._script = script
        self._hear = hear
        self._model = model
        self._line = Answer()

    def check(self, prompt: Prompt) -> None:
        """Take the next line of the script; what refuses, refuses here.

        A script has words, and no vectors: what is to be embedded is, and takes no line of it.
        """
        self._hear(self._name, prompt)
        line = None if prompt.inputs else self._script.take()
        if isinstance(line, Failure):
            raise _refusal(line)
        if line is None or not line.parts:
            self._model.check(prompt)
        self._line = line or self._line

    async def answer(self, prompt: Prompt) -> AsyncIterator[Sequence[Delta]]:
        """Say the line, up to its fault."""
        line, pieces = self._line, 0
        async for delta in self._said(prompt):
            if isinstance(delta, Text | ToolCall):
                if line.fault is not None and pieces == line.after:
                    yield await _fault(line)
                pieces += 1
                if line.pause:
                    await asyncio.sleep(line.pause)
            elif isinstance(delta, Finish) and line.fault is not None and pieces <= line.after:
                yield await _fault(line)
            yield [delta]

    async def models(self) -> Sequence[ModelInfo]:
        return await self._model.models()

    def price(self, model: str) -> Price | None:
        return self._model.price(model)

    async def close(self) -> None: ...

    async def _said(self, prompt: Prompt) -> AsyncIterator[Delta]:
        if self._line.parts:
            yield Served(self._name)
            for delta in _composed(self._line, prompt):
                yield delta
            return
        # A plain request would be answered in one piece, that faults could not be counted in.
        streamed = prompt.streamed or self._line.fault is not None
        async for batch in self._model.answer(msgspec.structs.replace(prompt, streamed=streamed)):
            for delta in batch:
                yield delta


async def _fault(line: Answer) -> list[Delta]:
    if line.fault == "malformed":
        return [Text(MALFORMED)]
    if line.fault == "hang_up":
        return [Text(HUNG_UP)]
    if line.fault == "stall":
        await asyncio.sleep(line.silence)
        raise ProviderError("timed_out", f"the provider sent nothing for {line.silence:g} seconds")
    raise ProviderError("truncated", "the provider stopped before the end of its answer")


def _composed(line: Answer, prompt: Prompt) -> list[Delta]:
    """The deltas of a line: every choice says the same, whatever length was asked for."""
    asked = Parameters(
        logprobs=prompt.parameters.logprobs, top_logprobs=prompt.parameters.top_logprobs
    )
    deltas: list[Delta] = []
    for at in range(prompt.parameters.n):
        deltas += spoken("".join(p for p in line.parts if isinstance(p, str)), asked, at).pieces
        deltas += called(_calls(line), asked, at).pieces
    said = len(deltas)
    reason: FinishReason = line.finish or ("tool_calls" if _calls(line) else "stop")
    deltas += [Finish(reason, at) for at in range(prompt.parameters.n)]
    return [*deltas, Usage(tokens.count_prompt(prompt), said)]


def _calls(line: Answer) -> list[Call]:
    return [
        Call(part.id or f"call_{new_id()}", part.name, part.written())
        for part in line.parts
        if isinstance(part, script.ToolCall)
    ]


def _refusal(failure: Failure) -> Refusal:
    kind = KINDS[failure.status]
    return Refusal(
        kind,
        failure.message,
        code=failure.code,
        retry_after=failure.retry_after,
        repeatable=True if failure.status >= 500 else None,
    )


def broken(body: bytes) -> bytes:
    """Do to a piece of an answer what the script wants of the wire. Raises `HungUp`."""
    if HUNG_UP.encode() in body:
        raise HungUp
    mark = MALFORMED.encode()
    # As long as before, for the head may have announced it; and never valid JSON.
    return body.replace(mark, b'"' * len(mark)) if mark in body else body


class HungUp(Exception):
    """The server hangs up, as the script says."""
