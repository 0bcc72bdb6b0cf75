"""A streamed message of the Anthropic wire, put together from its events."""

from __future__ import annotations

import msgspec

from chatloom.core.http import JSON, UNREADABLE
from zaguan.models import (
    AnthropicUsage,
    ContentBlock,
    MessagesDelta,
    MessagesResponse,
    MessagesStreamEvent,
)


class MessageSoFar:
    """Puts a streamed message together."""

    def __init__(self) -> None:
        self._message = MessagesResponse()
        self._blocks: dict[int, _BlockSoFar] = {}

    @property
    def model(self) -> str | None:
        return self._message.model or None

    @property
    def stop_reason(self) -> str | None:
        return self._message.stop_reason

    @property
    def text(self) -> str:
        """The text of all blocks."""
        return "".join(self._blocks[index].text for index in sorted(self._blocks))

    @property
    def usage(self) -> AnthropicUsage:
        return self._message.usage

    def add(self, event: MessagesStreamEvent) -> None:
        """Take in the next event."""
        if event.message is not None:
            self._message = event.message.model_copy(deep=True)
            begun = enumerate(self._message.content)
            self._blocks |= {index: _BlockSoFar(block) for index, block in begun}
        if event.type == "content_block_start" and event.content_block is not None:
            self._blocks[event.index or 0] = _BlockSoFar(event.content_block)
        elif event.type == "content_block_delta" and event.delta is not None:
            index = event.index or 0
            if index not in self._blocks:  # what is gone on with may begin within a block
                kind = _KINDS.get(event.delta.type or "", "text")
                self._blocks[index] = _BlockSoFar(ContentBlock(type=kind))
            self._blocks[index].add(event.delta)
        elif event.type == "message_delta" and event.delta is not None:
            self._message.stop_reason = event.delta.stop_reason or self._message.stop_reason
            self._message.stop_sequence = event.delta.stop_sequence or self._message.stop_sequence
        if event.usage is not None:
            self._count(event.usage)

    def _count(self, usage: AnthropicUsage) -> None:
        """Counters are told anew, not added; a zero where there was more is none."""
        known = self._message.usage.model_dump(exclude_unset=True)
        told = usage.model_dump(exclude_unset=True).items()
        merged = known | {name: value for name, value in told if value or name not in known}
        self._message.usage = AnthropicUsage.model_validate(merged)

    def whole(self) -> MessagesResponse:
        """What has arrived so far, as a plain answer holds it."""
        blocks = [self._blocks[index].whole() for index in sorted(self._blocks)]
        return self._message.model_copy(update={"content": blocks}, deep=True)


_KINDS = {
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}
"""The kind of block that a delta adds to, but for text."""


class _BlockSoFar:
    """One block; its pieces are joined when somebody asks."""

    def __init__(self, begun: ContentBlock) -> None:
        self._begun = begun
        self._texts = [begun.text or ""]
        self._thoughts = [begun.thinking or ""]
        self._input: list[str] = []
        self._signature = begun.signature
        self._citations: list[JSON] = []

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def add(self, delta: MessagesDelta) -> None:
        self._texts.append(delta.text or "")
        self._thoughts.append(delta.thinking or "")
        self._input.append(delta.partial_json or "")
        self._signature = delta.signature or self._signature
        citation: JSON = (delta.model_extra or {}).get("citation")
        if citation is not None:
            self._citations.append(citation)

    def whole(self) -> ContentBlock:
        told: dict[str, object] = {}
        if text := self.text:
            told["text"] = text
        if thinking := "".join(self._thoughts):
            told["thinking"] = thinking
        if self._signature is not None:
            told["signature"] = self._signature
        if self._citations:
            told["citations"] = self._citations
        if written := "".join(self._input):
            told |= _input_of(written)
        return ContentBlock.model_validate(self._begun.model_dump(exclude_unset=True) | told)


def _input_of(written: str) -> dict[str, object]:
    """Read a tool's input; one that was cut off is kept as it is."""
    try:
        return {"input": msgspec.json.decode(written, type=dict[str, JSON])}
    except UNREADABLE:
        return {"partial_json": written}
