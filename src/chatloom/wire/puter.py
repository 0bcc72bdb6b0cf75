"""Puter: logging in, calling drivers, and what chat says over them.

Only what chatloom acts upon is named; a request's other fields are let pass.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chatloom.core.http import JSON
from chatloom.wire.anthropic import MessageAnswer
from chatloom.wire.openai import CompletionMessage, Fraction, Tool, ToolCall
from chatloom.wire.unshown import Unshown

T = TypeVar("T")

INTERFACE = "puter-chat-completion"
DRIVER = "ai-chat"
LEGACY_DRIVERS = frozenset(
    {
        *("claude", "deepseek", "google-completion", "grok", "groq", "mistral"),
        *("openai-completion", "openrouter", "together-ai", "xai"),
    }
)
"""What `DRIVER` was called when each provider had one of its own; older clients still say so."""

LoginName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=254)]


class PuterLogin(Unshown, kw_only=True):
    """Somebody who logs in by their name, which may be an e-mail address."""

    username: LoginName | None = None
    email: LoginName | None = None
    password: Annotated[str, Meta(min_length=1, max_length=1024)]


class PuterUser(msgspec.Struct, kw_only=True):
    """Somebody; nobody here confirms addresses, and nobody is asked to."""

    username: str
    uuid: str
    email: str | None
    email_confirmed: bool = False
    requires_email_confirmation: bool = False
    is_temp: bool = False


class LoggedInUser(PuterUser, kw_only=True):
    """Somebody who has just logged in."""

    taskbar_items: list[JSON] = []


class LoggedIn(Unshown, kw_only=True):
    """A session begun; `token` is what it is held with."""

    token: str
    user: LoggedInUser
    proceed: Literal[True] = True
    next_step: Literal["complete"] = "complete"


class LoggedOut(msgspec.Struct, kw_only=True):
    """A session ended."""

    success: Literal[True] = True


class DriverCall(Unshown, kw_only=True):
    """The body of ``POST /drivers/call``."""

    interface: str
    method: str
    driver: str | None = None
    args: dict[str, JSON] | None = None
    """For ``complete``, a `ChatArguments`."""
    auth_token: str | None = None


class Reasons(msgspec.Struct):
    """How much the model should think first."""

    effort: str | None = None


class Wordiness(msgspec.Struct):
    """How much the model should say."""

    verbosity: str | None = None


class ResultForm(msgspec.Struct):
    """What the result should look like."""

    normalize: bool | None = None


class ChatArguments(msgspec.Struct, kw_only=True):
    """What ``complete`` is called with; each message is a text or a `PuterMessage`."""

    messages: Annotated[list[JSON], Meta(min_length=1, max_length=10_000)]
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    provider: Annotated[str, Meta(max_length=100)] | None = None
    stream: bool | None = None
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: str | dict[str, JSON] | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=0)] | None = None
    """The same, by its newer name."""
    n: Annotated[int, Meta(ge=1, le=1)] | None = None
    """There is one answer."""
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Fraction | None = None
    reasoning: Reasons | None = None
    reasoning_effort: str | None = None
    text: Wordiness | None = None
    verbosity: str | None = None
    response: ResultForm | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    metadata: dict[str, JSON] | None = None
    test_mode: bool | None = None


class PuterMessage(msgspec.Struct, kw_only=True):
    """A message; parts of its content may be texts, or say what they are by their fields alone."""

    role: Literal["system", "developer", "user", "assistant", "tool"] = "user"
    content: str | list[JSON] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


class ChatUse(msgspec.Struct, kw_only=True):
    """What an answer took, in OpenAI's words or in Anthropic's.

    Nobody knows the price where cents are null.
    """

    prompt_tokens: int | UnsetType = UNSET
    completion_tokens: int | UnsetType = UNSET
    cached_tokens: int | UnsetType = UNSET
    input_tokens: int | UnsetType = UNSET
    output_tokens: int | UnsetType = UNSET
    cache_read_input_tokens: int | UnsetType = UNSET
    usd_cents: float | None
    estimated: bool | UnsetType = UNSET


class CompletionResult(msgspec.Struct, kw_only=True):
    """An answer, in OpenAI's words."""

    message: CompletionMessage
    finish_reason: str | None
    usage: ChatUse
    index: int = 0
    logprobs: None = None
    normalized: bool | UnsetType = UNSET
    via_ai_chat_service: Literal[True] = True


class MessageResult(msgspec.Struct, kw_only=True):
    """An answer, in Anthropic's words."""

    message: MessageAnswer
    finish_reason: str | None
    usage: ChatUse
    via_ai_chat_service: Literal[True] = True


class CalledService(msgspec.Struct, frozen=True):
    """The driver that was called."""

    name: Literal["ai-chat"] = "ai-chat"


class AnsweredBy(msgspec.Struct, kw_only=True):
    """Who answered. Beyond Puter, by name, and where the answer stands.

    With the last three, as the `metadata` of a further call, the talk goes on.
    """

    provider_used: str = msgspec.field(name="providerUsed")
    model: str
    service_used: str = DRIVER
    conversation_id: str | UnsetType = UNSET
    branch_id: str | UnsetType = UNSET
    message_id: str | UnsetType = UNSET


class Called(msgspec.Struct, Generic[T], kw_only=True):
    """What a driver answers: to ``complete`` in the words of a family, else the models."""

    result: T
    success: Literal[True] = True
    service: CalledService = CalledService()
    metadata: AnsweredBy | UnsetType = UNSET


class ChatPiece(msgspec.Struct, kw_only=True):
    """A line of a streamed answer. Beyond Puter, `event` is where it can be gone on behind."""

    event: int


class TextLine(ChatPiece, tag_field="type", tag="text"):
    """Some more text."""

    text: str


class ReasoningLine(ChatPiece, tag_field="type", tag="reasoning"):
    """Some more of what the model thought."""

    reasoning: str


class ToolUseLine(ChatPiece, tag_field="type", tag="tool_use"):
    """A tool that the model wants called, whole."""

    id: str
    name: str
    input: dict[str, JSON]
    text: str = ""


class UsageLine(ChatPiece, tag_field="type", tag="usage"):
    """The answer is whole, and stored; the last line."""

    usage: ChatUse
    metadata: AnsweredBy


class ErrorLine(msgspec.Struct, kw_only=True, tag_field="type", tag="error"):
    """A streamed answer that fails; nothing comes behind it."""

    message: str
    code: str


ChatLine: TypeAlias = TextLine | ReasoningLine | ToolUseLine | UsageLine | ErrorLine


class PuterModel(msgspec.Struct, kw_only=True):
    """A model on offer; `costs` are cents for so many `tokens`."""

    id: str
    puter_id: str = msgspec.field(name="puterId")
    provider: str
    name: str
    aliases: list[str]
    costs: dict[str, float]
    context: int | None
    max_tokens: int | None
    costs_currency: Literal["usd-cents"] = "usd-cents"
    input_cost_key: Literal["prompt_tokens"] = "prompt_tokens"
    output_cost_key: Literal["completion_tokens"] = "completion_tokens"


class ModelNames(msgspec.Struct):
    """What models can be asked for."""

    models: list[str]


class ModelFacts(msgspec.Struct):
    """What is known of each."""

    models: list[PuterModel]


class Drivers(msgspec.Struct):
    """Who implements an interface."""

    drivers: list[str]
    default: str


class Implementor(msgspec.Struct, rename="camel"):
    """One of those who implement an interface."""

    is_default: bool


class Implementors(msgspec.Struct):
    """Those who implement an interface, by name."""

    implementors: dict[str, Implementor]


class Modules(msgspec.Struct):
    """Every interface, by name."""

    interfaces: dict[str, Implementors]


class PuterFailure(msgspec.Struct, kw_only=True):
    """A refusal; `error` is text, as the published clients expect it."""

    error: str
    message: str
    code: str
    details: dict[str, JSON] | UnsetType = UNSET
