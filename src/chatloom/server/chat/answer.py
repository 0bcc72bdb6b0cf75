"""An answer put together from its deltas."""

from __future__ import annotations

from collections.abc import Iterable

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
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
    Vector,
)


class Choice:
    """One of an answer's alternatives, as far as it has come."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.reasonings: list[str] = []
        self.refusals: list[str] = []
        self.logprobs: list[JSON] = []
        self.calls: dict[int, _Call] = {}
        self.vector = ""
        """An input's embedding, in base64."""
        self.finish_reason: FinishReason | None = None

    @property
    def said_something(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.texts or self.calls or self.refusals or self.reasonings or self.vector)

    def message(self) -> Message:
        """The assistant's message."""
        text = "".join(self.texts)
        calls = [self.calls[index].plain() for index in sorted(self.calls)]
        return Message(
            role="assistant",
            content=text if text or not calls else None,
            tool_calls=calls or None,
            refusal="".join(self.refusals) or None,
        )


class _Call:
    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []

    def plain(self) -> dict[str, JSON]:
        function: dict[str, JSON] = {"name": self.name, "arguments": "".join(self.arguments)}
        return {"id": self.id, "type": "function", "function": function}


class Answer:
    """What a provider has said so far."""

    def __init__(self, deltas: Iterable[Delta] = ()) -> None:
        self.choices: dict[int, Choice] = {}
        self.usage: Usage | None = None
        self.served_model: str | None = None
        self.add(deltas)

    @property
    def said_something(self) -> bool:
        """Whether there is anything to keep."""
        return any(choice.said_something for choice in self.choices.values())

    @property
    def text(self) -> str:
        """The text of the first choice."""
        first = self.choices.get(0)
        return "".join(first.texts) if first else ""

    def ordered(self) -> list[tuple[int, Choice]]:
        """The choices, by their number."""
        return sorted(self.choices.items())

    def is_whole(self, choices: int) -> bool:
        """Whether each of so many choices has been finished."""
        return all(
            index in self.choices and self.choices[index].finish_reason is not None
            for index in range(choices)
        )

    def add(self, deltas: Iterable[Delta]) -> None:
        """Take in some more."""
        choices = self.choices
        for delta in deltas:
            # Nearly all there are: some more text of a choice that has begun.
            if isinstance(delta, Text) and not delta.logprobs and delta.choice in choices:
                choices[delta.choice].texts.append(delta.text)
            elif isinstance(delta, Usage):
                self.usage = delta
            elif isinstance(delta, Served):
                self.served_model = delta.model
            else:
                self._add_to(self._choice(delta.choice), delta)

    def _choice(self, index: int) -> Choice:
        choice = self.choices.get(index)
        if choice is None:
            choice = self.choices[index] = Choice()
        return choice

    def _add_to(
        self, choice: Choice, delta: Text | Reasoning | Refusal | ToolCall | Finish
    ) -> None:
        if isinstance(delta, Vector):
            choice.vector = delta.text
        elif isinstance(delta, Text):
            choice.texts.append(delta.text)
            if delta.logprobs:
                choice.logprobs += delta.logprobs
        elif isinstance(delta, ToolCall):
            call = choice.calls.setdefault(delta.index, _Call())
            call.id = delta.id or call.id
            call.name = delta.name or call.name
            call.arguments.append(delta.arguments)
        elif isinstance(delta, Finish):
            choice.finish_reason = delta.reason
        elif isinstance(delta, Reasoning):
            choice.reasonings.append(delta.text)
        else:
            choice.refusals.append(delta.text)
