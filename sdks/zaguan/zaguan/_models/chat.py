"""Chat completions: what is asked, what is answered, and the chunks of a streamed answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from chatloom.core.http import JSON
from zaguan._models.base import Answer, Count, Fields, Model, Question, texts_in

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool", "function"]

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


class FunctionCall(Answer):
    """A function the model wants called; `arguments` is JSON text, as the model wrote it."""

    name: str = ""
    arguments: str = ""


class ToolCall(Answer):
    """A tool the model wants called."""

    id: str = ""
    type: str = "function"
    function: FunctionCall = Field(default_factory=FunctionCall)


class Message(Question):
    """One message of a conversation; `content` is text, or a list of parts.

    An answer that calls tools may have no content.
    """

    role: Role
    content: str | Sequence[Mapping[str, object]] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    refusal: str | None = None
    reasoning_content: str | None = None


class ChatRequest(Question):
    """What to answer, and how.

    `model` is written ``provider/model``. `provider_specific_params` reach the
    provider as they are; `extra_body` is written into them, and wins. Fields that
    are not named here travel, too.
    """

    model: str
    messages: list[Message]

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    stream: bool | None = False
    tools: Sequence[Mapping[str, object]] | None = None
    tool_choice: str | Mapping[str, object] | None = None
    response_format: Mapping[str, object] | None = None

    provider_specific_params: Mapping[str, object] | None = None
    extra_body: Mapping[str, object] | None = None

    n: int | None = None
    stop: str | Sequence[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    max_completion_tokens: int | None = None
    stream_options: Mapping[str, object] | None = None
    parallel_tool_calls: bool | None = None
    modalities: Sequence[str] | None = None
    audio: Mapping[str, object] | None = None
    reasoning_effort: str | None = None
    thinking: bool | None = None
    verbosity: str | None = None
    user: str | None = None
    metadata: Mapping[str, str] | None = None
    store: bool | None = None
    virtual_model_id: str | None = None

    @model_serializer(mode="wrap")
    def _with_extra_body(self, write: SerializerFunctionWrapHandler) -> Fields:
        written = cast("Fields", write(self))
        if extra := cast("Fields | None", written.pop("extra_body", None)):
            named = cast("Fields | None", written.get("provider_specific_params"))
            written["provider_specific_params"] = {**(named or {}), **extra}
        return written


class TokenDetails(Model):
    """What some of the tokens were spent on; `None` where the provider does not say."""

    reasoning_tokens: Count | None = None
    cached_tokens: Count | None = None
    audio_tokens: Count | None = None
    accepted_prediction_tokens: Count | None = None
    rejected_prediction_tokens: Count | None = None


class Usage(Answer):
    """Tokens an answer took; zeros where the server told none. A missing total is the sum.

    `estimated` where nobody counted, and the figures are a guess.
    """

    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    total_tokens: Count = 0

    prompt_tokens_details: TokenDetails | None = None
    completion_tokens_details: TokenDetails | None = None
    estimated: bool | None = None

    @model_validator(mode="after")
    def _summed(self) -> Usage:
        if "total_tokens" not in self.model_fields_set:
            self.total_tokens = self.prompt_tokens + self.completion_tokens
        return self


class ToolCallDelta(Model):
    """Part of a tool call: those of one `index` belong together."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: FunctionDelta | None = None


class FunctionDelta(Model):
    """Part of a function call."""

    name: str | None = None
    arguments: str | None = None


class ChoiceDelta(Model):
    """What a chunk adds to a message."""

    role: str | None = None
    content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None
    function_call: FunctionDelta | None = None
    refusal: str | None = None
    reasoning_content: str | None = None


def _as_told(message: object) -> object:
    """Have a message of an answer read whatever its role: who answers is the assistant."""
    if not isinstance(message, dict):
        return message
    told = cast("Fields", message)
    return told if told.get("role") in _ROLES else {**told, "role": "assistant"}


class Choice(Answer):
    """One answer of possibly several."""

    index: Count = 0
    message: Annotated[Message | None, BeforeValidator(_as_told)] = None
    finish_reason: str | None = None
    delta: ChoiceDelta | None = None
    tool_calls: list[ToolCall] | None = None
    logprobs: JSON = None


class ChatResponse(Answer):
    """A completion; `created` is in seconds since 1970.

    `metadata` is where some servers tell of credits, and chatloom of where the answer stands;
    `system_fingerprint` is the conversation's id where a chatloom server answers.
    """

    id: str = ""
    object: str = "chat.completion"
    created: Count = 0
    model: str = ""
    choices: list[Choice]
    usage: Usage = Field(default_factory=Usage)
    metadata: dict[str, JSON] | None = None
    system_fingerprint: str | None = None

    @property
    def text(self) -> str:
        """The text of the first choice; ``""`` where it has none."""
        message = self.choices[0].message if self.choices else None
        return "" if message is None else texts_in(message.content)


class ChunkChoice(Answer):
    """What a chunk adds to one answer of possibly several."""

    index: Count = 0
    delta: ChoiceDelta = Field(default_factory=ChoiceDelta)
    finish_reason: str | None = None
    logprobs: JSON = None


class ChatChunk(Answer):
    """One piece of a streamed answer; one without choices may tell the `usage`.

    The last one's `metadata` says where the answer stands in its conversation.
    """

    id: str = ""
    object: str = "chat.completion.chunk"
    created: Count = 0
    model: str = ""
    choices: list[ChunkChoice] = Field(default_factory=list["ChunkChoice"])
    usage: Usage | None = None
    system_fingerprint: str | None = None
    metadata: dict[str, JSON] | None = None

    @property
    def text(self) -> str:
        """What it adds to the text of the first choice."""
        firsts = [choice.delta.content for choice in self.choices if not choice.index]
        return "".join(content for content in firsts if content)
