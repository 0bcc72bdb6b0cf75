"""Chat completions on the OpenAI wire: requests read, answers and chunks written."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TypeAlias, cast
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from chatloom.core.event_stream import HEARTBEAT, encode_event
from chatloom.core.http import JSON
from chatloom.server.call import BrokenOff, LastPiece, convert
from chatloom.server.chat.answer import Choice
from chatloom.server.chat.message import Message
from chatloom.server.chat.telling import Reader, Telling
from chatloom.server.models.driver import (
    Delta,
    Finish,
    Parameters,
    Reasoning,
    Refusal,
    Served,
    Text,
    ToolCall,
    Usage,
)
from chatloom.server.protocols.envelopes import failure_of
from chatloom.server.protocols.openai_errors import openai_error
from chatloom.server.protocols.voice import Voice
from chatloom.server.refusal import invalid
from chatloom.wire import openai as wire

_KNOWN = frozenset(wire.CompletionRequest.__struct_fields__)
_MESSAGE = frozenset(wire.ChatMessage.__struct_fields__)
_TEXT_ONLY: Mapping[str, tuple[JSON, ...]] = {"modalities": (None, ["text"]), "audio": (None,)}
_OBSOLETE = {"functions": "tools", "function_call": "tool_choice"}

Fields: TypeAlias = dict[str, JSON]
"""A request's body as it came, what chatloom does not know included."""


def read_request(body: JSON) -> tuple[wire.CompletionRequest, Fields]:
    """Read a request. Raises `Refusal`."""
    request = convert(body, wire.CompletionRequest)
    fields = cast("dict[str, JSON]", body)
    for old, new in _OBSOLETE.items():
        if fields.get(old) is not None:
            raise invalid(f"{old} is obsolete; use {new}", param=old)
    for name, fine in _TEXT_ONLY.items():
        if fields.get(name) not in fine:
            raise invalid(f"answers are text; {name} cannot be obeyed", param=name)
    if request.top_logprobs is not None and not request.logprobs:
        raise invalid("top_logprobs needs logprobs: true", param="top_logprobs")
    if request.stream_options is not None and not request.stream:
        raise invalid("stream_options needs stream: true", param="stream_options")
    return request, fields


def extra_of(fields: Fields) -> dict[str, JSON]:
    """The fields for the provider alone."""
    return _beyond(fields, _KNOWN)


def _beyond(fields: Fields, known: frozenset[str]) -> dict[str, JSON]:
    return {name: value for name, value in fields.items() if name not in known}


def parameters_of(request: wire.CompletionRequest, fields: Fields) -> Parameters:
    """What the request asks of the model."""
    stop = request.stop
    return Parameters(
        max_tokens=request.max_completion_tokens or request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        n=request.n or 1,
        stop=[one for one in ([stop] if isinstance(stop, str) else stop or []) if one],
        seed=request.seed,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        logit_bias=request.logit_bias,
        logprobs=bool(request.logprobs),
        top_logprobs=request.top_logprobs,
        tools=cast("list[dict[str, JSON]]", fields.get("tools") or []),
        tool_choice=request.tool_choice,
        parallel_tool_calls=request.parallel_tool_calls,
        response_format=request.response_format,
    )


def messages_of(request: wire.CompletionRequest, fields: Fields) -> list[Message]:
    """The messages. Raises `Refusal` for parts that make no sense."""
    told = cast("list[dict[str, JSON]]", fields["messages"])
    return [_message(message, told[index], index) for index, message in enumerate(request.messages)]


def _message(message: wire.ChatMessage, fields: Fields, index: int) -> Message:
    place = f"messages[{index}]"
    if message.role == "tool" and not message.tool_call_id:
        raise invalid(
            f"{place}: a tool's message needs tool_call_id", param=f"{place}.tool_call_id"
        )
    if message.content is None and not (message.tool_calls or message.refusal):
        raise invalid(f"{place}: content is missing", param=f"{place}.content")
    calls = cast("list[dict[str, JSON]]", fields.get("tool_calls") or [])
    # Beside tool calls, clients write nothing as "" or as null; it is the same message.
    said = message.content if message.content or not calls else None
    return Message(
        role=message.role,
        content=_content(said, f"{place}.content"),
        name=message.name,
        tool_calls=calls or None,
        tool_call_id=message.tool_call_id,
        refusal=message.refusal,
        extra=_beyond(fields, _MESSAGE) or None,
    )


def _content(
    content: str | list[str | dict[str, JSON]] | None, place: str
) -> str | list[dict[str, JSON]] | None:
    if content is None or isinstance(content, str):
        return content
    if not content:
        raise invalid(f"{place} has no parts", param=place)
    return [_part(part, f"{place}[{index}]") for index, part in enumerate(content)]


_PARTS: Mapping[str, tuple[str, type]] = {
    "text": ("text", str),
    "image_url": ("image_url", dict),
    "input_audio": ("input_audio", dict),
    "file": ("file", dict),
    "refusal": ("refusal", str),
}


def _part(part: str | dict[str, JSON], place: str) -> dict[str, JSON]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    kind = part.get("type")
    known = _PARTS.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise invalid(f"{place}: no such type of part; there are {', '.join(_PARTS)}", param=place)
    field, expected = known
    if not isinstance(part.get(field), expected):
        raise invalid(f"{place}: {field} is missing or of the wrong type", param=f"{place}.{field}")
    if kind == "image_url":
        url = cast("dict[str, JSON]", part["image_url"]).get("url")
        if not isinstance(url, str) or not url.startswith(("data:image/", "https://", "http://")):
            raise invalid(
                f"{place}: image_url.url must be an http(s) address or a data:image/ URL",
                param=f"{place}.image_url.url",
            )
    return part


def usage_of(usage: Usage) -> wire.CompletionUsage:
    """Tell a turn's usage; the provider's own details where it gave some."""
    prompt = _details(usage, "prompt_tokens_details")
    completion = _details(usage, "completion_tokens_details")
    return wire.CompletionUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        prompt_tokens_details={"cached_tokens": usage.cached_tokens, **prompt},
        completion_tokens_details={"reasoning_tokens": usage.reasoning_tokens, **completion},
        estimated=True if usage.estimated else UNSET,
    )


def _details(usage: Usage, name: str) -> dict[str, JSON]:
    details = usage.details.get(name)
    return details if isinstance(details, dict) else {}


def completion_of(turn: Telling) -> wire.Completion:
    """Tell a settled turn in one piece."""
    assert turn.usage is not None, "a turn that went well was charged"
    return wire.Completion(
        id=completion_id(turn),
        created=turn.about.started_at // 1000,
        model=turn.served_model,
        choices=[choice_of(index, choice) for index, choice in turn.answer.ordered()],
        usage=usage_of(turn.usage),
        system_fingerprint=turn.about.conversation_id,
        metadata=place_of(turn),
    )


def place_of(turn: Telling) -> wire.AnswerPlace | UnsetType:
    """Where a settled turn's answer stands, for who wants to go on from there."""
    if not turn.grown or turn.branch_id is None:
        return UNSET
    return wire.AnswerPlace(
        conversation_id=turn.about.conversation_id,
        branch_id=turn.branch_id,
        message_id=turn.grown[-1].id,
        parent_message_id=turn.grown[-1].parent_id or UNSET,
    )


def completion_id(turn: Telling) -> str:
    """The id by which OpenAI's clients know a turn."""
    return "chatcmpl-" + turn.id.replace("-", "")


def turn_id_of(id: str) -> str:
    """The turn that *id* names: its own id, or the one of its completion or message."""
    digits = id.removeprefix("chatcmpl-").removeprefix("msg_")
    return str(UUID(digits)) if digits != id and _HEX(digits) else id


_HEX = re.compile("[0-9a-f]{32}").fullmatch


def choice_of(index: int, choice: Choice) -> wire.CompletionChoice:
    """Tell one of an answer's alternatives."""
    message = choice.message()
    return wire.CompletionChoice(
        index=index,
        message=wire.CompletionMessage(
            content=message.text if message.content is not None else None,
            refusal=message.refusal,
            tool_calls=message.tool_calls or UNSET,
            reasoning_content="".join(choice.reasonings) or UNSET,
        ),
        finish_reason=choice.finish_reason,
        logprobs=wire.Logprobs(choice.logprobs) if choice.logprobs else None,
    )


SEPARATE_USAGE = "separate usage"
"""How a stream is told to a client that wants usage in a chunk of its own."""


class ChunkWriter:
    """Writes the deltas of one turn as chunks, from behind the first *after* of them on.

    Every event has an id, the number of its delta, so that a reader who lost
    the connection can say where to go on.
    """

    def __init__(self, turn: Telling, after: int, told_as: str) -> None:
        self._turn = turn
        self._separate_usage = told_as == SEPARATE_USAGE
        self._after = after
        self._number = 0
        self._begun: set[int] = set()
        self._finishes: list[tuple[int, Finish]] = []
        self._model = turn.served_model
        self._head = b""
        self._set_head()
        self._skip(turn.said[:after])

    def _set_head(self) -> None:
        chunk = wire.Chunk(
            id=completion_id(self._turn),
            created=self._turn.about.started_at // 1000,
            model=self._model,
            system_fingerprint=self._turn.about.conversation_id,
            choices=[],
        )
        self._head = msgspec.json.encode(chunk).removesuffix(b"[]}")

    def _skip(self, deltas: Sequence[Delta]) -> None:
        """Pass over what the reader has seen already."""
        for delta in deltas:
            self._number += 1
            if isinstance(delta, Finish):
                self._finishes.append((self._number, delta))
            elif not isinstance(delta, Served | Usage):
                self._begun.add(delta.choice)

    def write(self, deltas: list[Delta]) -> bytes:
        """The events of *deltas*, which follow those written before."""
        events: list[bytes] = []
        for delta in deltas:
            self._number += 1
            if isinstance(delta, Text) and delta.choice in self._begun and not delta.logprobs:
                events.append(self._text(delta))
            elif isinstance(delta, Served):
                if delta.model != self._model:
                    self._model = delta.model
                    self._set_head()
            elif isinstance(delta, Finish):
                self._finishes.append((self._number, delta))
            elif isinstance(delta, Usage):
                events += self._end(delta)
            else:
                events.append(self._event([self._addition(delta)]))
        return b"".join(events)

    def _text(self, delta: Text) -> bytes:
        # The one event that matters for speed; the same as `_event` would write.
        return _TEXT_EVENT % (self._number, self._head, delta.choice, _encode(delta.text))

    def _event(
        self,
        choices: list[wire.ChunkChoice],
        number: int | None = None,
        usage: wire.CompletionUsage | None = None,
    ) -> bytes:
        data = self._head + _encode(choices)
        if usage is not None:
            data += b',"usage":' + _encode(usage)
            if (place := place_of(self._turn)) is not UNSET:
                data += b',"metadata":' + _encode(place)
        return encode_event(data + b"}", id=str(number or self._number))

    def _addition(self, delta: Text | Reasoning | Refusal | ToolCall) -> wire.ChunkChoice:
        added = wire.ChunkDelta()
        if delta.choice not in self._begun:
            self._begun.add(delta.choice)
            added.role = "assistant"
        logprobs = None
        if isinstance(delta, Text):
            added.content = delta.text
            logprobs = wire.Logprobs(delta.logprobs) if delta.logprobs else None
        elif isinstance(delta, Reasoning):
            added.reasoning_content = delta.text
        elif isinstance(delta, Refusal):
            added.refusal = delta.text
        else:
            added.tool_calls = [_call(delta)]
        return wire.ChunkChoice(index=delta.choice, delta=added, logprobs=logprobs)

    def _end(self, usage: Usage) -> list[bytes]:
        """The last events: each choice's end, and what it took.

        A client that did not ask for usage in a chunk of its own finds it on the
        last finish; one that did must not find it twice.
        """
        told = usage_of(usage)
        events: list[bytes] = []
        for number, finish in self._finishes:
            if number <= self._after:
                continue
            delta = wire.ChunkDelta()
            if finish.choice not in self._begun:
                self._begun.add(finish.choice)
                delta.role, delta.content = "assistant", ""
            end = wire.ChunkChoice(index=finish.choice, delta=delta, finish_reason=finish.reason)
            is_last = number == self._finishes[-1][0]
            own = told if is_last and not self._separate_usage else None
            events.append(self._event([end], number, own))
        if self._separate_usage:
            events.append(self._event([], usage=told))
        return events


_encode = msgspec.json.Encoder().encode

_TEXT_EVENT = (
    b'id: %d\ndata: %s[{"index":%d,"delta":{"content":%s},'
    b'"finish_reason":null,"logprobs":null}]}\n\n'
)


def _call(delta: ToolCall) -> wire.ChunkToolCall:
    return wire.ChunkToolCall(
        index=delta.index,
        id=delta.id if delta.id is not None else UNSET,
        type="function" if delta.id is not None else UNSET,
        function=wire.ChunkFunction(arguments=delta.arguments, name=delta.name),
    )


async def write_stream(
    turn: Telling, reader: Reader, after: int = 0, told_as: str = ""
) -> AsyncIterator[bytes]:
    """Tell a turn as it lives. A failure is told, and then the answer has no end."""
    writer = ChunkWriter(turn, after, told_as)
    async for batch in reader:
        if not batch:
            yield HEARTBEAT
        elif events := writer.write(batch):
            yield events
    if reader.has_left:
        raise BrokenOff
    if turn.failed:
        yield _failure(turn)
        raise BrokenOff
    yield LastPiece(b"data: [DONE]\n\n")


def _failure(turn: Telling) -> bytes:
    failure = failure_of(turn)
    failure.partial = None  # its reader has it
    usage = usage_of(turn.usage) if turn.usage is not None else None
    return encode_event(_encode(wire.ErrorBody(error=openai_error(failure), usage=usage)))


VOICE = Voice(completion_of, write_stream)
"""For every protocol that speaks OpenAI's."""
