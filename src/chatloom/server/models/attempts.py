"""What was tried to have a turn answered, noted while it happens.

A turn sets the list, its driver begins an attempt in it whenever it asks, and
whatever ends the turn's listening ends the attempt that still runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from chatloom.server.ids import milliseconds
from chatloom.server.models.driver import ProviderError
from chatloom.server.store.contract import Attempt


class Noted:
    """The attempts at one turn, in their order."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self._provider = self._model = ""

    def asking(self, provider: str, model: str) -> None:
        """Take note of who is asked from now on."""
        self._provider, self._model = provider, model

    def begin(self) -> None:
        """Begin an attempt."""
        number = len(self.attempts) + 1
        now = milliseconds()
        self.attempts.append(
            Attempt(number=number, provider=self._provider, model=self._model, started_at=now)
        )

    def end(self, problem: str | None) -> None:
        """End the attempt that runs, if one does."""
        if self.attempts and self.attempts[-1].ended_at is None:
            ended = msgspec.structs.replace(
                self.attempts[-1], ended_at=milliseconds(), problem=problem
            )
            self.attempts[-1] = ended


_current: ContextVar[Noted | None] = ContextVar("attempts", default=None)


@contextmanager
def noting() -> Generator[list[Attempt]]:
    """Note every attempt of the driver that is asked within the ``with`` block.

    Gives the list they come into. Leaving the block ends the last one, with
    the error that leaves it, if one does.
    """
    noted = Noted()
    token = _current.set(noted)
    try:
        yield noted.attempts
        noted.end(None)
    except BaseException as error:
        noted.end(_told(error))
        raise
    finally:
        _current.reset(token)


def asking(provider: str, model: str) -> Noted:
    """Say who is asked from now on; attempts that nobody wants noted go nowhere."""
    noted = current()
    noted.asking(provider, model)
    return noted


def current() -> Noted:
    """Where the attempts of this task are noted."""
    return _current.get() or Noted()


def _told(error: BaseException) -> str:
    if isinstance(error, ProviderError):
        return error.message
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "it was cancelled"
    return f"internal error ({type(error).__name__})"
