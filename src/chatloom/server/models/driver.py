"""The seam between the server and whoever answers.

A driver turns a `Prompt` into a stream of typed deltas. They are also what the
journal keeps, so each is encoded as a short JSON array led by its tag.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message


class Text(msgspec.Struct, frozen=True, array_like=True, tag="t", gc=False):
    """Some more of an answer's text."""

    text: str
    choice: int = 0
    logprobs: list[JSON] | None = None
    """One entry a token, as in OpenAI's ``choices[].logprobs.content``."""


class Vector(Text, frozen=True, array_like=True, tag="v", gc=False):
    """The embedding of one input, whole; `choice` is the input's number.

    Its text is 32-bit floats, the lowest byte of each first, in base64: a text
    to whoever only passes it on.
    """


class Reasoning(msgspec.Struct, frozen=True, array_like=True, tag="r", gc=False):
    """Some more of what the model thought before it answered."""

    text: str
    choice: int = 0


class Refusal(msgspec.Struct, frozen=True, array_like=True, tag="x", gc=False):
    """Some more of the model's own words on why it will not answer."""

    text: str
    choice: int = 0


class ToolCall(msgspec.Struct, frozen=True, array_like=True, tag="c", gc=False):
    """A fragment of a tool call: the first one names it, later ones add to its arguments."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    choice: int = 0


FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


class Finish(msgspec.Struct, frozen=True, array_like=True, tag="f", gc=False):
    """One choice is complete."""

    reason: FinishReason
    choice: int = 0


class Usage(msgspec.Struct, frozen=True, array_like=True, tag="u"):
    """What the answer took, as the provider counted it."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    details: dict[str, JSON] = {}
    """The provider's own ``prompt_tokens_details`` and ``completion_tokens_details``, if any."""
    estimated: bool = False
    """Nobody counted: the figures are our guess."""


class Served(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """Who really answers: the provider's own name of the model."""

    model: str


Delta: TypeAlias = Text | Vector | Reasoning | Refusal | ToolCall | Finish | Usage | Served


class Parameters(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a request asks of the model, in the names of the OpenAI chat API."""

    max_tokens: int | None = None
    """At most so many tokens of answer; also where the client wrote ``max_completion_tokens``."""
    temperature: float | None = None
    top_p: float | None = None
    n: int = 1
    stop: list[str] = []
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    tools: list[dict[str, JSON]] = []
    tool_choice: str | dict[str, JSON] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, JSON] | None = None
    dimensions: int | None = None
    """The length of an embedding."""


Input: TypeAlias = str | list[int]
"""What is embedded: a text, or the numbers of its tokens."""


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """All that a driver is told."""

    model: str
    """The provider's own name of the model."""
    messages: list[Message]
    parameters: Parameters
    streamed: bool
    """Whether somebody waits for every piece; a plain request may be answered in one."""
    extra: dict[str, JSON] = {}
    """Fields of the request that chatloom does not know, to be forwarded as they came."""
    options: dict[str, str] = {}
    """What stood behind the ``?`` in the model's name."""
    attempt_key: str = ""
    """The same for every repetition of one request."""
    inputs: list[Input] = []
    """What is to be embedded; a prompt that holds any has no messages."""

    @property
    def choices(self) -> int:
        """How many choices a whole answer has; each input's embedding is one."""
        return len(self.inputs) or self.parameters.n


ProblemKind: TypeAlias = Literal[
    "rejected", "unauthorized", "not_found", "rate_limited", "unavailable", "timed_out", "truncated"
]


class ProviderError(Exception):
    """The provider did not answer, or stopped before the end.

    *message* is meant for the caller and never holds a credential.
    """

    def __init__(
        self,
        kind: ProblemKind,
        message: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: ProblemKind = kind
        self.message = message
        self.param = param
        self.retry_after = retry_after


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model."""

    id: str
    """The name requests use, ``provider/model`` unless configured otherwise."""
    provider: str
    description: str = ""
    context_length: int | None = None
    max_output_tokens: int | None = None
    capabilities: list[str] = []
    """Of ``chat, streaming, tools, vision, json, logprobs, reasoning, embeddings``."""
    created: int = 0
    """Seconds since 1970; 0 when nobody said."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What tokens cost, in pico-dollars (1e-12 US dollars) each."""

    prompt: int
    completion: int
    cached: int | None = None
    """For prompt tokens the provider had cached; as `prompt` when `None`."""

    def of(self, usage: Usage) -> int:
        """The cost of *usage* in pico-dollars."""
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        fresh = usage.prompt_tokens - cached
        cheap = self.prompt if self.cached is None else self.cached
        return fresh * self.prompt + cached * cheap + usage.completion_tokens * self.completion


class Driver(Protocol):
    """Answers prompts for one provider."""

    def answer(self, prompt: Prompt) -> AsyncIterator[Sequence[Delta]]:
        """Answer *prompt*: deltas in the batches they came in.

        A whole answer has one `Finish` a choice, where there are inputs a
        `Vector` before it, and a `Usage` where the provider counted. Raises
        `ProviderError`; closing the iterator early stops the provider.
        """
        ...

    def check(self, prompt: Prompt) -> None:
        """Raise `ProviderError` of kind ``rejected`` for what this provider cannot obey."""
        ...

    async def models(self) -> Sequence[ModelInfo]:
        """List what the provider offers now; empty when it cannot say."""
        ...

    def price(self, model: str) -> Price | None:
        """What *model* costs; `None` when nobody knows."""
        ...

    async def close(self) -> None: ...
