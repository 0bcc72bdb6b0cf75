"""Whole answers, put together from their pieces."""

from __future__ import annotations

from collections.abc import Iterable

from chatloom.core.http import JSON
from zaguan.models import (
    ChatChunk,
    ChatResponse,
    Choice,
    ChoiceDelta,
    ChunkChoice,
    FunctionCall,
    FunctionDelta,
    Message,
    ToolCall,
    ToolCallDelta,
    Usage,
)

__all__ = ["StreamAccumulator", "reconstruct_message_from_stream"]


class StreamAccumulator:
    """Puts a streamed completion together, each of its choices for itself."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, for another stream."""
        self._choices: dict[int, _ChoiceSoFar] = {}
        self._head = ChatChunk()
        self._extra: dict[str, object] = {}
        self.usage: Usage | None = None
        """The usage told last; chunks repeat it, they do not add to it."""

    def add_chunk(self, chunk: ChatChunk) -> None:
        """Take in the next chunk."""
        head = self._head
        head.id = head.id or chunk.id
        head.model = head.model or chunk.model
        head.created = head.created or chunk.created
        head.system_fingerprint = head.system_fingerprint or chunk.system_fingerprint
        head.metadata = chunk.metadata or head.metadata
        self.usage = chunk.usage or self.usage
        self._extra.update(chunk.model_extra or {})
        for choice in chunk.choices:
            if choice.index not in self._choices:
                self._choices[choice.index] = _ChoiceSoFar()
            self._choices[choice.index].add(choice)

    @property
    def model(self) -> str:
        """The model that answers; ``""`` until it is told."""
        return self._head.model

    @property
    def choice_indexes(self) -> list[int]:
        """The choices seen so far, in order."""
        return sorted(self._choices)

    def get_content(self, index: int = 0) -> str:
        """The text of one choice so far."""
        return "".join(self._choice(index).texts)

    def get_message(self, index: int = 0) -> Message:
        """One choice's message so far, its tool calls merged."""
        return self._choice(index).message()

    def get_finish_reason(self, index: int = 0) -> str | None:
        """Why one choice ended; `None` while it goes on."""
        return self._choice(index).finish_reason

    def get_response(self) -> ChatResponse:
        """What has arrived so far, as a plain answer holds it."""
        head = self._head
        told: dict[str, object] = {
            "id": head.id,
            "created": head.created,
            "model": head.model,
            "system_fingerprint": head.system_fingerprint,
            "metadata": head.metadata,
            "choices": [self._choices[index].whole(index) for index in self.choice_indexes],
            "usage": (self.usage or Usage()).model_copy(deep=True),
        }
        return ChatResponse.model_validate(self._extra | told)

    def _choice(self, index: int) -> _ChoiceSoFar:
        return self._choices.get(index) or _ChoiceSoFar()


def reconstruct_message_from_stream(chunks: Iterable[ChatChunk]) -> Message:
    """Put the message of the first choice together."""
    accumulator = StreamAccumulator()
    for chunk in chunks:
        accumulator.add_chunk(chunk)
    return accumulator.get_message()


class _ChoiceSoFar:
    """One choice; texts are joined when somebody asks."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.finish_reason: str | None = None
        self._said_something = False
        self._calls: list[_CallSoFar] = []
        self._function: _FunctionSoFar | None = None
        self._rest: dict[str, object] = {}
        self._logprobs: JSON = None

    def add(self, choice: ChunkChoice) -> None:
        delta = choice.delta
        if delta.content is not None:
            self._said_something = True
            self.texts.append(delta.content)
        for part in delta.tool_calls or ():
            self._call_of(part).add(part)
        if delta.function_call is not None:
            self._function = self._function or _FunctionSoFar()
            self._function.add(delta.function_call)
        self._add_rest(delta)
        self._logprobs = _joined(self._logprobs, choice.logprobs)
        if choice.finish_reason not in _NOT_FINISHED:
            self.finish_reason = choice.finish_reason

    def _call_of(self, part: ToolCallDelta) -> _CallSoFar:
        """Find the call that *part* belongs to; some servers leave its index out."""
        index = part.index
        if index is None:
            is_next = not self._calls or (part.id and part.id != self._calls[-1].id)
            call = _CallSoFar(len(self._calls)) if is_next else self._calls[-1]
        else:
            call = next((c for c in self._calls if c.index == index), None) or _CallSoFar(index)
        if call not in self._calls:
            self._calls.append(call)
        return call

    def _add_rest(self, delta: ChoiceDelta) -> None:
        """Other text, as of reasoning, grows; all else is replaced."""
        beyond = delta.model_extra or {}
        unknown = {name: beyond[name] for name in beyond if name not in Message.model_fields}
        told = {"refusal": delta.refusal, "reasoning_content": delta.reasoning_content, **unknown}
        for name, value in told.items():
            known = self._rest.get(name)
            if value is not None:
                both = isinstance(known, str) and isinstance(value, str)
                self._rest[name] = f"{known}{value}" if both else value

    def message(self) -> Message:
        calls = [call.whole() for call in sorted(self._calls, key=lambda call: call.index)]
        is_silent = not self._said_something and (calls or self._function)
        told: dict[str, object] = {
            "role": "assistant",
            "content": None if is_silent else "".join(self.texts),
            "tool_calls": calls or None,
            "function_call": self._function.whole() if self._function else None,
        }
        return Message.model_validate(self._rest | told)

    def whole(self, index: int) -> Choice:
        return Choice(
            index=index,
            message=self.message(),
            finish_reason=self.finish_reason,
            logprobs=self._logprobs,
        )


_NOT_FINISHED = frozenset({None, "", "content"})
"""Also what an older server writes where the answer goes on."""


class _FunctionSoFar:
    """A function call: its name arrives whole, its arguments in pieces."""

    def __init__(self) -> None:
        self._name = ""
        self._arguments: list[str] = []

    def add(self, part: FunctionDelta) -> None:
        self._name = part.name or self._name
        self._arguments.append(part.arguments or "")

    def whole(self) -> FunctionCall:
        return FunctionCall(name=self._name, arguments="".join(self._arguments))


class _CallSoFar:
    """A tool call."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = ""
        self._type = "function"
        self._function = _FunctionSoFar()

    def add(self, part: ToolCallDelta) -> None:
        self.id = part.id or self.id
        self._type = part.type or self._type
        if part.function is not None:
            self._function.add(part.function)

    def whole(self) -> ToolCall:
        return ToolCall(id=self.id, type=self._type, function=self._function.whole())


def _joined(known: JSON, more: JSON) -> JSON:
    """Log probabilities of tokens, one list a kind; each chunk tells those of its own."""
    if not (isinstance(known, dict) and isinstance(more, dict)):
        return known if more is None else more
    joined = {**known, **more}
    for name, value in more.items():
        before = known.get(name)
        if isinstance(before, list) and isinstance(value, list):
            joined[name] = [*before, *value]
        elif value is None:
            joined[name] = before
    return joined
