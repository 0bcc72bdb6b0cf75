"""Showing an answer while it arrives, until it ends or is stopped."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

import msgspec

from chatloom.cli.chat.display.pages import Page
from chatloom.cli.chat.listening import Listening
from chatloom.cli.chat.signals import stopping
from chatloom.core.errors import ChatloomError
from chatloom.server.models.driver import Finish, FinishReason, Reasoning, Refusal, Text

_BETWEEN_DRAWINGS = 0.03
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_TURNS_PER_SECOND = 10
_PATIENCE = 0.5
"""Seconds without a word after which something must move."""

_REQUEST = re.compile(r"^(GET|POST) /\S*:? ")
_ENDINGS: dict[FinishReason, str] = {
    "length": "cut off: the answer has reached its longest length",
    "content_filter": "cut off by the provider's content filter",
    "tool_calls": "the model wants to call a tool, which a chat does not have",
}


class Shown(msgspec.Struct, frozen=True):
    """What came of a question."""

    text: str
    problem: str | None = None
    """Why the answer is not whole, where it is not."""
    stopped: bool = False
    """It was the user who ended it."""
    failed: bool = False
    """It was not the model that ended it."""


def show(listening: Listening, page: Page, stop: threading.Event) -> Shown:
    """Show an answer on *page* until it ends, or *stop* is set."""
    watch = _Watch()
    texts: list[str] = []
    reason: FinishReason = "stop"
    while not listening.is_over and not stop.is_set():
        for delta in listening.take(_BETWEEN_DRAWINGS * 3):
            watch.heard(thinks=isinstance(delta, Reasoning))
            if isinstance(delta, Text | Refusal):
                texts.append(delta.text)
                page.add(delta.text)
            elif isinstance(delta, Finish):
                reason = delta.reason
        began = time.monotonic()
        page.draw(watch.note())
        # However long a drawing takes, most of the time is not spent on it.
        time.sleep(max(_BETWEEN_DRAWINGS, 3 * (time.monotonic() - began)))
    text = "".join(texts)
    stopped = not listening.is_over
    if stopped:
        listening.leave()
        rest = _rest(listening, text)
        page.add(rest)
        text += rest
    page.end()
    if stopped:
        return Shown(text, "stopped", stopped=True)
    if listening.failure is not None:
        told = words_of(listening.failure)
        return Shown(text, f"broke off: {told}" if text else told, failed=True)
    return Shown(text, _ENDINGS.get(reason))


def _rest(listening: Listening, text: str) -> str:
    """The words that were on their way when the answer was stopped, and are kept as said."""
    kept = "" if listening.stopped is None else listening.stopped.text
    return kept[len(text) :] if kept.startswith(text) else ""


def words_of(error: ChatloomError) -> str:
    """Say an error in one line, as its user knows things."""
    told = _REQUEST.sub("", " ".join(error.message.split()))
    if error.status_code == 401:
        return f"{told}; give a key with --key, or in CHATLOOM_API_KEY"
    return told or "it failed without a word"


class _Watch:
    """Knows how long an answer takes, and what to say of that."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self._thinks = False

    def heard(self, *, thinks: bool) -> None:
        self._thinks = thinks
        self._last = time.monotonic()

    def note(self) -> str:
        now = time.monotonic()
        silent = now - self._last
        if silent < _PATIENCE and not self._thinks:
            return ""
        wheel = _SPINNER[int(now * _TURNS_PER_SECOND) % len(_SPINNER)]
        what, since = ("thinking", now - self._began) if self._thinks else ("waiting", silent)
        return f"{wheel} {what}, {since:.0f} s (Ctrl-C stops it)"


@contextmanager
def stoppable() -> Generator[threading.Event, None, None]:
    """Have Ctrl-C set the event, and show nothing of what is typed."""
    with stopping() as stop, _no_echo():
        yield stop


if sys.platform == "win32":

    @contextmanager
    def _no_echo() -> Generator[None, None, None]:
        yield

else:
    import termios

    @contextmanager
    def _no_echo() -> Generator[None, None, None]:
        """Keep what is typed meanwhile out of the answer; the next prompt finds it."""
        if not sys.stdin.isatty():
            yield
            return
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        silent = [*before]
        silent[3] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSANOW, silent)
        try:
            yield
        finally:
            termios.tcsetattr(terminal, termios.TCSANOW, before)
