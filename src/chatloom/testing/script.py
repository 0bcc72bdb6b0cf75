"""What the next requests are answered with."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from chatloom.server.models.driver import FinishReason

Fault: TypeAlias = Literal["cut", "hang_up", "stall", "malformed"]


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool; *arguments* as a mapping, or as the very text that the model writes."""

    name: str
    arguments: Mapping[str, object] | str = field(default_factory=dict[str, object])
    id: str | None = None
    """Made up where there is none."""


@dataclass(frozen=True)
class Answer:
    """An answer to give; without *parts*, the offline model's own."""

    parts: tuple[str | ToolCall, ...] = ()
    finish: FinishReason | None = None
    pause: float = 0
    """Seconds before each piece."""
    fault: Fault | None = None
    after: int = 0
    """Pieces before the fault."""
    silence: float = 0
    """Seconds that a stall lasts."""


@dataclass(frozen=True)
class Failure:
    """A refusal to answer."""

    status: int
    message: str
    code: str
    retry_after: float | None


class Script:
    """Answers, in the order they will be given; for any number of threads."""

    def __init__(self) -> None:
        self._lines: deque[Answer | Failure] = deque()

    def add(self, line: Answer | Failure) -> None:
        self._lines.append(line)

    def take(self) -> Answer | Failure | None:
        """Take the next one; `None` when nothing was written."""
        try:
            return self._lines.popleft()
        except IndexError:
            return None

    def __len__(self) -> int:
        return len(self._lines)
