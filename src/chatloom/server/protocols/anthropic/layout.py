"""Which block of an answer each of its deltas belongs to."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

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
from chatloom.server.protocols.anthropic.blocks import input_of
from chatloom.wire import anthropic as wire

Said: TypeAlias = Text | Reasoning | Refusal | ToolCall
"""What adds to a block."""


class Wording(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an answer is told to the one who asked; kept with its turn."""

    without_thinking: bool = False
    """Its reader asked for no thoughts, and may not know what to do with them."""
    input_tokens: int = 0
    """About how many he asked with, for as long as nobody has counted."""


def wording_of(told_as: str) -> Wording:
    """Read what was kept."""
    return msgspec.json.decode(told_as, type=Wording) if told_as else Wording()


class Layout:
    """Places deltas in blocks, in the order they come."""

    def __init__(self, wording: Wording) -> None:
        self.current: int | None = None
        """The block that grows."""
        self.is_text = False
        """Whether that is a text."""
        self.refuses = False
        """Whether the model says that it will not answer."""
        self._without_thinking = wording.without_thinking
        self._kind: str | int | None = None
        self._calls: dict[int, int] = {}
        self._count = 0

    def place(self, delta: Delta) -> tuple[int, Said, bool] | None:
        """The block that *delta* adds to, and whether it begins it; `None` for none.

        A call that another one interrupted goes on in its own block.
        """
        if isinstance(delta, Finish | Usage | Served) or delta.choice:
            return None
        if isinstance(delta, ToolCall):
            if delta.index in self._calls:
                return self._calls[delta.index], delta, False
            self._calls[delta.index] = self._count
            return self._begun(delta.index), delta, True
        if not delta.text or (self._without_thinking and isinstance(delta, Reasoning)):
            return None
        self.refuses = self.refuses or isinstance(delta, Refusal)
        kind = "thinking" if isinstance(delta, Reasoning) else "text"
        if kind == self._kind and self.current is not None:
            return self.current, delta, False
        return self._begun(kind), delta, True

    def _begun(self, kind: str | int) -> int:
        self._kind = kind
        self.is_text = kind == "text"
        self.current = self._count
        self._count += 1
        return self.current


def words_of(said: Said) -> str:
    """What *said* adds."""
    return said.arguments if isinstance(said, ToolCall) else said.text


def block_of(first: Said, words: str) -> wire.ContentBlock:
    """The block that *first* begins, once it says *words*."""
    if isinstance(first, ToolCall):
        return wire.ToolUseBlock(first.id or "", first.name or "", input_of(words))
    if isinstance(first, Reasoning):
        return wire.ThinkingBlock(words)
    return wire.TextBlock(words)


_REASONS: dict[FinishReason, wire.StopReason] = {
    "stop": "end_turn",  # no provider says which stop sequence it was, if it was one
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def stop_of(reason: FinishReason | None, *, refuses: bool) -> wire.StopReason | None:
    """How an answer ended that finished for *reason*."""
    if reason is None:
        return None
    return "refusal" if refuses and reason == "stop" else _REASONS[reason]


def usage_of(usage: Usage) -> wire.MessageUsage:
    """Tell a turn's usage. What was read from a cache is counted apart here."""
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    return wire.MessageUsage(
        input_tokens=usage.prompt_tokens - cached,
        output_tokens=usage.completion_tokens,
        cache_read_input_tokens=cached,
        estimated=True if usage.estimated else msgspec.UNSET,
    )
