"""The chat API of OpenAI, which ChatServer, Zaguan and many providers share.

Only what chatloom acts upon is named; a request's other fields are forwarded.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chatloom.core.http import JSON

Role = Literal["system", "developer", "user", "assistant", "tool"]

Fraction = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Positive = Annotated[int, Meta(ge=1)]


class FunctionCall(msgspec.Struct):
    """A function the model wants called; `arguments` is JSON text, as the model wrote it."""

    name: str
    arguments: str


class ToolCall(msgspec.Struct):
    """A tool call in an assistant's message."""

    id: str
    function: FunctionCall
    type: Literal["function"] = "function"


class ChatMessage(msgspec.Struct, kw_only=True):
    """A message of a request."""

    role: Role
    content: str | list[str | dict[str, JSON]] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None


class FunctionDefinition(msgspec.Struct):
    """A function on offer; `parameters` is a JSON schema."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    description: str | None = None
    parameters: dict[str, JSON] | None = None
    strict: bool | None = None


class Tool(msgspec.Struct):
    """A tool on offer."""

    function: FunctionDefinition
    type: Literal["function"] = "function"


class StreamOptions(msgspec.Struct):
    """How a streamed answer is told."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class CompletionRequest(msgspec.Struct, kw_only=True):
    """The body of ``POST /v1/chat/completions``."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[ChatMessage], Meta(min_length=1, max_length=10_000)]
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Fraction | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    stop: str | Annotated[list[str], Meta(max_length=16)] | None = None
    seed: int | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: str | dict[str, JSON] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, JSON] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: Annotated[str, Meta(max_length=256)] | None = None
    metadata: dict[str, JSON] | None = None
    system_prompt: str | None = None
    """ChatServer's own: leads the context."""


class CompletionUsage(msgspec.Struct):
    """Tokens an answer took; the details are the provider's own, where it gave some."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, JSON]
    completion_tokens_details: dict[str, JSON]
    estimated: bool | UnsetType = UNSET
    """Beyond OpenAI: the provider did not count, and this is a guess."""


class CompletionMessage(msgspec.Struct, kw_only=True):
    """The answer, as a message."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: str | None = None
    tool_calls: list[dict[str, JSON]] | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET


class Logprobs(msgspec.Struct):
    """How likely each token was."""

    content: list[JSON] | None = None
    refusal: list[JSON] | None = None


class CompletionChoice(msgspec.Struct, kw_only=True):
    """One alternative."""

    index: int
    message: CompletionMessage
    finish_reason: str | None
    logprobs: Logprobs | None = None


class AnswerPlace(msgspec.Struct, kw_only=True):
    """Beyond OpenAI: where an answer stands, to go on from it by ``metadata`` of a request."""

    conversation_id: str
    branch_id: str
    message_id: str
    parent_message_id: str | UnsetType = UNSET
    """The message it answers."""


class Completion(msgspec.Struct, kw_only=True):
    """The answer to a plain request; `system_fingerprint` is the conversation's id."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: CompletionUsage
    system_fingerprint: str
    metadata: AnswerPlace | UnsetType = UNSET


class ChunkFunction(msgspec.Struct, omit_defaults=True):
    """Part of a function call."""

    arguments: str
    name: str | None = None


class ChunkToolCall(msgspec.Struct, kw_only=True):
    """Part of a tool call."""

    index: int
    id: str | UnsetType = UNSET
    type: Literal["function"] | UnsetType = UNSET
    function: ChunkFunction


class ChunkDelta(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What a chunk adds."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[ChunkToolCall] | None = None


class ChunkChoice(msgspec.Struct, kw_only=True):
    """What a chunk adds to one alternative."""

    index: int
    delta: ChunkDelta
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Chunk(msgspec.Struct, kw_only=True):
    """One event of a streamed answer."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: CompletionUsage | UnsetType = UNSET
    metadata: AnswerPlace | UnsetType = UNSET
    """In the last one."""


class Model(msgspec.Struct, kw_only=True):
    """A model on offer."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    provider: str
    description: str
    context_length: int | None
    capabilities: list[str]
    metadata: dict[str, JSON]


class ModelList(msgspec.Struct):
    """The models on offer."""

    data: list[Model]
    object: Literal["list"] = "list"


class ErrorDetails(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What went wrong."""

    message: str
    type: str
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None
    credits_required: int | None = None
    credits_remaining: int | None = None
    reset_date: str | None = None
    band: str | None = None
    required_tier: str | None = None
    current_tier: str | None = None
    limit: int | None = None
    remaining: int | None = None
    details: dict[str, JSON] | None = None
    """What stands above, from `retry_after` on, once more."""
    turn: str | None = None
    """Beyond OpenAI: the turn that failed."""
    partial: str | None = None
    """Beyond OpenAI: what had been said before it failed."""


class ErrorBody(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The body of an error; `detail` is for readers of FastAPI's errors."""

    error: ErrorDetails
    detail: str | None = None
    usage: CompletionUsage | None = None
