"""Any provider that speaks the OpenAI protocol: chats, and embeddings.

OpenAI itself, Ollama, vLLM, llama.cpp, OpenRouter, LM Studio and many more.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from chatloom.core.engine import Async, Engine
from chatloom.core.errors import ChatloomError, StatusError, TransportError
from chatloom.core.http import JSON, Arriving, Response, Timeouts
from chatloom.core.manner import Manner
from chatloom.core.operations import Resource
from chatloom.core.outside import Policy
from chatloom.core.secret import Secret
from chatloom.policies.authorize import Authorize
from chatloom.policies.retry import Retry
from chatloom.server.models import pricing
from chatloom.server.models.attempts import asking
from chatloom.server.models.driver import Delta, ModelInfo, Price, Prompt, ProviderError
from chatloom.server.models.openai.chunks import Chunk, Transcript, read_chunk, read_json
from chatloom.server.models.openai.dialects import Dialects
from chatloom.server.models.openai.embeddings import Embeddings, deltas_of, read_embeddings
from chatloom.server.models.openai.noting import NoteAttempts
from chatloom.server.models.openai.problems import Problems
from chatloom.server.models.openai.reading import Reading
from chatloom.server.settings import ProviderSettings
from chatloom.transports.aio import AioTransport
from chatloom.transports.aio.limits import Limits, Wait
from chatloom.transports.aio.loops import PerLoop

T = TypeVar("T")

PLAIN_IDLE = 600.0
"""Seconds: a plain answer keeps silent for as long as all of it takes."""
PATIENCE = 10.0
"""Seconds a provider may ask to be left alone; asked for more, its caller is told instead."""


class _Chat(Resource[Async]):
    async def opened(self, payload: object) -> Response:
        return await self._opening("/chat/completions", payload).send()

    async def whole(self, payload: object) -> Chunk:
        return await self._post("/chat/completions", payload, read_chunk)

    async def embedded(self, payload: object) -> Embeddings:
        return await self._post("/embeddings", payload, read_embeddings)

    async def models(self) -> JSON:
        return await self._get("/models", read_json)


class OpenAI:
    """Answers through one provider.

    *name* is what the configuration calls it, and all that callers learn of it.
    """

    def __init__(self, name: str, settings: ProviderSettings, key: Secret | None) -> None:
        self.name = name
        self._settings = settings
        self._problems = Problems(name, key)
        self._dialects = Dialects()
        self._transport = AioTransport(settings.base_url)
        self._limits: PerLoop[Limits] = PerLoop(lambda _: None)
        policies: list[Policy] = [
            Retry(settings.max_retries, patience=PATIENCE),
            NoteAttempts(self._problems),
        ]
        if key:
            policies.append(Authorize(key))
        longest = max(settings.first_token_timeout, settings.idle_timeout)
        self._streamed = _Chat(self._engine(policies, longest))
        self._plain = _Chat(self._engine(policies, max(longest, PLAIN_IDLE)))

    def answer(self, prompt: Prompt) -> AsyncIterator[Sequence[Delta]]:
        """Have the provider answer *prompt*."""
        if prompt.inputs:
            return self._embed(prompt)
        return self._stream(prompt) if prompt.streamed else self._ask(prompt)

    def check(self, prompt: Prompt) -> None:
        """Leave it to the provider, which knows its models."""

    async def models(self) -> Sequence[ModelInfo]:
        """List what the provider says it offers; raises `ProviderError`."""
        try:
            told = await self._plain.models()
        except ChatloomError as error:
            raise self._problems.of(error) from None
        listed = told.get("data") if isinstance(told, dict) else told
        found = [_info(self.name, entry) for entry in listed] if isinstance(listed, list) else []
        return [info for info in found if info is not None]

    def price(self, model: str) -> Price | None:
        """What *model* costs, where the published price lists say."""
        return pricing.published(self._settings.base_url, model)

    async def close(self) -> None:
        """Give back every connection."""
        await self._transport.close()

    def _engine(self, policies: Sequence[Policy], idle: float) -> Engine[Async]:
        timeouts = Timeouts(self._settings.connect_timeout, idle)
        manner = Manner(timeouts=timeouts, headers=(("user-agent", "chatloom"),))
        return Engine(Async, self._transport, policies, manner=manner)

    async def _ask(self, prompt: Prompt) -> AsyncIterator[Sequence[Delta]]:
        answer = await self._sent(prompt, self._plain.whole, None)
        transcript = Transcript(prompt.model, prompt.parameters.n)
        if answer.error is not None:
            raise self._problems.told(answer.error)
        deltas = transcript.add(answer)
        yield [*deltas, *transcript.ending()]
        if not transcript.is_whole:
            raise self._problems.broken("the answer does not say how it ended")

    async def _embed(self, prompt: Prompt) -> AsyncIterator[Sequence[Delta]]:
        answer = await self._sent(prompt, self._plain.embedded, None)
        if answer.error is not None:
            raise self._problems.told(answer.error)
        try:
            deltas = deltas_of(answer, prompt)
        except ValueError:
            raise self._problems.broken("it sent something else than embeddings") from None
        yield deltas

    async def _stream(self, prompt: Prompt) -> AsyncIterator[Sequence[Delta]]:
        now, settings = time.monotonic, self._settings
        wait = settings.first_token_timeout
        limit = now() + wait
        response = await self._sent(prompt, self._streamed.opened, limit)
        streamed = "application/json" not in response.headers.get("content-type", "")
        transcript = Transcript(prompt.model, prompt.parameters.n)
        reading = Reading(transcript, self._problems, streamed=streamed)
        arriving = response.arriving
        assert arriving is not None
        try:
            while not reading.over:
                try:
                    deltas = reading.feed(await self._read(arriving, limit, wait))
                except ProviderError as problem:
                    reading.problem = problem
                    break
                if deltas:
                    yield deltas
                    wait = settings.idle_timeout
                    limit = now() + wait
            if ending := transcript.ending():
                yield ending
            if reading.problem is not None:
                raise reading.problem
            await arriving.finish()
        finally:
            arriving.abandon()

    async def _sent(
        self, prompt: Prompt, send: Callable[[dict[str, object]], Awaitable[T]], limit: float | None
    ) -> T:
        """Send *prompt*, and again without what its model turns out not to take."""
        asking(self.name, prompt.model)
        try:
            with self._within(limit):
                while True:
                    payload = self._dialects.write(prompt)
                    try:
                        return await send(payload)
                    except StatusError as error:
                        if not self._dialects.learn(prompt.model, payload, error):
                            raise
        except ChatloomError as error:
            raise self._problems.of(error) from None
        except TimeoutError:
            wait = self._settings.first_token_timeout
            raise self._problems.late(f"no answer in {wait:g} seconds") from None

    def _within(self, limit: float | None) -> Wait:
        """Raise `TimeoutError` from the ``with`` block that lasts beyond *limit*."""
        limits = self._limits.here()
        if limits is None:
            limits = Limits()
            self._limits.put_here(limits)
        return limits.within(None if limit is None else limit - time.monotonic())

    async def _read(self, arriving: Arriving, limit: float, wait: float) -> bytes:
        try:
            with self._within(limit):
                return await arriving.read()
        except TimeoutError:  # the transport's own is one, too
            raise self._problems.late(f"it said nothing for {wait:g} seconds") from None
        except TransportError:
            raise self._problems.broken("the connection was lost in the middle") from None


def _info(provider: str, entry: JSON) -> ModelInfo | None:
    """What a provider's list says of one model; OpenRouter and vLLM say more than the name."""
    own_id = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(own_id, str):
        return None
    description, created = entry.get("description"), entry.get("created")
    length = entry.get("context_length", entry.get("max_model_len"))
    top = entry.get("top_provider")
    longest = top.get("max_completion_tokens") if isinstance(top, dict) else None
    return ModelInfo(
        id=own_id,
        provider=provider,
        description=description if isinstance(description, str) else "",
        context_length=length if isinstance(length, int) else None,
        max_output_tokens=longest if isinstance(longest, int) else None,
        capabilities=capabilities_of(own_id, entry.get("supported_parameters")),
        created=created if isinstance(created, int) else 0,
    )


def capabilities_of(model: str, taken: JSON = None) -> list[str]:
    """What *model* can do, which takes the parameters *taken*; who embeds is known by its name."""
    if "embed" in model.lower():
        return ["embeddings"]
    known = {"tools": "tools", "response_format": "json", "logprobs": "logprobs"}
    known["reasoning"] = "reasoning"
    names = [known[name] for name in taken if name in known] if isinstance(taken, list) else []
    return ["chat", "streaming", *names]
