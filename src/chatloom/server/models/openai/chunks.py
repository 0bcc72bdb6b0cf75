"""What OpenAI-compatible providers answer, as deltas; tolerant of their dialects.

Fields may be missing or `null`, tool calls may come without an index or whole,
a finish reason may be empty until it is one, and usage may come anywhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

import msgspec

from chatloom.core.http import JSON, UNREADABLE
from chatloom.server.models.driver import (
    Delta,
    Finish,
    FinishReason,
    Reasoning,
    Refusal,
    Served,
    Text,
    ToolCall,
    Usage,
)


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: JSON = None


class _Call(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Said(msgspec.Struct, gc=False):
    content: JSON = None
    reasoning_content: JSON = None
    reasoning: JSON = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int | None = None
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None
    logprobs: JSON = None


class Chunk(msgspec.Struct, gc=False):
    """A chunk of an answer, or a whole one."""

    model: str | None = None
    choices: list[_Choice] | None = None
    usage: JSON = None
    error: JSON = None


read_chunk = msgspec.json.Decoder(Chunk).decode


def read_json(data: bytes) -> JSON:
    """Read JSON of any shape."""
    told: JSON = msgspec.json.decode(data)
    return told


_REASONS: Mapping[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
}
"""Whatever else a provider calls its end is a ``stop``."""
_NO_END = frozenset({"", "null", "content", "continue"})
_BROKEN = frozenset({"error", "abort", "cancelled"})


_LINE_FEED = ord("\n")
"""Looking for a number in bytes takes a tenth of looking for bytes."""


class Transcript:
    """Writes down an answer as it arrives."""

    def __init__(self, model: str, choices: int) -> None:
        self.broken: str | None = None
        """The provider's word for an end that is none."""
        self.finished: dict[int, FinishReason] = {}
        self._model = model
        self._choices = set(range(choices))
        self._served = False
        self._usage: Usage | None = None
        self._calls: dict[tuple[int, int], int] = {}
        """Our index of each call, by its choice and the provider's index."""
        self._ids: dict[tuple[int, int], str] = {}
        """Each call's id, by its choice and our index."""

    def add(self, chunk: Chunk) -> list[Delta]:
        """Take in *chunk*; give what is new in it."""
        if not self._served and chunk.model:
            self._model = chunk.model
        if chunk.usage:
            self._usage = usage_of(chunk.usage) or self._usage
        deltas: list[Delta] = []
        for choice in chunk.choices or ():
            at = choice.index or 0
            self._choices.add(at)
            said = choice.delta or choice.message
            if said is not None:
                self._say(said, choice.logprobs, at, deltas)
            reason = choice.finish_reason
            if reason and reason.lower() not in _NO_END:
                self._finish(reason.lower(), at)
        if deltas and not self._served:
            self._served = True
            deltas.insert(0, Served(self._model))
        return deltas

    def texts(self, blocks: Sequence[bytes], start: int, deltas: list[Delta]) -> int:
        """Take in *blocks* from *start* on, while each says some more text and nothing else.

        Adds the texts to *deltas*; gives the number of the first other block, of
        which nothing has been taken in.
        """
        at = start
        if not self._served:
            return at
        known, take, end = self._choices, deltas.append, len(blocks)
        try:
            while at < end:
                block = blocks[at]
                if _LINE_FEED in block or not block.startswith(b"data: {"):
                    break
                chunk = read_chunk(block[6:])
                choices = chunk.choices
                if not choices or len(choices) != 1 or chunk.usage or chunk.error is not None:
                    break
                choice = choices[0]
                index = choice.index or 0
                if index not in known or not (text := _text_alone(choice)):
                    break
                take(Text(text, index))
                at += 1
        except UNREADABLE:
            pass  # of the block at which it stands
        return at

    @property
    def is_whole(self) -> bool:
        """Whether each choice has said how it ended."""
        return self._choices <= self.finished.keys()

    def ending(self) -> list[Delta]:
        """What is said at the end: how each choice finished, and what it took."""
        ending: list[Delta] = [Finish(reason, at) for at, reason in sorted(self.finished.items())]
        if self._usage is not None:
            ending.append(self._usage)
        if ending and not self._served:
            ending.insert(0, Served(self._model))
        return ending

    def _finish(self, reason: str, at: int) -> None:
        if reason in _BROKEN:
            self.broken = reason
            return
        usual: FinishReason = "tool_calls" if (at, 0) in self._ids and reason == "stop" else "stop"
        self.finished[at] = _REASONS.get(reason, usual)

    def _say(self, said: _Said, logprobs: JSON, at: int, deltas: list[Delta]) -> None:
        content = said.content
        if thoughts := said.reasoning_content or said.reasoning:
            deltas.extend(Reasoning(text, at) for text in [_text(thoughts)] if text)
        if isinstance(content, list):
            deltas.extend(Reasoning(text, at) for text in _thoughts(content))
            content = _text(content)
        if logprobs is not None and (entries := _entries(logprobs)):
            deltas.append(Text(_text(content), at, entries))
        elif content and isinstance(content, str):
            deltas.append(Text(content, at))
        if said.refusal:
            deltas.append(Refusal(said.refusal, at))
        if said.tool_calls:
            deltas.extend(self._call(call, at) for call in said.tool_calls)
        if said.function_call is not None:
            deltas.append(self._call(_Call(0, None, said.function_call), at))

    def _call(self, call: _Call, at: int) -> ToolCall:
        """Place one fragment: the first of a call names it, later ones only add to it."""
        theirs, function = call.index, call.function or _Function()
        known = sum(1 for choice, _ in self._ids if choice == at)
        ours = known - 1 if theirs is None else self._calls.get((at, theirs), known)
        # Some number every call 0, or none at all, and tell them apart by their ids alone.
        if 0 <= ours < known and call.id and function.name and self._ids[at, ours] != call.id:
            ours = known
        ours = max(ours, 0)
        arguments = _arguments(function.arguments)
        if theirs is not None:
            self._calls[at, theirs] = ours
        if (at, ours) in self._ids:
            return ToolCall(ours, arguments=arguments, choice=at)
        self._ids[at, ours] = own_id = call.id or f"call_{secrets.token_hex(12)}"
        return ToolCall(ours, own_id, function.name or "", arguments, at)


def _text_alone(choice: _Choice) -> str | None:
    """The text that *choice* says, where it says nothing else."""
    said = choice.delta
    if said is None or choice.finish_reason or choice.logprobs is not None:
        return None
    if said.reasoning_content or said.reasoning or said.refusal:
        return None
    if said.tool_calls or said.function_call is not None:
        return None
    content = said.content
    return content if isinstance(content, str) else None


def usage_of(told: JSON) -> Usage | None:
    """Read what a provider says its answer took; `None` where it does not say."""
    if not isinstance(told, dict):
        return None
    total = _count(told, "total_tokens")
    prompt, completion = _count(told, "prompt_tokens"), _count(told, "completion_tokens")
    if completion is None and total is not None and prompt is not None:
        completion = max(0, total - prompt)
    if prompt is None or completion is None:
        return None
    names = ("prompt_tokens_details", "completion_tokens_details")
    details = {name: told[name] for name in names if isinstance(told.get(name), dict)}
    cached = _count(details.get(names[0]), "cached_tokens")
    if cached is None:
        cached = _count(told, "prompt_cache_hit_tokens")  # DeepSeek
    reasoning = _count(details.get(names[1]), "reasoning_tokens")
    return Usage(prompt, completion, cached or 0, reasoning or 0, details)


MOST_TOKENS = 2**31
"""Nobody's answer takes more; a provider that says so did not count."""


def _count(told: JSON, name: str) -> int | None:
    count = told.get(name) if isinstance(told, dict) else None
    if not isinstance(count, int | float) or not 0 <= count <= MOST_TOKENS:
        return None
    return int(count)


def _text(content: JSON) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _entries(logprobs: JSON) -> list[JSON]:
    entries = logprobs.get("content") if isinstance(logprobs, dict) else None
    return entries if isinstance(entries, list) else []


def _thoughts(parts: Sequence[JSON]) -> list[str]:
    """The thoughts among the parts of a message, as Mistral writes them."""
    thoughts = [part.get("thinking") for part in parts if isinstance(part, dict)]
    return [text for text in map(_text, thoughts) if text]


def _arguments(arguments: JSON) -> str:
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return msgspec.json.encode(arguments).decode()
