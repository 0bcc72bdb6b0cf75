"""What the next requests are answered with.

What cannot be performed is refused where it is written, with a `TypeError` or
`ValueError`: the server could only tell its client that something is wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

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

    def written(self) -> str:
        """The arguments as the model writes them."""
        if isinstance(self.arguments, str):
            return self.arguments
        import msgspec

        return msgspec.json.encode(self.arguments).decode()


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

    def __post_init__(self) -> None:
        from chatloom.server.models.driver import FinishReason

        for part in self.parts:
            _check_part(part)
        if self.finish is not None and self.finish not in (known := get_args(FinishReason)):
            raise ValueError(f"an answer finishes with {', '.join(known)}, not {self.finish!r}")
        _check_seconds("pause", self.pause)
        _check_seconds("seconds", self.silence)
        _check_kind("after", self.after, int)
        if self.after < 0:
            raise ValueError(f"after must be a number of pieces, not {self.after}")


@dataclass(frozen=True)
class Failure:
    """A refusal to answer."""

    status: int
    message: str
    code: str
    retry_after: float | None

    def __post_init__(self) -> None:
        _check_text("message", self.message)
        _check_text("code", self.code)
        if self.retry_after is not None:
            _check_seconds("retry_after", self.retry_after)


def _check_part(part: object) -> None:
    if not isinstance(part, ToolCall):
        _check_text("what is said", part)
        return
    _check_text("a tool's name", part.name)
    if part.id is not None:
        _check_text("a call's id", part.id)
    _check_kind("a tool's arguments", part.arguments, Mapping, str)
    _check_text("a tool's arguments", part.written())


def _check_text(what: str, value: object) -> None:
    _check_kind(what, value, str)
    str(value).encode()  # half a surrogate pair is no text


def _check_seconds(what: str, value: float) -> None:
    _check_kind(what, value, int, float)
    if not 0 <= value < float("inf"):
        raise ValueError(f"{what} must be a number of seconds, not {value}")


def _check_kind(what: str, value: object, *kinds: type) -> None:
    if not isinstance(value, kinds):
        names = " or ".join(kind.__name__.lower() for kind in kinds)
        raise TypeError(f"{what} must be {names}, not {type(value).__name__}")


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
