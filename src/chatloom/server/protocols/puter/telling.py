"""How Puter tells a turn: as a driver's result, and line by line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec
from msgspec import UNSET

from chatloom.core.http import JSON
from chatloom.core.ndjson import encode_line
from chatloom.server.call import BrokenOff, LastPiece
from chatloom.server.chat.answer import Answer
from chatloom.server.chat.telling import Reader, Telling
from chatloom.server.models.driver import (
    Delta,
    Reasoning,
    Refusal,
    Served,
    Text,
    ToolCall,
    Usage,
)
from chatloom.server.protocols.anthropic import layout
from chatloom.server.protocols.anthropic.blocks import input_of
from chatloom.server.protocols.anthropic.telling import message_of
from chatloom.server.protocols.completions import choice_of
from chatloom.server.protocols.envelopes import failure_of
from chatloom.server.protocols.puter.errors import code_of
from chatloom.server.protocols.puter.models import cents
from chatloom.server.protocols.voice import Voice
from chatloom.wire import anthropic, openai
from chatloom.wire import puter as wire

PROTOCOL = "puter"

_encode = msgspec.json.Encoder().encode


class Wording(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an answer is told; kept with its turn."""

    provider: str = ""
    is_anthropic: bool = False
    """Whether it is told in Anthropic's words, else in OpenAI's."""
    is_normalized: bool = False
    """Whether OpenAI's were asked for."""


def told_as(wording: Wording) -> str:
    """A wording, as it is kept."""
    return _encode(wording).decode()


_wording = msgspec.json.Decoder(Wording).decode


def _called(turn: Telling) -> wire.Called[wire.CompletionResult | wire.MessageResult]:
    """Tell a settled turn in one piece."""
    wording = _wording(turn.about.told_as)
    result = _message(turn) if wording.is_anthropic else _completion(turn, wording)
    return wire.Called(result=result, metadata=_answered_by(turn, wording))


def _completion(turn: Telling, wording: Wording) -> wire.CompletionResult:
    told = choice_of(0, turn.answer.choices[0])
    return wire.CompletionResult(
        message=told.message,
        finish_reason=told.finish_reason,
        usage=_completion_use(turn),
        normalized=wording.is_normalized or UNSET,
    )


def _message(turn: Telling) -> wire.MessageResult:
    message = message_of(turn, layout.Wording(without_thinking=True))
    message.content = message.content or [anthropic.TextBlock("")]
    return wire.MessageResult(
        message=message,
        finish_reason=turn.answer.choices[0].finish_reason,
        usage=_message_use(turn),
    )


def _completion_use(turn: Telling) -> wire.ChatUse:
    usage = turn.usage or Usage(0, 0)
    return wire.ChatUse(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        usd_cents=_cents(turn),
        estimated=usage.estimated or UNSET,
    )


def _message_use(turn: Telling) -> wire.ChatUse:
    usage = layout.usage_of(turn.usage or Usage(0, 0))
    return wire.ChatUse(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_input_tokens=usage.cache_read_input_tokens,
        usd_cents=_cents(turn),
        estimated=usage.estimated,
    )


def _cents(turn: Telling) -> float | None:
    making = turn.making
    return cents(making.cost or 0) if making is not None and making.priced else None


def _answered_by(turn: Telling, wording: Wording) -> wire.AnsweredBy:
    return wire.AnsweredBy(
        provider_used=wording.provider,
        model=turn.served_model,
        conversation_id=turn.about.conversation_id,
        branch_id=turn.branch_id or UNSET,
        message_id=turn.message_id or UNSET,
    )


class _Lines:
    """Writes the deltas of one turn, from behind the first *after* of them on.

    Each line is numbered as the delta it tells, so that a reader who lost the
    connection can say where to go on.
    """

    def __init__(self, turn: Telling, after: int) -> None:
        self._number = 0
        self._calls = Answer()
        self.write(turn.said[:after])  # what the reader has seen already

    def write(self, deltas: Sequence[Delta]) -> bytes:
        """The lines of *deltas*, which follow those written before."""
        lines: list[wire.ChatLine] = []
        for delta in deltas:
            self._number += 1
            if isinstance(delta, Usage | Served) or delta.choice:
                continue
            if isinstance(delta, Text | Refusal):
                lines.append(wire.TextLine(text=delta.text, event=self._number))
            elif isinstance(delta, Reasoning):
                lines.append(wire.ReasoningLine(reasoning=delta.text, event=self._number))
            elif isinstance(delta, ToolCall):
                self._calls.add([delta])
            else:  # nothing comes behind what finishes an answer
                lines += self._tool_uses()
        return b"".join(_line(line) for line in lines)

    def _tool_uses(self) -> list[wire.ChatLine]:
        """The calls: a call is told whole, so all are told when the last one is.

        Whoever has not heard all of them hears them again.
        """
        made = self._calls.choices.get(0)
        calls = (made.message().tool_calls or []) if made is not None else []
        first = self._number - 1
        lines: list[wire.ChatLine] = [_tool_use(call, first) for call in calls[:-1]]
        return lines + [_tool_use(call, self._number) for call in calls[-1:]]


def _tool_use(call: dict[str, JSON], event: int) -> wire.ToolUseLine:
    told = msgspec.convert(call, openai.ToolCall)
    name, input = told.function.name, input_of(told.function.arguments)
    return wire.ToolUseLine(id=told.id, name=name, input=input, event=event)


def _line(line: wire.ChatLine) -> bytes:
    return encode_line(_encode(line))


async def _write(
    turn: Telling, reader: Reader, after: int = 0, _: str = ""
) -> AsyncIterator[bytes]:
    """Tell a turn as it lives; a failure is told, and stands where the line of the end would.

    The connection is not cut behind it, as elsewhere: in Node that ends puter.js, and its process.
    Where nothing is said, nothing is told: there is no line that means as much.
    """
    lines = _Lines(turn, after)
    async for batch in reader:
        if told := lines.write(batch):
            yield told
    if reader.has_left:
        raise BrokenOff
    if turn.failed:
        failure = failure_of(turn)
        yield LastPiece(_line(wire.ErrorLine(message=failure.message, code=code_of(failure))))
        return
    # The line that tells the end is numbered as the last there is: who heard that has it.
    is_heard = 0 < after == len(turn.said)
    yield LastPiece(b"" if is_heard else _line(_end(turn)))


def _end(turn: Telling) -> wire.UsageLine:
    wording = _wording(turn.about.told_as)
    usage = _message_use(turn) if wording.is_anthropic else _completion_use(turn)
    metadata = _answered_by(turn, wording)
    return wire.UsageLine(usage=usage, metadata=metadata, event=len(turn.said))


VOICE = Voice(_called, _write, b"application/x-ndjson")
