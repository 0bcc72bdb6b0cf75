"""What a call's request and answer tell of it, whatever their shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from chatloom.core.http import JSON, UNREADABLE, Request

Outcome: TypeAlias = Literal["complete", "error", "left"]
"""Answered; failed; or left by the caller, who cancelled it or stopped reading."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call, as it begins."""

    operation: str
    """``chat`` and other names of the GenAI conventions, else method and path without ids."""
    method: str
    path: str
    provider: str
    """Whose service it is."""
    address: str | None
    port: int | None
    streamed: bool
    model: str | None
    """The one asked for."""
    parameters: Mapping[str, JSON]
    """Those of a model: ``temperature``, ``max_tokens`` … as the body names them."""
    messages: JSON = None
    """What was said, as the body has it; only where content is asked for."""


class Tokens(msgspec.Struct, frozen=True):
    """How many tokens a call took, as far as the server told."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    """Those of `input` that the provider had kept."""
    reasoning: int | None = None
    """Those of `output` that nobody sees."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A call, as it has ended."""

    outcome: Outcome
    duration: float
    """Seconds, to the last piece of a streamed answer."""
    first_piece: float | None
    """Seconds to the first piece of a streamed answer."""
    attempts: int
    status: int | None
    error: BaseException | None
    error_type: str | None
    """The status, or the class of the error: few different ones."""
    model: str | None
    """The one that answered."""
    answer_id: str | None
    tokens: Tokens
    finish_reasons: tuple[str, ...]
    """One for each alternative."""
    answers: tuple[JSON, ...] = ()
    """The messages of the answer; only where content is asked for."""


def called(
    request: Request, provider: str, address: str | None, port: int | None, content: bool
) -> Call:
    """Read what *request* asks for."""
    asked = _asked(request.body)
    said = _said(request.body) if content else None
    return Call(
        operation=_operation(request, asked.model),
        method=request.method,
        path=request.path,
        provider=provider,
        address=address,
        port=port,
        streamed=request.streamed,
        model=_text(asked.model),
        parameters={
            name: value for name in _PARAMETERS if (value := getattr(asked, name)) is not None
        },
        messages=None if said is None else said.messages or said.input or said.prompt,
    )


class _Asked(msgspec.Struct):
    model: JSON = None
    frequency_penalty: JSON = None
    max_completion_tokens: JSON = None
    max_tokens: JSON = None
    n: JSON = None
    presence_penalty: JSON = None
    seed: JSON = None
    stop: JSON = None
    temperature: JSON = None
    top_k: JSON = None
    top_p: JSON = None


_PARAMETERS = _Asked.__struct_fields__[1:]


class _Args(msgspec.Struct):
    """Where Puter's protocol has all that is asked of a model."""

    args: msgspec.Raw = msgspec.Raw()


class _Said(msgspec.Struct):
    messages: JSON = None
    input: JSON = None
    prompt: JSON = None


_decode_args = msgspec.json.Decoder(_Args).decode
_decode_asked = msgspec.json.Decoder(_Asked).decode
_decode_said = msgspec.json.Decoder(_Said).decode


def _asked(body: bytes) -> _Asked:
    try:
        return _decode_asked(_told_in(body)) if body else _Asked()
    except UNREADABLE:
        return _Asked()


def _said(body: bytes) -> _Said:
    try:
        return _decode_said(_told_in(body)) if body else _Said()
    except UNREADABLE:
        return _Said()


def _told_in(body: bytes) -> bytes | msgspec.Raw:
    """The part of a request that tells what is asked of a model."""
    args = _decode_args(body).args if b'"args"' in body else b""
    return args if bytes(args).startswith(b"{") else body


_KNOWN = (
    ("/chat/completions", "chat"),
    ("/completions", "text_completion"),
    ("/embeddings", "embeddings"),
    ("/chat", "chat"),
    ("/messages", "chat"),
    ("/responses", "chat"),
    ("/drivers/call", "chat"),
)


def _operation(request: Request, model: JSON) -> str:
    if request.method == "POST" and model is not None:
        for end, name in _KNOWN:
            if request.path.endswith(end):
                return name
    return f"{request.method} {_without_ids(request.path)}"


_ID = re.compile(r"/(?=[^/]*[^a-z/_-])(?!v\d+(?:/|$))[^/]+|/[^/]{25,}")
"""A segment that is no word of the protocol, nor its version."""


def _without_ids(path: str) -> str:
    return _ID.sub("/*", path)


class Answered(msgspec.Struct, frozen=True):
    """What an answer tells."""

    id: str | None = None
    model: str | None = None
    tokens: Tokens = Tokens()
    finish_reasons: tuple[str, ...] = ()
    messages: tuple[JSON, ...] = ()


class _Choice(msgspec.Struct):
    finish_reason: JSON = None


class _TellingChoice(_Choice):
    message: JSON = None
    text: JSON = None


class _Within(msgspec.Struct, rename="camel"):
    """What some services tell of an answer under ``data`` or ``metadata``."""

    model: JSON = None
    usage: JSON = None
    message_id: JSON = None
    finish_reason: JSON = None


class _Result(msgspec.Struct):
    """What Puter's protocol tells of an answer."""

    message: JSON = None
    usage: JSON = None
    finish_reason: JSON = None


class _Bare(msgspec.Struct):
    id: JSON = None
    model: JSON = None
    usage: JSON = None
    stop_reason: JSON = None
    data: msgspec.Raw = msgspec.Raw()
    metadata: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    message: JSON = None

    def __post_init__(self) -> None:
        """Take what is told within, where it is not told here."""
        if self.usage is None and bytes(self.result).startswith(b"{"):
            result = _decode_result(self.result)
            self.message = result.message
            own = result.message if isinstance(result.message, dict) else {}
            self.id, self.model = self.id or own.get("id"), self.model or own.get("model")
            self.usage, self.stop_reason = result.usage or own.get("usage"), result.finish_reason
        for told in (self.data, self.metadata):
            if self.usage is None and bytes(told).startswith(b"{"):
                within = _decode_within(told)
                self.id, self.model = self.id or within.message_id, self.model or within.model
                self.usage, self.stop_reason = within.usage, within.finish_reason


class _Answer(_Bare):
    choices: list[_Choice] | None = None


class _TellingAnswer(_Bare):
    choices: list[_TellingChoice] | None = None
    content: JSON = None


_decode_result = msgspec.json.Decoder(_Result).decode
_decode_within = msgspec.json.Decoder(_Within).decode
_decode_bare = msgspec.json.Decoder(_Bare).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_telling = msgspec.json.Decoder(_TellingAnswer).decode


def answered(body: bytes, content: bool) -> Answered:
    """Read what *body*, a plain answer, tells; with *content*, also what it says."""
    try:
        answer = _decode_telling(body) if content else _decode_answer(body)
    except msgspec.ValidationError:
        return _answered_barely(body)
    except UNREADABLE:
        return Answered()
    choices = answer.choices or ()
    told = [choice.finish_reason for choice in choices] or [answer.stop_reason]
    return Answered(
        _text(answer.id),
        _text(answer.model),
        tokens(answer.usage),
        tuple([reason for reason in told if isinstance(reason, str)]),
        _messages(answer) if isinstance(answer, _TellingAnswer) else (),
    )


def _answered_barely(body: bytes) -> Answered:
    """Read an answer whose choices, if any, are in a shape of their own."""
    try:
        answer = _decode_bare(body)
    except UNREADABLE:
        return Answered()
    return Answered(_text(answer.id), _text(answer.model), tokens(answer.usage))


def _messages(answer: _TellingAnswer) -> tuple[JSON, ...]:
    if answer.choices is None:
        said = answer.message if answer.content is None else spoken(answer.content)
        return () if said is None else (said,)
    return tuple(choice.message or spoken(choice.text) for choice in answer.choices)


def spoken(content: JSON) -> JSON:
    """Make an assistant's message of what it said."""
    return {"role": "assistant", "content": content}


def tokens(usage: JSON) -> Tokens:
    """Read a usage: ``prompt_tokens``, ``input_tokens``, ``inputTokens``, or a list of amounts."""
    if isinstance(usage, list):
        amounts = {part.get("type"): part.get("amount") for part in usage if isinstance(part, dict)}
        return Tokens(_count(amounts.get("prompt")), _count(amounts.get("completion")))
    if not isinstance(usage, dict):
        return Tokens()
    incoming = _part(usage, "prompt_tokens_details", "input_tokens_details")
    outgoing = _part(usage, "completion_tokens_details", "output_tokens_details")
    return Tokens(
        _first(usage, _INPUT),
        _first(usage, _OUTPUT),
        _first(incoming or usage, _CACHED),
        _count(outgoing.get("reasoning_tokens")),
    )


_INPUT = ("prompt_tokens", "input_tokens", "promptTokens", "inputTokens")
_OUTPUT = ("completion_tokens", "output_tokens", "completionTokens", "outputTokens")
_CACHED = ("cached_tokens", "cache_read_input_tokens")


def _part(usage: Mapping[str, JSON], *names: str) -> Mapping[str, JSON]:
    for name in names:
        part = usage.get(name)
        if isinstance(part, dict):
            return part
    return {}


def _first(usage: Mapping[str, JSON], names: tuple[str, ...]) -> int | None:
    for name in names:
        if name in usage and (told := _count(usage[name])) is not None:
            return told
    return None


def _count(told: JSON) -> int | None:
    return told if type(told) is int and told >= 0 else None


def _text(told: JSON) -> str | None:
    return told if isinstance(told, str) and told else None
